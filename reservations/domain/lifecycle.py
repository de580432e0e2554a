"""The door, second half: approve, refuse, start, finish, abort, and what the clock does by itself.

:func:`advance` is the one place where jobs start and end by the clock and where the power of machines is
planned. It is idempotent and catches up: whatever is due and not yet done is done, however late.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from core import clock
from core.actor import SYSTEM, Actor
from core.errors import Refused
from journal.domain.recording import Event, record
from plugs.domain.switching import Aim, aim
from plugs.models import PlugState
from printers.choices import Service
from printers.models import Printer
from reservations.choices import MOVES, State
from reservations.domain.power import Override, Plan, PowerFacts, Slot, power_plan
from reservations.domain.rights import demand_change, demand_role
from reservations.domain.taking import take
from reservations.models import OCCUPIES, Job, PowerPlan

# How far the plan looks ahead. A row with nothing in sight is looked at again by then.
LOOK_AHEAD = timedelta(hours=24)

_PLAN_COLUMNS = ("want", "reason", "next_change_at", "last_end_at", "last_owner_id")

# What the journal calls a change that the clock made.
_KINDS = {
    State.RUNNING: "job.started",
    State.FINISHED: "job.finished",
    State.MISSED: "job.missed",
    State.REFUSED: "job.refused",
}


def turn(job: Job, state: State, *, now: datetime, reason: str = "") -> None:
    """Move a job to another state and save it; refuse what the state diagram does not know."""
    if state not in MOVES.get(State(job.state), frozenset()):
        raise Refused.because("wrong_state", too_late(job))
    _set_state(job, state, now, reason)
    job.save(update_fields=["state", "started_at", "finished_at", "closed_reason", "changed_at"])


def too_late(job: Job) -> str:
    """Why the job cannot be changed that way."""
    return _("This job is %(state)s; that is not possible any more.") % {"state": job.get_state_display()}


def _set_state(job: Job, state: State, now: datetime, reason: str = "") -> None:
    job.state, job.changed_at = state, now
    if state is State.RUNNING:
        job.started_at = now
    if state in {State.FINISHED, State.ABORTED}:
        job.finished_at = now
    if reason:
        job.closed_reason = reason[:200]


@transaction.atomic
def approve(job_id: int, *, actor: Actor, now: datetime | None = None) -> Job:
    """A trainer lets a pending job stand."""
    return _by_hand(job_id, State.BOOKED, "job.approved", actor=actor, now=now, is_for_trainers=True)


@transaction.atomic
def refuse(job_id: int, *, reason: str, actor: Actor, now: datetime | None = None) -> Job:
    """A trainer turns a pending job down, and says why."""
    _demand_reason(reason)
    return _by_hand(
        job_id, State.REFUSED, "job.refused", actor=actor, now=now, reason=reason, is_for_trainers=True
    )


@transaction.atomic
def start(job_id: int, *, actor: Actor, now: datetime | None = None) -> Job:
    """Start a booked job whose window is open, though the print before it still draws power."""
    now = now or clock.now()
    job, _printers = take(job_id)  # judged under the lock: a move that is under way counts
    demand_change(actor, job)
    if not job.starts_at <= now < job.ends_at:
        raise Refused.because("window_not_open", _("The job can start from its beginning to its end only."))
    return _by_hand(job_id, State.RUNNING, "job.started", actor=actor, now=now)


@transaction.atomic
def finish(job_id: int, *, actor: Actor, now: datetime | None = None) -> Job:
    """End a running job; the rest of its window is free for others."""
    return _by_hand(job_id, State.FINISHED, "job.finished", actor=actor, now=now)


@transaction.atomic
def abort(job_id: int, *, reason: str, actor: Actor, now: datetime | None = None) -> Job:
    """A trainer ends a running job, and says why."""
    _demand_reason(reason)
    return _by_hand(
        job_id, State.ABORTED, "job.aborted", actor=actor, now=now, reason=reason, is_for_trainers=True
    )


def _demand_reason(reason: str) -> None:
    if not reason.strip():
        raise Refused.because("reason_missing", _("Say why, so that the owner understands."), field="reason")


def _by_hand(
    job_id: int,
    state: State,
    kind: str,
    *,
    actor: Actor,
    now: datetime | None,
    reason: str = "",
    is_for_trainers: bool = False,
) -> Job:
    now = now or clock.now()
    job, _printers = take(job_id)
    if is_for_trainers:
        demand_role(actor, _("Only trainers may do that."))
    else:
        demand_change(actor, job)
    turn(job, state, now=now, reason=reason)
    if job.finished_at:
        PowerPlan.objects.update_or_create(
            printer_id=job.printer_id, defaults={"last_end_at": now, "last_owner_id": job.owner_id}
        )
    advance([job.printer_id], actor=actor, now=now)
    record([Event(kind, job, {"reason": reason} if reason else {})], actor=actor, now=now)
    return job


def next_due(now: datetime) -> datetime | None:
    """When the clock changes something next."""
    return (
        PowerPlan.objects.filter(next_change_at__isnull=False)
        .order_by("next_change_at")
        .values_list("next_change_at", flat=True)
        .first()
    )


def advance_due(now: datetime) -> None:
    """Do what is due on every machine."""
    due = PowerPlan.objects.filter(next_change_at__lte=now).values_list("printer_id", flat=True)
    if printer_ids := list(due):
        advance(printer_ids, actor=SYSTEM, now=now)


@transaction.atomic
def advance(printer_ids: Collection[int], *, actor: Actor, now: datetime) -> None:
    """Start and end the jobs that are due on these machines and plan their power, in a few statements for all."""
    printers = list(Printer.objects.select_for_update().filter(pk__in=printer_ids).order_by("pk"))
    states = PlugState.objects.in_bulk([p.plug_id for p in printers if p.plug_id])
    plans = {p.printer_id: p for p in PowerPlan.objects.filter(printer__in=printers)}
    before = {printer_id: _columns(row) for printer_id, row in plans.items()}
    jobs = _jobs_in_sight(printers, now)
    turned: list[Job] = []
    aims: dict[int, Aim] = {}
    for printer in printers:
        row = plans.setdefault(printer.pk, PowerPlan(printer=printer))
        due_at = row.next_change_at if row.next_change_at and row.next_change_at <= now else now
        state = states.get(printer.plug_id) if printer.plug_id else None
        turned += _let_time_pass(jobs[printer.pk], row, printer, state, now)
        facts = _power_facts(printer, row, state, jobs[printer.pk])
        plan = power_plan(now, facts)
        _note(row, plan, jobs[printer.pk], now)
        if state is not None:
            aims[state.plug_id] = Aim(
                plan.want, plan.reason, planned_at=due_at, hold_above_w=plan.hold_above_w
            )
    _write(turned, [row for row in plans.values() if _columns(row) != before.get(row.printer_id)], now)
    aim(aims, actor=actor, now=now)
    record([Event(_KINDS[State(job.state)], job) for job in turned], actor=SYSTEM, now=now)


def _jobs_in_sight(printers: Iterable[Printer], now: datetime) -> dict[int, list[Job]]:
    """Occupying jobs that have begun or begin soon, by machine, in order."""
    found: dict[int, list[Job]] = defaultdict(list)
    rows = Job.objects.filter(OCCUPIES, printer__in=printers, starts_at__lte=now + LOOK_AHEAD).select_related(
        "printer"
    )
    for job in rows.order_by("starts_at"):
        found[job.printer_id].append(job)
    return found


def _let_time_pass(
    jobs: list[Job], row: PowerPlan, printer: Printer, state: PlugState | None, now: datetime
) -> list[Job]:
    """Apply to one machine's jobs what the clock says; returns those that changed."""
    turned = []
    for job in jobs:
        new = _due_state(job, row, printer, state, now)
        if new is None:
            continue
        reason = {
            State.REFUSED: _("Nobody approved it before it began."),
            State.MISSED: _("The machine could not be started in time."),
        }.get(new, "")
        _set_state(job, new, now, reason)
        if new is State.FINISHED:
            # The end that was planned, also when we come late: what ran on after it is overrun, not the job.
            job.finished_at = row.last_end_at = job.ends_at
            row.last_owner_id = job.owner_id
        turned.append(job)
    return turned


def _due_state(
    job: Job, row: PowerPlan, printer: Printer, state: PlugState | None, now: datetime
) -> State | None:
    """The state the clock moves the job to, if any."""
    if job.starts_at > now:
        return None
    if job.state == State.PENDING:
        return State.REFUSED
    if job.ends_at <= now:
        return State.FINISHED if job.state == State.RUNNING else State.MISSED
    if job.state == State.BOOKED and not _is_held_up(job, row, printer, state):
        return State.RUNNING
    return None


def _is_held_up(job: Job, row: PowerPlan, printer: Printer, state: PlugState | None) -> bool:
    """The print of somebody else's job before this one is still at work."""
    if state is None or not state.observed or state.power_w is None or row.last_end_at is None:
        return False
    is_at_work = state.power_w > printer.busy_above_w
    return (
        is_at_work
        and row.last_owner_id != job.owner_id
        and (state.observed_changed_at or job.starts_at) < row.last_end_at
    )


def _power_facts(printer: Printer, row: PowerPlan, state: PlugState | None, jobs: list[Job]) -> PowerFacts:
    slots = tuple(
        Slot(job.starts_at, job.ends_at, is_running=job.state == State.RUNNING)
        for job in jobs
        if job.state in {State.BOOKED, State.RUNNING}
    )
    override = None
    if state is not None and state.override_on is not None:
        override = Override(state.override_on, state.override_until, state.override_is_cut)
    limit = printer.hard_limit_minutes
    return PowerFacts(
        slots=slots,
        lead=timedelta(minutes=printer.lead_minutes),
        cool_down=timedelta(minutes=printer.cool_down_minutes),
        hard_limit=None if limit is None else timedelta(minutes=limit),
        is_in_service=printer.service == Service.IN_SERVICE,
        override=override,
        is_on=state.observed if state else None,
        power_w=state.power_w if state else None,
        idle_below_w=printer.idle_below_w,
        last_end_at=row.last_end_at,
    )


def _note(row: PowerPlan, plan: Plan, jobs: list[Job], now: datetime) -> None:
    """What the plan says, and when to look again: also when a job that nobody approved would begin."""
    row.want, row.reason = plan.want, plan.reason
    # Jobs beyond the look-ahead are not in the plan yet: look again before they can matter, on a full hour,
    # so that the row does not change with every look.
    look_again = now.replace(minute=0, second=0, microsecond=0) + LOOK_AHEAD / 2
    lapses = [job.starts_at for job in jobs if job.state == State.PENDING]
    row.next_change_at = min([plan.next_change_at or look_again, look_again, *lapses])


def _columns(row: PowerPlan) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _PLAN_COLUMNS)


def _write(turned: list[Job], plans: Iterable[PowerPlan], now: datetime) -> None:
    """One statement for all jobs that turned alike: many begin and end together."""
    alike: dict[tuple[State, datetime | None, str], list[int]] = defaultdict(list)
    for job in turned:
        alike[State(job.state), job.finished_at, job.closed_reason].append(job.pk)
    for (state, finished_at, reason), ids in alike.items():
        start = {"started_at": now} if state is State.RUNNING else {}
        Job.objects.filter(pk__in=ids).update(
            state=state, finished_at=finished_at, closed_reason=reason, changed_at=now, **start
        )
    PowerPlan.objects.bulk_create(
        plans,
        update_conflicts=True,
        unique_fields=["printer"],
        update_fields=_PLAN_COLUMNS,
    )


def plan_for_plugs(plug_ids: Collection[int], *, actor: Actor, now: datetime) -> set[int]:
    """Plan anew the machines behind these plugs; returns the plugs that have one."""
    behind = dict(Printer.objects.filter(plug_id__in=plug_ids).values_list("plug_id", "pk"))
    if behind:
        advance(list(behind.values()), actor=actor, now=now)
    return {plug_id for plug_id in behind if plug_id is not None}


def lock_behind(plug_ids: Collection[int]) -> None:
    """Lock the machines behind these plugs, before somebody locks the plugs themselves."""
    machines = Printer.objects.select_for_update().filter(plug_id__in=plug_ids).order_by("pk")
    list(machines.values_list("pk"))


def plan_the_unplanned(now: datetime) -> None:
    """Make a plan for machines that have none yet (after an import or a restore)."""
    bare = Printer.objects.filter(power_plan=None).values_list("pk", flat=True)
    if printer_ids := list(bare):
        advance(printer_ids, actor=SYSTEM, now=now)
