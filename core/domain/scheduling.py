"""The scheduler's doors: stop it, start it, ask how it is; claim periodic work and run it.

Who may stop the scheduler is judged by the caller: the core knows no roles.
"""

import logging
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from core import clock, registry
from core.actor import Actor
from core.domain import beating
from core.errors import Refused
from core.models import Heartbeat, PeriodicTask, SchedulerState
from core.signals import scheduler_changed

logger = logging.getLogger(__name__)

# A beat older than this means that the scheduler's process is in trouble.
SCHEDULER_SILENT_AFTER = timedelta(seconds=10)
# A run that was handed out and has not ended is not handed out again before this (a worker may have died).
HANDED_OUT_FOR = timedelta(minutes=2)
RUN_PERIODIC = "core.domain.scheduling.run_periodic"


@dataclass(frozen=True, slots=True)
class Status:
    """How the scheduler is: what people decided, and whether its process lives."""

    is_running: bool
    is_alive: bool
    beat_at: datetime | None
    changed_at: datetime | None
    changed_by_name: str
    reason: str


def status(now: datetime | None = None) -> Status:
    """Running or stopped, since when, by whom; and the last sign of life."""
    now = now or clock.now()
    state = SchedulerState.objects.filter(pk=SchedulerState.SOLE_ID).first() or SchedulerState()
    beat_at = Heartbeat.objects.filter(name=beating.SCHEDULER).values_list("at", flat=True).first()
    return Status(
        is_running=state.is_running,
        is_alive=beat_at is not None and abs(now - beat_at) <= SCHEDULER_SILENT_AFTER,
        beat_at=beat_at,
        changed_at=state.changed_at,
        changed_by_name=state.changed_by_name,
        reason=state.reason,
    )


def is_running() -> bool:
    """False while a trainer has stopped the scheduler."""
    rows = SchedulerState.objects.filter(pk=SchedulerState.SOLE_ID)
    return rows.values_list("is_running", flat=True).first() is not False


def stop(actor: Actor, reason: str, *, now: datetime | None = None) -> Status:
    """Stop automatic switching; what falls due meanwhile is done after the next start."""
    if not reason.strip():
        raise Refused.because("reason_missing", _("Say why, so that others understand."), field="reason")
    return _set(actor, is_running=False, reason=reason, now=now)


def start(actor: Actor, reason: str = "", *, now: datetime | None = None) -> Status:
    """Start automatic switching again: what is due and not yet done is done at once."""
    return _set(actor, is_running=True, reason=reason, now=now)


@transaction.atomic
def _set(actor: Actor, *, is_running: bool, reason: str, now: datetime | None) -> Status:
    now = now or clock.now()
    SchedulerState.objects.get_or_create(pk=SchedulerState.SOLE_ID)
    state = SchedulerState.objects.select_for_update().get(pk=SchedulerState.SOLE_ID)
    if state.is_running is not is_running:
        state.is_running = is_running
        state.changed_at = now
        state.changed_by_id = actor.user_id
        state.changed_by_name = _name_of(actor)
        state.reason = reason.strip()[:200]
        state.save()
        scheduler_changed.send(
            SchedulerState, state=state, is_running=is_running, actor=actor, reason=state.reason, now=now
        )
    return status(now)


def _name_of(actor: Actor) -> str:
    user = get_user_model()._default_manager.filter(pk=actor.user_id).first() if actor.user_id else None
    return str(user)[:200] if user else str(actor.channel)


def synchronise(now: datetime) -> None:
    """Make the rows follow the code: new functions get a row, changed intervals take effect, lost ones go."""
    known = registry.periodics()
    with transaction.atomic():
        PeriodicTask.objects.exclude(name__in=known).delete()
        rows = {row.name: row for row in PeriodicTask.objects.all()}
        for name, entry in known.items():
            every = int(entry.every.total_seconds())
            if name not in rows:
                PeriodicTask.objects.get_or_create(name=name, defaults={"every": every, "next_run_at": now})
            elif rows[name].every != every:
                next_run_at = min(rows[name].next_run_at, now + entry.every)
                PeriodicTask.objects.filter(name=name).update(every=every, next_run_at=next_run_at)


def next_periodic(now: datetime, *, is_running: bool = True) -> datetime | None:
    """When a periodic function falls due next."""
    rows = PeriodicTask.objects.filter(is_enabled=True, name__in=_eligible(is_running))
    return rows.order_by("next_run_at").values_list("next_run_at", flat=True).first()


def claim_periodic(now: datetime, *, is_running: bool = True) -> list[str]:
    """Hand every periodic function that is due to a worker, once, whoever else tries; their names."""
    due = PeriodicTask.objects.filter(is_enabled=True, next_run_at__lte=now, name__in=_eligible(is_running))
    return [task.name for task in due.order_by("next_run_at") if _claim(task, now)]


def _eligible(is_running: bool) -> list[str]:
    return [name for name, entry in registry.periodics().items() if is_running or entry.while_stopped]


@transaction.atomic
def _claim(task: PeriodicTask, now: datetime) -> bool:
    """Move the next run on and enqueue this one; False when somebody else did, or the last run still goes on."""
    busy = _is_handed_out(task, now)
    changes = {"next_run_at": _after(task, now)} | ({} if busy else {"last_queued_at": now})
    mine = PeriodicTask.objects.filter(pk=task.pk, next_run_at=task.next_run_at, is_enabled=True)
    if not mine.update(**changes) or busy:
        return False
    options = {"save": False, "task_name": task.name}
    async_task(RUN_PERIODIC, task.name, q_options=options)  # type: ignore[no-untyped-call, unused-ignore]
    return True


def _is_handed_out(task: PeriodicTask, now: datetime) -> bool:
    queued, finished = task.last_queued_at, task.last_finished_at
    if queued is None or (finished is not None and finished >= queued):
        return False
    return timedelta(0) <= now - queued < HANDED_OUT_FOR


def _after(task: PeriodicTask, now: datetime) -> datetime:
    """The next instant of the task's rhythm after ``now``: what was missed is run once, not many times."""
    every = timedelta(seconds=task.every)
    missed = (now - task.next_run_at) // every
    return task.next_run_at + (missed + 1) * every


def run_periodic(name: str) -> None:
    """Worker task: run one periodic function and write down how it went."""
    entry = registry.periodics().get(name)
    if entry is None:
        logger.warning("periodic %s: this worker does not know it; restart after an update", name)
        return
    row = PeriodicTask.objects.filter(name=name)
    now = clock.now()
    row.update(last_started_at=now)
    error = "interrupted"
    try:
        entry.run(now)
        error = ""
    except Exception:
        logger.exception("periodic %s failed", name)
        error = traceback.format_exc(limit=-5)[-4000:]
    finally:  # also when the time limit ends the worker
        row.update(
            last_finished_at=clock.now(),
            last_error=error,
            runs=F("runs") + 1,
            failures=F("failures") + int(bool(error)),
        )
