"""Questions about the use of the machines, and the answers."""

from typing import Any

from rest_framework import serializers

from api.serializers.fields import InstantField
from printers.models import Printer

GROUPS = ("printer", "user", "day", "week", "month")


class StatsQuerySerializer(serializers.Serializer[Any]):
    """The question."""

    printer = serializers.PrimaryKeyRelatedField(
        queryset=Printer.objects.all(), required=False, help_text="One machine alone."
    )
    group_by = serializers.ChoiceField(
        choices=GROUPS,
        required=False,
        help_text="Fills one list alone: `printers`, `users` or `periods`. Left out: `printers` and `users`.",
    )

    def get_fields(self) -> dict[str, Any]:
        """One of the names is a word of Python's."""
        edges = {
            "from": InstantField(required=False, help_text="Left out: thirty days before `to`."),
            "to": InstantField(required=False, help_text="No longer part of the period. Left out: now."),
        }
        return edges | super().get_fields()


class UsageSerializer(serializers.Serializer[Any]):
    """How often and how long. A job that was started is a use; of one that reaches further, only the part inside counts."""

    uses = serializers.IntegerField(source="usage.uses", read_only=True)
    hours = serializers.FloatField(source="usage.hours", read_only=True)


class PrinterUsageSerializer(UsageSerializer):
    """One machine's part."""

    printer = serializers.IntegerField(source="pk", read_only=True)
    name = serializers.CharField(read_only=True)


class UserUsageSerializer(UsageSerializer):
    """One person's part."""

    user = serializers.IntegerField(source="pk", read_only=True)
    name = serializers.CharField(read_only=True)


class PeriodUsageSerializer(UsageSerializer):
    """What fell into one day, week or month, as far as the period reaches."""

    starts_at = serializers.DateTimeField(source="period.starts_at", read_only=True)
    ends_at = serializers.DateTimeField(source="period.ends_at", read_only=True)


class StatsSerializer(UsageSerializer):
    """Uses and hours of use of a period. Lists that were not asked for are empty; machines and people without use are left out."""

    printers = PrinterUsageSerializer(many=True, read_only=True)
    users = UserUsageSerializer(many=True, read_only=True)
    periods = PeriodUsageSerializer(many=True, read_only=True)

    def get_fields(self) -> dict[str, Any]:
        """One of the names is a word of Python's."""
        edges = {
            "from": serializers.DateTimeField(source="period.starts_at", read_only=True),
            "to": serializers.DateTimeField(source="period.ends_at", read_only=True),
        }
        return edges | super().get_fields()
