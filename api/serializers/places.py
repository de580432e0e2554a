"""Rooms, closures, and what people are qualified for."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Grant, Qualification
from api.serializers.keeping import KeptSerializer
from api.serializers.printers import LocationNameField
from printers.choices import Weekday
from printers.models import Location, OpeningHours, Outage, Printer


@extend_schema_field({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "example": "08:00"})
class ClockField(serializers.TimeField):
    """What a clock on the wall shows: hours and minutes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **kwargs)


class OpeningHoursSerializer(serializers.ModelSerializer[OpeningHours]):
    """Open on a weekday from … to …, in the workshop's time."""

    weekday = serializers.IntegerField(
        min_value=Weekday.MONDAY, max_value=Weekday.SUNDAY, help_text="1: Monday … 7: Sunday."
    )
    opens = ClockField()
    closes = ClockField(help_text="On the same day.")

    class Meta:
        model = OpeningHours
        fields = ["weekday", "opens", "closes"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """It closes after it opens."""
        try:
            OpeningHours(**attrs).validate_constraints()
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, code="invalid") from error
        return attrs


class LocationSerializer(KeptSerializer[Location]):
    """A room and when it is open."""

    opening_hours = OpeningHoursSerializer(  # type: ignore[call-arg] # an argument of the list's
        source="hours",
        many=True,
        required=False,
        max_length=50,
        help_text="All of them; none: always open. A booking has to start within.",
    )

    class Meta:
        model = Location
        fields = ["id", "name", "opening_hours"]


class OutageSerializer(KeptSerializer[Outage]):
    """A machine or a whole location is shut for a while. Bookings inside stand until somebody moves them."""

    printer = serializers.PrimaryKeyRelatedField(
        queryset=Printer.objects.all(),
        required=False,
        allow_null=True,
        help_text="Either this or `location`.",
    )
    location = LocationNameField(required=False, allow_null=True)

    class Meta:
        model = Outage
        fields = ["id", "printer", "location", "starts_at", "ends_at", "reason"]
        extra_kwargs = {"reason": {"help_text": "Everybody sees it."}}


class QualificationSerializer(KeptSerializer[Qualification]):
    """Something a person must have learned before they may use certain machines."""

    class Meta:
        model = Qualification
        fields = ["id", "name", "description"]
        extra_kwargs = {"description": {"max_length": 2000}}


class GrantSerializer(KeptSerializer[Grant]):
    """A person holds a qualification, until an instant or for good."""

    class Meta:
        model = Grant
        fields = ["id", "user", "qualification", "granted_at", "expires_at", "granted_by"]
        read_only_fields = ["granted_at", "granted_by"]
        extra_kwargs = {"expires_at": {"help_text": "Left out or null: for good."}}
