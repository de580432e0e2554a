"""Filters that several resources need."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django_filters.fields import IsoDateTimeField, ModelMultipleChoiceField
from django_filters.rest_framework import IsoDateTimeFilter, ModelMultipleChoiceFilter

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


class _SomeOfFormField(ModelMultipleChoiceField):
    def _check_values(self, value: Any) -> Any:
        """Raises ValidationError where Django does not: SQLite cannot even look for a number beyond 64 bits."""
        try:
            return super()._check_values(value)  # type: ignore[misc] # of a mix-in without types
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid_list"], code="invalid_list") from error


class SomeOf(ModelMultipleChoiceFilter):
    """Rows that have to do with any of these; the name may come several times."""

    field_class = _SomeOfFormField
