"""Jobs as cards: when, how long still, what the machine draws, and what may be done now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import User
from plugs.models import PlugCommand
from printers.domain.activity import judge
from reservations.choices import State
from reservations.domain.wording import reason_words
from reservations.models import Job
from reservations.presenting import words
from reservations.presenting.badges import Badge, job_badge
from reservations.presenting.machines import first_name, power_words, trouble_words

# Switching off may come this much after the cool-down and still belong to the job: a print ran over.
AFTERMATH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class JobCard:
    """One job in words. Plain texts only: two equal cards look the same."""

    pk: int
    printer_id: int
    printer: str
    title: str
    note: str
    owner: str
    badge: Badge
    window: str
    left: str
    power: str
    trouble: str
    reason: str
    waiver: str
    percent: int
    is_running: bool
    may_start: bool
    may_extend: bool
    may_cancel: bool
    may_judge: bool
    may_abort: bool


@dataclass(frozen=True, slots=True)
class PowerStep:
    """One switching of the plug during a job."""

    at: str
    what: str
    why: str
    result: str


def job_cards(jobs: Iterable[Job], viewer: User, now: datetime) -> tuple[JobCard, ...]:
    """A card for every job, in the same order. The jobs come with machine, plug state and owner."""
    return tuple(job_card(job, viewer, now) for job in jobs)


def job_card(job: Job, viewer: User, now: datetime) -> JobCard:
    """One job as its owner, or a trainer, sees it."""
    state = State(job.state)
    is_running = state is State.RUNNING
    is_ahead = state in {State.PENDING, State.BOOKED}
    return JobCard(
        pk=job.pk,
        printer_id=job.printer_id,
        printer=job.printer.name,
        title=job.title,
        note=job.note,
        owner="" if job.owner_id == viewer.pk else first_name(job.owner),
        badge=job_badge(state),
        window=_window(job, now),
        left=_left(job, now),
        power=_power(job) if is_running else "",
        trouble=_trouble(job, now),
        reason=job.closed_reason,
        waiver=job.waived_reason,
        percent=_percent(job, now) if is_running else 0,
        is_running=is_running,
        may_start=state is State.BOOKED and job.starts_at <= now < job.ends_at,
        may_extend=job.is_occupying,
        may_cancel=is_ahead,
        may_judge=state is State.PENDING and viewer.is_trainer,
        may_abort=is_running and viewer.is_trainer and job.owner_id != viewer.pk,
    )


def _window(job: Job, now: datetime) -> str:
    """What was planned; of a job that is over, what really happened."""
    if job.started_at and job.finished_at and job.finished_at > job.started_at:
        return words.window(job.started_at, job.finished_at, now)
    return words.window(job.starts_at, job.ends_at, now)


def _left(job: Job, now: datetime) -> str:
    if job.state == State.RUNNING:
        return words.left(job.ends_at, now)
    if job.is_occupying and now < job.starts_at < now + words.DAY:
        return words.ahead(job.starts_at, now)
    return ""


def _power(job: Job) -> str:
    plug_state = getattr(job.printer.plug, "state", None)
    activity = judge(
        is_on=plug_state.observed if plug_state else None,
        power_w=plug_state.power_w if plug_state else None,
        busy_above_w=job.printer.busy_above_w,
    )
    return power_words(plug_state, activity, has_plug=job.printer.plug_id is not None)


def _trouble(job: Job, now: datetime) -> str:
    """What stands between this job and its power."""
    if not job.is_occupying:
        return ""
    if job.state == State.BOOKED and job.starts_at <= now:
        return _("The print before is still at work. Your job starts when it is done, or when you start it.")
    return trouble_words(getattr(job.printer.plug, "state", None))


def _percent(job: Job, now: datetime) -> int:
    begun = job.started_at or job.starts_at
    length = job.ends_at - begun
    return max(0, min(100, round(100 * ((now - begun) / length)))) if length else 100


def power_story(job: Job, now: datetime) -> list[PowerStep]:
    """What was switched for the job, oldest first; one query."""
    if job.printer.plug_id is None:
        return []
    since = job.starts_at - timedelta(minutes=job.printer.lead_minutes)
    until = (job.finished_at or job.ends_at) + timedelta(minutes=job.printer.cool_down_minutes) + AFTERMATH
    rows = PlugCommand.objects.filter(plug_id=job.printer.plug_id, planned_at__range=(since, until))
    return [
        PowerStep(
            at=words.seconds(command.planned_at, now),
            what=_("on") if command.on else _("off"),
            why=reason_words(command.reason),
            result=_result(command),
        )
        for command in reversed(rows.order_by("-id")[:20])
    ]


def _result(command: PlugCommand) -> str:
    if command.confirmed_at is None:
        return str(command.get_result_display())
    after = max((command.confirmed_at - command.planned_at).total_seconds(), 0)
    return _("confirmed after %(seconds)s s") % {"seconds": words.decimal(after)}
