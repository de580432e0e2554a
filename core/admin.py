"""The scheduler in the admin: running or stopped, its tasks, its signs of life."""

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q import admin as _queue_admin  # noqa: F401 - registers its pages, so that they can be taken off
from django_q.models import Failure, OrmQ, Schedule, Success

from core import clock
from core.actor import Actor
from core.domain import scheduling
from core.models import Heartbeat, PeriodicTask, SchedulerState
from core.theme import ReadOnlyAdmin, chip
from core.verbs import OptionalReasonForm, ReasonForm, Verb, VerbAdmin
from core.words import ago, moment

for _model in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


def _stop(row: SchedulerState, /, *, actor: Actor, now: datetime, reason: str) -> None:
    scheduling.stop(actor, reason, now=now)


def _start(row: SchedulerState, /, *, actor: Actor, now: datetime, reason: str = "") -> None:
    scheduling.start(actor, reason, now=now)


@admin.register(SchedulerState)
class SchedulerStateAdmin(VerbAdmin[SchedulerState], ReadOnlyAdmin[SchedulerState]):
    """One page: is it running, who stopped it and why, stop and start."""

    fields = ["is_running", "changed_at", "changed_by_name", "reason"]
    verbs = (
        Verb(
            name="stop",
            label=gettext_lazy("Stop the scheduler …"),
            question=gettext_lazy(
                "Machines then stay as they are: nothing is switched on or off by plan, no job starts or ends by "
                "itself. What falls due meanwhile is done after the next start."
            ),
            done=gettext_lazy("The scheduler is stopped."),
            act=_stop,
            form=ReasonForm,
            icon="pause_circle",
            is_danger=True,
            is_offered=lambda row, now: row.is_running,
        ),
        Verb(
            name="start",
            label=gettext_lazy("Start the scheduler …"),
            question=gettext_lazy("What has fallen due and is not yet done is done at once."),
            done=gettext_lazy("The scheduler is running."),
            act=_start,
            form=OptionalReasonForm,
            icon="play_circle",
            is_offered=lambda row, now: not row.is_running,
        ),
    )

    def may_act(self, request: HttpRequest, row: SchedulerState | None = None) -> bool:
        """Trainers; the row itself is written by the door alone."""
        return request.user.has_perm("core.change_schedulerstate")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        """There is one row: go there."""
        return HttpResponseRedirect(
            reverse("admin:core_schedulerstate_change", args=[SchedulerState.SOLE_ID])
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> SchedulerState | None:
        """The row, also before anybody has ever stopped the scheduler."""
        row: SchedulerState | None = super().get_object(request, object_id, from_field)
        if row is None and object_id == str(SchedulerState.SOLE_ID):
            return SchedulerState()
        return row

    def panel(self, row: SchedulerState, now: datetime) -> list[tuple[str, object]]:
        """What people decided, and whether the process lives."""
        status = scheduling.status(now)
        said = chip("free", _("running")) if status.is_running else chip("attention", _("stopped"))
        alive = chip("free", _("alive")) if status.is_alive else chip("fault", _("silent"))
        return [
            (_("Scheduler"), said),
            (_("Process"), alive),
            (_("Last sign of life"), ago(status.beat_at, now)),
        ]


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin[PeriodicTask]):
    """What runs every so often, and how the last run went."""

    list_display = ["name", "every", "is_enabled", "next", "last", "outcome", "runs", "failures"]
    list_filter = ["is_enabled"]

    @admin.display(description=gettext_lazy("next run"), ordering="next_run_at")
    def next(self, task: PeriodicTask) -> str:
        """When it runs next."""
        return moment(task.next_run_at, clock.now())

    @admin.display(description=gettext_lazy("last end"), ordering="last_finished_at")
    def last(self, task: PeriodicTask) -> str:
        """When it last ended."""
        return ago(task.last_finished_at, clock.now())

    @admin.display(description=gettext_lazy("outcome"))
    def outcome(self, task: PeriodicTask) -> object:
        """How the last run went."""
        if task.last_error:
            return chip("fault", _("failed"))
        return chip("free", _("fine")) if task.last_finished_at else chip("unknown", _("not yet"))


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin[Heartbeat]):
    """Which processes live."""

    list_display = ["name", "heard"]
    ordering = ["-at"]

    @admin.display(description=gettext_lazy("last sign of life"), ordering="at")
    def heard(self, beat: Heartbeat) -> str:
        """When it was last heard of."""
        return ago(beat.at, clock.now())
