"""Jobs as the API shows and takes them."""

from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.models import User
from api.serializers.fields import InstantField
from printers.models import LONGEST_MINUTES, Printer
from reservations.models import Job


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job; everything is read only here, changes go through their own orders."""

    class Meta:
        model = Job
        fields = [
            "id",
            "printer",
            "owner",
            "title",
            "note",
            "starts_at",
            "ends_at",
            "state",
            "started_at",
            "finished_at",
            "closed_reason",
            "waived",
            "waived_reason",
            "created_by",
            "channel",
            "created_at",
            "changed_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Job) -> dict[str, Any]:
        """By hand: the list is polled, and REST framework's own way takes six times as long."""
        zone = get_current_timezone()
        names = self.__dict__.get("fields", self.Meta.fields)  # reduced by ``?fields=``, else not even made
        return {name: _plain(getattr(instance, COLUMNS.get(name, name)), zone) for name in names}


COLUMNS = {"printer": "printer_id", "owner": "owner_id", "created_by": "created_by_id"}


def _plain(value: Any, zone: tzinfo) -> Any:
    return value.astimezone(zone).isoformat() if isinstance(value, datetime) else value


class Length(serializers.Serializer[Any]):
    """An end: as an instant, or so many minutes later."""

    ends_at = InstantField(required=False, help_text="ISO 8601 with offset.")
    minutes = serializers.IntegerField(
        required=False, min_value=1, max_value=LONGEST_MINUTES, help_text="In place of `ends_at`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Exactly one of the two."""
        if ("ends_at" in attrs) == ("minutes" in attrs):
            raise serializers.ValidationError(
                {"ends_at": _("Give either “ends_at” or “minutes”.")}, code="required"
            )
        return attrs

    def end_from(self, start: datetime) -> datetime:
        """The instant that was meant. Raises ValidationError beyond the end of the calendar."""
        ends_at: datetime | None = self.validated_data.get("ends_at")
        return ends_at or start + timedelta(minutes=self.validated_data["minutes"])


class WaiverMixin(serializers.Serializer[Any]):
    """A trainer's reason for waiving rules."""

    waive_reason = serializers.CharField(
        required=False,
        max_length=200,
        default="",
        allow_blank=True,
        help_text="Trainers only: why the rules that can be waived (`overridable`) shall not count.",
    )


class BookingSerializer(WaiverMixin, Length):
    """The wish for a booking."""

    printer = serializers.PrimaryKeyRelatedField(queryset=Printer.objects.all())
    owner = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.all(), required=False, help_text="Trainers only; left out: yourself."
    )
    title = serializers.CharField(required=False, max_length=120, default="", allow_blank=True)
    note = serializers.CharField(required=False, max_length=2000, default="", allow_blank=True)
    starts_at = InstantField(required=False, help_text="ISO 8601 with offset; left out: now.")


class ExtendSerializer(WaiverMixin, Length):
    """A later end."""


class ChangeSerializer(WaiverMixin):
    """What of a job can be changed; what is left out stays."""

    printer = serializers.PrimaryKeyRelatedField(queryset=Printer.objects.all(), required=False)
    starts_at = InstantField(required=False)
    ends_at = InstantField(required=False)
    title = serializers.CharField(required=False, max_length=120, allow_blank=True)
    note = serializers.CharField(required=False, max_length=2000, allow_blank=True)


class MoveSerializer(WaiverMixin):
    """Another window, or another machine."""

    starts_at = InstantField()
    ends_at = InstantField()
    printer = serializers.PrimaryKeyRelatedField(queryset=Printer.objects.all(), required=False)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(required=False, max_length=200, default="", allow_blank=True)
