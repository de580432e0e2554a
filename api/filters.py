"""Filters that several resources need."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import IsoDateTimeFilter

from api.serializers.fields import EARLIEST, LATEST, InstantField


class _InstantFormField(IsoDateTimeField):
    def clean(self, value: Any) -> datetime | None:
        """Raises ValidationError outside the calendar that databases can reckon with."""
        instant: datetime | None = super().clean(value)
        if instant is not None and not EARLIEST <= instant < LATEST:
            raise ValidationError(InstantField.default_error_messages["range"], code="range")
        return instant


class InstantFilter(IsoDateTimeFilter):
    """ISO 8601, in the range of :class:`api.serializers.fields.InstantField`."""

    field_class = _InstantFormField
