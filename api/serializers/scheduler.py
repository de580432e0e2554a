"""The scheduler as the API shows it."""

from typing import Any

from rest_framework import serializers


class TaskSerializer(serializers.Serializer[Any]):
    """Something that is done every so often."""

    name = serializers.CharField(read_only=True)
    every_seconds = serializers.IntegerField(read_only=True)
    is_enabled = serializers.BooleanField(read_only=True)
    last_run_at = serializers.DateTimeField(read_only=True, allow_null=True)
    next_run_at = serializers.DateTimeField(read_only=True)
    last_result = serializers.ChoiceField(
        choices=["ok", "failed"], read_only=True, allow_null=True, help_text="Null: it has not run yet."
    )
    runs_while_stopped = serializers.BooleanField(
        read_only=True, help_text="Whether it goes on while the scheduler is stopped."
    )


class HeartbeatSerializer(serializers.Serializer[Any]):
    """A process's last sign of life."""

    process = serializers.ChoiceField(choices=["scheduler", "worker"], read_only=True)
    at = serializers.DateTimeField(read_only=True)
    is_alive = serializers.BooleanField(read_only=True, help_text="False: it has been silent for too long.")


class SchedulerSerializer(serializers.Serializer[Any]):
    """Whether machines are switched and jobs started by the clock, and what is due next."""

    state = serializers.ChoiceField(choices=["running", "stopped"], read_only=True)
    since = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When that was decided; null: nobody has ever stopped it."
    )
    by = serializers.CharField(read_only=True, help_text="Who decided it.")
    reason = serializers.CharField(read_only=True)
    next_due_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When the scheduler acts next; in the past: it is late, or stopped.",
    )
    tasks = TaskSerializer(many=True, read_only=True)
    heartbeats = HeartbeatSerializer(many=True, read_only=True)
