"""The scheduler: running or stopped, and what it does."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.permissions import IsTrainer
from api.serializers.jobs import ReasonSerializer
from api.serializers.scheduler import SchedulerSerializer
from api.views.base import Endpoint
from core import clock, registry
from core.domain import beating, scheduling
from core.domain.health import WORKER_SILENT_AFTER
from core.models import Heartbeat, PeriodicTask

# The record wants to know why; a program that does not say is named itself.
NOT_SAID = "API"


class SchedulerStatus(Endpoint):
    """For everybody who is signed in."""

    serializer_class = SchedulerSerializer

    def get(self, request: Request) -> Response:
        """Whether the scheduler runs, its tasks and its processes."""
        return Response(describe(clock.now()))


class SchedulerStart(Endpoint):
    """Trainers only."""

    permission_classes = [IsTrainer]
    serializer_class = SchedulerSerializer

    @extend_schema(request=ReasonSerializer, responses=SchedulerSerializer)
    def post(self, request: Request) -> Response:
        """Start the scheduler: what is due and not yet done is done at once. Nothing happens where it runs."""
        now = clock.now()
        scheduling.start(self.actor, _reason(request), now=now)
        return Response(describe(now))


class SchedulerStop(Endpoint):
    """Trainers only."""

    permission_classes = [IsTrainer]
    serializer_class = SchedulerSerializer

    @extend_schema(request=ReasonSerializer, responses=SchedulerSerializer)
    def post(self, request: Request) -> Response:
        """Stop the scheduler: machines stay as they are, what falls due waits. Nothing happens where it is stopped."""
        now = clock.now()
        scheduling.stop(self.actor, _reason(request) or NOT_SAID, now=now)
        return Response(describe(now))


def _reason(request: Request) -> str:
    order = ReasonSerializer(data=request.data)
    order.is_valid(raise_exception=True)
    return str(order.validated_data["reason"])


def describe(now: datetime) -> dict[str, Any]:
    """The body of every answer here."""
    status = scheduling.status(now)
    told = {
        "state": "running" if status.is_running else "stopped",
        "since": status.changed_at,
        "by": status.changed_by_name,
        "reason": status.reason,
        "next_due_at": _next_due(now, is_running=status.is_running),
        "tasks": [_task(task) for task in PeriodicTask.objects.all()],
        "heartbeats": [_heartbeat(beat, now) for beat in Heartbeat.objects.order_by("name")],
    }
    return dict(SchedulerSerializer(told).data)


def _next_due(now: datetime, *, is_running: bool) -> datetime | None:
    """The earliest of all that is planned and may be done now."""
    found = [source.next_due(now) for source in registry.due_sources() if is_running or source.while_stopped]
    found.append(scheduling.next_periodic(now, is_running=is_running))
    return min((at for at in found if at is not None), default=None)


def _task(task: PeriodicTask) -> dict[str, Any]:
    """Without the text of an error, which is for those who run the server."""
    known = registry.periodics().get(task.name)
    result = ("failed" if task.last_error else "ok") if task.last_finished_at else None
    return {
        "name": task.name,
        "every_seconds": task.every,
        "is_enabled": task.is_enabled,
        "last_run_at": task.last_finished_at,
        "next_run_at": task.next_run_at,
        "last_result": result,
        "runs_while_stopped": known is not None and known.while_stopped,
    }


def _heartbeat(beat: Heartbeat, now: datetime) -> dict[str, Any]:
    """Without the host's name and the process's number."""
    is_worker = beat.name.startswith(beating.WORKER_PREFIX)
    silent_after = WORKER_SILENT_AFTER if is_worker else scheduling.SCHEDULER_SILENT_AFTER
    return {
        "process": "worker" if is_worker else "scheduler",
        "at": beat.at,
        "is_alive": abs(now - beat.at) <= silent_after,
    }
