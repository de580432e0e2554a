"""What trainers do to a job, each through its door."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy

from core.actor import Actor
from core.verbs import OptionalReasonForm, ReasonForm, Verb
from reservations.choices import OCCUPYING, State
from reservations.domain import booking, lifecycle
from reservations.models import Job


def _cancel(job: Job, /, *, actor: Actor, now: datetime, reason: str = "") -> None:
    booking.cancel(job.pk, actor=actor, reason=reason, now=now)


def _finish(job: Job, /, *, actor: Actor, now: datetime) -> None:
    lifecycle.finish(job.pk, actor=actor, now=now)


def _start(job: Job, /, *, actor: Actor, now: datetime) -> None:
    lifecycle.start(job.pk, actor=actor, now=now)


def _abort(job: Job, /, *, actor: Actor, now: datetime, reason: str) -> None:
    lifecycle.abort(job.pk, reason=reason, actor=actor, now=now)


def _approve(job: Job, /, *, actor: Actor, now: datetime) -> None:
    lifecycle.approve(job.pk, actor=actor, now=now)


def _refuse(job: Job, /, *, actor: Actor, now: datetime, reason: str) -> None:
    lifecycle.refuse(job.pk, reason=reason, actor=actor, now=now)


def _extend_30(job: Job, /, *, actor: Actor, now: datetime) -> None:
    booking.extend(job.pk, by=timedelta(minutes=30), actor=actor, now=now)


def _extend_60(job: Job, /, *, actor: Actor, now: datetime) -> None:
    booking.extend(job.pk, by=timedelta(minutes=60), actor=actor, now=now)


def _is(*states: State) -> Any:
    return lambda job, now: job.state in states


APPROVE = Verb(
    name="approve",
    label=gettext_lazy("Approve"),
    done=gettext_lazy("Approved: %(names)s"),
    act=_approve,
    icon="check",
    is_offered=_is(State.PENDING),
)
REFUSE = Verb(
    name="refuse",
    label=gettext_lazy("Refuse …"),
    question=gettext_lazy("The slot is free again, and the owner reads your reason."),
    done=gettext_lazy("Refused: %(names)s"),
    act=_refuse,
    form=ReasonForm,
    icon="close",
    is_offered=_is(State.PENDING),
    is_danger=True,
)
START = Verb(
    name="start",
    label=gettext_lazy("Start"),
    done=gettext_lazy("Started: %(names)s"),
    act=_start,
    icon="play_arrow",
    is_offered=lambda job, now: job.state == State.BOOKED and job.starts_at <= now < job.ends_at,
)
FINISH = Verb(
    name="finish",
    label=gettext_lazy("Finish"),
    done=gettext_lazy("Finished: %(names)s"),
    act=_finish,
    icon="flag",
    is_offered=_is(State.RUNNING),
)
EXTEND_30 = Verb(
    name="extend-30",
    label=gettext_lazy("Extend by 30 min"),
    done=gettext_lazy("30 minutes longer: %(names)s"),
    act=_extend_30,
    icon="more_time",
    is_offered=_is(*OCCUPYING),
)
EXTEND_60 = Verb(
    name="extend-60",
    label=gettext_lazy("Extend by 60 min"),
    done=gettext_lazy("60 minutes longer: %(names)s"),
    act=_extend_60,
    icon="more_time",
    is_offered=_is(*OCCUPYING),
)
CANCEL = Verb(
    name="cancel",
    label=gettext_lazy("Cancel …"),
    question=gettext_lazy("The slot is free again at once."),
    done=gettext_lazy("Cancelled: %(names)s"),
    act=_cancel,
    form=OptionalReasonForm,
    icon="event_busy",
    is_offered=_is(State.PENDING, State.BOOKED),
    is_danger=True,
)
ABORT = Verb(
    name="abort",
    label=gettext_lazy("Abort …"),
    question=gettext_lazy(
        "The running job ends now, and the owner reads your reason. Power goes off by the plan."
    ),
    done=gettext_lazy("Aborted: %(names)s"),
    act=_abort,
    form=ReasonForm,
    icon="dangerous",
    is_offered=_is(State.RUNNING),
    is_danger=True,
)

VERBS = (APPROVE, START, FINISH, EXTEND_30, EXTEND_60, REFUSE, CANCEL, ABORT)
