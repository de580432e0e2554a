"""The door, first half: check, book, move, extend, cancel.

One call is one transaction: serialise on the owner, then on the machine, gather the facts, judge by the
rules, write, plan the power anew, append to the journal. Every surface comes through here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from core import clock
from core.actor import Actor
from core.errors import Refused, Violation
from journal.domain.recording import Event, record
from printers.models import Printer
from reservations.choices import State
from reservations.domain import lifecycle
from reservations.domain.facts import gather
from reservations.domain.rights import demand_change, demand_role, is_trainer
from reservations.domain.rules import NOW_SLACK, Facts, Finding, Window, judge
from reservations.domain.taking import take
from reservations.domain.wording import violation
from reservations.models import Job


@dataclass(frozen=True, slots=True)
class Wish:
    """A window on a machine for a person. ``starts_at`` None means now."""

    printer_id: int
    owner_id: int
    ends_at: datetime
    starts_at: datetime | None = None
    title: str = ""
    note: str = ""


def check(
    wish: Wish, *, actor: Actor, now: datetime | None = None, job: Job | None = None
) -> list[Violation]:
    """All that speaks against the wish right now; writes nothing. ``job`` is the one to be changed, if any."""
    now = now or clock.now()
    printer = Printer.objects.get(pk=wish.printer_id)
    owner = User.objects.get(pk=wish.owner_id)
    return [violation(finding) for finding in judge(_facts(wish, printer, owner, now, job))]


@transaction.atomic
def book(wish: Wish, *, actor: Actor, now: datetime | None = None, waive_reason: str = "") -> Job:
    """Book the wish. A trainer may waive overridable rules by giving a reason.

    Raises :class:`Refused` with every violation.
    """
    now = now or clock.now()
    owner = User.objects.select_for_update().get(pk=wish.owner_id)
    printer = Printer.objects.select_for_update().get(pk=wish.printer_id)
    if actor.user_id != owner.pk:
        demand_role(actor, _("Only trainers book for others."), field="owner")
    facts = _facts(wish, printer, owner, now)
    waived = _judge(facts, actor, waive_reason)
    job = Job(
        printer=printer,
        owner=owner,
        title=wish.title.strip(),
        note=wish.note.strip(),
        state=State.PENDING if printer.needs_approval and not is_trainer(actor) else State.BOOKED,
        created_by_id=actor.user_id,
        channel=actor.channel,
        created_at=now,
    )
    _place(job, facts, now, waived, waive_reason)
    _save(job, facts)
    lifecycle.advance([printer.pk], actor=actor, now=now)
    record([Event("job.booked", job, _told(job))], actor=actor, now=now)
    job.refresh_from_db()
    return job


@transaction.atomic
def move(
    job_id: int,
    *,
    starts_at: datetime,
    ends_at: datetime,
    printer_id: int | None = None,
    actor: Actor,
    now: datetime | None = None,
    waive_reason: str = "",
) -> Job:
    """Give the job another window, or another machine; one change, so the old slot is kept until the new one is had."""
    now = now or clock.now()
    job, printers = take(job_id, also_printer=printer_id)
    demand_change(actor, job)
    target = printers[printer_id or job.printer_id]
    if not job.is_occupying:
        raise Refused.because("wrong_state", lifecycle.too_late(job))
    if job.state == State.RUNNING and (target.pk != job.printer_id or starts_at != job.starts_at):
        raise Refused.because(
            "job_has_started", _("The job is running: only its end can change."), field="starts_at"
        )
    left = job.printer_id
    wish = Wish(target.pk, job.owner_id, starts_at=starts_at, ends_at=ends_at)
    facts = _facts(wish, target, job.owner, now, job)
    waived = _judge(facts, actor, waive_reason)
    before = _told(job)
    job.printer = target
    if job.state == State.BOOKED and target.needs_approval and not is_trainer(actor) and target.pk != left:
        job.state = State.PENDING
    _place(job, facts, now, waived, waive_reason)
    _save(job, facts)
    lifecycle.advance({left, target.pk}, actor=actor, now=now)
    record([Event("job.moved", job, {"before": before, **_told(job)})], actor=actor, now=now)
    job.refresh_from_db()
    return job


def extend(
    job_id: int,
    *,
    ends_at: datetime | None = None,
    by: timedelta | None = None,
    actor: Actor,
    now: datetime | None = None,
    waive_reason: str = "",
) -> Job:
    """Give the job a later end: either the instant, or so much more."""
    now = now or clock.now()
    with transaction.atomic():
        job, _printers = take(job_id)
        demand_change(actor, job)
        later = ends_at if ends_at is not None else job.ends_at + (by or timedelta(0))
        if later <= job.ends_at:
            raise Refused.because(
                "not_later", _("The new end must be later than the present one."), field="ends_at"
            )
        return move(
            job_id, starts_at=job.starts_at, ends_at=later, actor=actor, now=now, waive_reason=waive_reason
        )


@transaction.atomic
def cancel(job_id: int, *, actor: Actor, reason: str = "", now: datetime | None = None) -> Job:
    """Give the slot back before the job has started."""
    now = now or clock.now()
    job, _printers = take(job_id)
    cancel_taken([job], actor=actor, reason=reason, now=now)
    return job


def cancel_taken(jobs: Sequence[Job], *, actor: Actor, reason: str, now: datetime) -> None:
    """Cancel jobs whose owner and machines the caller has locked: one plan and one entry in the journal for all."""
    for job in jobs:
        demand_change(actor, job)
        lifecycle.turn(job, State.CANCELLED, now=now, reason=reason)
    lifecycle.advance({job.printer_id for job in jobs}, actor=actor, now=now)
    events = [Event("job.cancelled", job, {"reason": reason, **_told(job)}) for job in jobs]
    record(events, actor=actor, now=now)


@transaction.atomic
def describe(job_id: int, *, title: str, note: str, actor: Actor, now: datetime | None = None) -> Job:
    """Say anew what the job is for; its window and its state stay as they are."""
    now = now or clock.now()
    job, _printers = take(job_id)
    demand_change(actor, job)
    job.title, job.note, job.changed_at = title.strip(), note.strip(), now
    job.save(update_fields=["title", "note", "changed_at"])
    record([Event("job.described", job, {"title": job.title})], actor=actor, now=now)
    return job


def _facts(wish: Wish, printer: Printer, owner: User, now: datetime, job: Job | None = None) -> Facts:
    starts_at = wish.starts_at.astimezone(UTC) if wish.starts_at else now
    is_unchanged = job is not None and starts_at == job.starts_at
    # A start this little in the past means "now": the form was filled in while the minute turned.
    is_now = wish.starts_at is None or (not is_unchanged and now - NOW_SLACK < starts_at <= now)
    if is_now:
        starts_at = now
    has_started = is_unchanged and job is not None and job.state == State.RUNNING
    return gather(
        printer=printer,
        owner=owner,
        window=Window(starts_at, wish.ends_at.astimezone(UTC)),
        now=now,
        is_start_given=not is_now and not has_started,
        job=job,
    )


def _judge(facts: Facts, actor: Actor, waive_reason: str) -> list[str]:
    """The codes a trainer waived; raises Refused for what nobody or not this actor may waive."""
    findings = judge(facts)
    may_waive = bool(waive_reason.strip()) and is_trainer(actor)
    if (not may_waive or not all(finding.overridable for finding in findings)) and findings:
        raise Refused(violation(finding) for finding in findings)
    return [finding.code for finding in findings]


def _place(job: Job, facts: Facts, now: datetime, waived: list[str], waive_reason: str) -> None:
    job.starts_at, job.ends_at = facts.window.starts_at, facts.window.ends_at
    job.occupied_until = facts.window.ends_at + facts.machine.buffer
    job.changed_at = now
    if waived:
        job.waived = sorted({*job.waived, *waived})
        job.waived_reason = waive_reason.strip()[:200]


def _save(job: Job, facts: Facts) -> None:
    """Write; should the database know of an overlap the rules did not see, that is the same clean refusal."""
    try:
        with transaction.atomic():
            job.save()
    except IntegrityError as error:
        params = {"from": facts.window.starts_at, "until": facts.window.ends_at}
        raise Refused([violation(Finding("window_taken", "starts_at", params=params))]) from error


def _told(job: Job) -> dict[str, object]:
    told: dict[str, object] = {
        "from": job.starts_at.isoformat(),
        "until": job.ends_at.isoformat(),
        "owner": job.owner_id,
        "printer": job.printer_id,
        "state": job.state,
    }
    if job.waived:
        told["waived"], told["waived_reason"] = job.waived, job.waived_reason
    return told
