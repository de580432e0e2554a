"""The trainer's form for a job: it parses and shows; the door judges and writes."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from core import clock
from core.errors import Violation
from core.forms import DoorForm, show_violations
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import Job

_WINDOW = {"printer", "starts_at", "ends_at"}
_WORDS = {"title", "note"}


class JobForm(DoorForm[Job]):
    """Books, moves, extends and describes. The instance is never half changed: the door reads it afresh."""

    waive_reason = forms.CharField(
        label=_("reason for waiving rules"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Some rules give way to a trainer who says why. Leave it empty to keep to all rules."),
    )

    class Meta:
        model = Job
        fields = ("printer", "owner", "title", "note", "starts_at", "ends_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = clock.now()
        if not self.instance.pk:
            self.fields["starts_at"].required = False
            self.fields["starts_at"].help_text = _("Empty: now.")
        elif not self.instance.is_occupying:
            del self.fields["waive_reason"]  # nothing is left to judge

    @property
    def changes_window(self) -> bool:
        """Whether the door has to judge the window."""
        return not self.instance.pk or bool(_WINDOW & set(self.changed_data))

    def clean(self) -> dict[str, Any] | None:
        """Every violation at its field; those a trainer may waive give way to a reason."""
        cleaned = super().clean()
        if not self.errors and self.changes_window:
            job = self.instance if self.instance.pk else None
            violations = booking.check(self._wish(), actor=self.actor, now=self.now, job=job)
            if not self._is_waived(violations):
                show_violations(self, violations)
        return cleaned

    def _post_clean(self) -> None:
        """The door builds the job, not the form."""
        self.show_refusal()

    def _is_waived(self, violations: list[Violation]) -> bool:
        has_reason = bool(self._value("waive_reason").strip())
        return has_reason and all(violation.overridable for violation in violations)

    def _value(self, name: str) -> Any:
        """What was entered, else what stands."""
        if name in self.cleaned_data and (not self.instance.pk or name in self.changed_data):
            return self.cleaned_data[name]
        return getattr(self.instance, name, "")

    def _wish(self) -> Wish:
        return Wish(
            printer_id=self._value("printer").pk,
            owner_id=self._value("owner").pk,
            starts_at=self._value("starts_at"),
            ends_at=self._value("ends_at"),
            title=self._value("title"),
            note=self._value("note"),
        )

    def book(self) -> Job:
        """A new job, through the door."""
        return booking.book(
            self._wish(), actor=self.actor, now=self.now, waive_reason=self._value("waive_reason")
        )

    def change(self) -> None:
        """What differs, through the doors."""
        wish, job = self._wish(), self.instance
        if self._is_longer_only(wish.ends_at):
            booking.extend(
                job.pk,
                ends_at=wish.ends_at,
                actor=self.actor,
                now=self.now,
                waive_reason=self._value("waive_reason"),
            )
        elif self.changes_window:
            booking.move(
                job.pk,
                starts_at=wish.starts_at or job.starts_at,
                ends_at=wish.ends_at,
                printer_id=wish.printer_id,
                actor=self.actor,
                now=self.now,
                waive_reason=self._value("waive_reason"),
            )
        if _WORDS & set(self.changed_data):
            booking.describe(job.pk, title=wish.title, note=wish.note, actor=self.actor, now=self.now)

    def _is_longer_only(self, ends_at: datetime) -> bool:
        return _WINDOW & set(self.changed_data) == {"ends_at"} and ends_at > self.instance.ends_at
