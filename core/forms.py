"""Forms whose answer comes from a door."""

from collections.abc import Iterable
from typing import TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from core.actor import Actor
from core.errors import Refused, Violation

M = TypeVar("M", bound=models.Model)


def show_violations(form: forms.BaseForm, violations: Iterable[Violation]) -> None:
    """Put each violation at its field, with its code; what has no field here stands above the form."""
    shown = {error.code for errors in form.errors.as_data().values() for error in errors}
    for violation in violations:
        if violation.code in shown:
            continue
        field = violation.field if violation.field in form.fields else None
        form.add_error(field, ValidationError(str(violation.message), code=violation.code))


class DoorForm(forms.ModelForm[M]):
    """Knows who acts, and shows what a door refused after the form itself had been found in order."""

    actor: Actor
    refusal: Refused | None = None

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.show_refusal()

    def show_refusal(self) -> None:
        """Say what the door said, unless the form says it already."""
        if self.refusal is not None:
            show_violations(self, self.refusal.violations)
