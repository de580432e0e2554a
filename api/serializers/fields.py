"""Fields that several serializers need."""

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class InstantField(serializers.DateTimeField):
    """ISO 8601 with offset, in a time that arithmetic with days survives. In UTC from here on: adding an hour to a
    local time adds it to what the wall's clock shows, and in one night of the year that is two hours."""

    default_error_messages = {"range": _("The instant has to lie between the years 2000 and 2200.")}

    def to_internal_value(self, value: Any) -> datetime:
        """Raises ValidationError outside the range."""
        instant = super().to_internal_value(value)
        if not EARLIEST <= instant < LATEST:
            self.fail("range")
        return instant.astimezone(UTC)
