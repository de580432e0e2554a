"""What serializers of rows that people keep have in common."""

from copy import copy
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers

from api.serializers.fields import InstantField

M = TypeVar("M", bound=models.Model)


class KeptSerializer(serializers.ModelSerializer[M]):
    """Shows a row and takes changes of it, which a door then makes.

    What contradicts the database's own rules is said here, in the model's words.
    """

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: InstantField,
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As the row would stand after the change."""
        candidate = self.new_row() if self.instance is None else copy(self.instance)
        self._put(attrs, candidate)
        try:
            candidate.validate_constraints()
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, code="invalid") from error
        return attrs

    def new_row(self) -> M:
        """One that nobody has saved yet."""
        model: type[M] = self.Meta.model
        return model()

    def put_on(self, row: M) -> list[str]:
        """Give the row what was asked for; the names of what differs."""
        return self._put(self.validated_data, row)

    @staticmethod
    def _put(given: dict[str, Any], row: models.Model) -> list[str]:
        columns = {field.name for field in row._meta.concrete_fields}
        differing = [
            name
            for name, value in given.items()
            if name in columns and (row.pk is None or getattr(row, name) != value)
        ]
        for name in differing:
            setattr(row, name, given[name])
        return differing
