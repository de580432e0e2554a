"""The forms of the trainees' pages. They parse; the door judges."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.domain.queries import bookable_people
from accounts.models import User
from core.errors import Violation
from printers.models import Printer
from reservations.domain.booking import Wish
from reservations.domain.wording import duration

# Lengths to choose from, as far as the machine allows them (minutes).
LENGTHS = (15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1080, 1440, 2880, 4320, 5760, 7200, 10080)
NOW, AT = "now", "at"
# What is typed beyond these years is a slip, and would overflow the calendar further down.
YEARS = range(2000, 2101)


def in_workshop_zone(naive: datetime) -> datetime:
    """A wall-clock time of the workshop as an instant; of an hour that comes twice, the first.

    Raises :class:`ValidationError` for an hour that the clock change skips.
    """
    at = naive.replace(tzinfo=timezone.get_default_timezone(), fold=0)
    if at.astimezone(UTC).astimezone(at.tzinfo).replace(tzinfo=None) != naive:
        raise ValidationError(
            _("The clocks go forward then: this time does not exist. Choose a time one hour later."),
            code="nonexistent",
        )
    return at.astimezone(UTC)


class WorkshopTimeField(forms.DateTimeField):
    """A day and time of the workshop's clock, whatever the browser's zone."""

    default_error_messages = {
        "invalid": gettext_lazy("This is no date and time. Write it like 2026-02-04T14:30."),
        "far": gettext_lazy("That year is too far away. Choose a date near today."),
    }

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        """Read the text, then place it in the workshop's zone."""
        if value in self.empty_values:
            return None
        try:
            read = parse_datetime(str(value).strip()) or self._by_formats(str(value))
        except ValueError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if read.year not in YEARS:
            raise ValidationError(self.error_messages["far"], code="far")
        return read.astimezone(UTC) if read.tzinfo else in_workshop_zone(read)

    def _by_formats(self, text: str) -> datetime:
        """For a browser without a picker: the date formats of the page's language."""
        read = forms.fields.BaseTemporalField.to_python(self, text)
        assert isinstance(read, datetime)
        return read


class RefusableForm(forms.Form):
    """A form that shows the door's violations next to their fields."""

    def refuse(self, violations: Iterable[Violation]) -> None:
        """Put every violation where it belongs; what has no field here stands above the form."""
        for violation in violations:
            field = violation.field if violation.field in self.fields else None
            self.add_error(field, ValidationError(str(violation.message), code=violation.code))


class BookingForm(RefusableForm):
    """A window on one machine. Trainers also choose for whom, and may waive rules with a reason."""

    begin = forms.ChoiceField(
        label=gettext_lazy("Beginning"),
        choices=[(NOW, gettext_lazy("Now")), (AT, gettext_lazy("At a time"))],
        widget=forms.RadioSelect,
    )
    starts_at = WorkshopTimeField(label=gettext_lazy("Start time"), required=False)
    length = forms.ChoiceField(label=gettext_lazy("How long"), required=False)
    ends_at = WorkshopTimeField(label=gettext_lazy("End time"), required=False)
    title = forms.CharField(
        label=gettext_lazy("What for"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    owner = forms.ModelChoiceField(
        label=gettext_lazy("For whom"), queryset=User.objects.none(), required=False
    )
    waive_reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Only if a rule speaks against it. The reason is kept in the journal."),
    )

    def __init__(self, *args: Any, printer: Printer, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.printer, self.person = printer, person
        self.fields["length"] = forms.ChoiceField(
            label=self.fields["length"].label, choices=length_choices(printer), required=False
        )
        if person.is_trainer:
            self.fields["owner"].queryset = bookable_people()  # type: ignore[attr-defined]
            self.fields["owner"].empty_label = _("Myself")  # type: ignore[attr-defined]
        else:
            del self.fields["owner"], self.fields["waive_reason"]

    def clean(self) -> dict[str, Any]:
        """A start and an end, one way or the other."""
        data = super().clean() or self.cleaned_data
        if data.get("begin") == AT and not data.get("starts_at") and "starts_at" not in self.errors:
            self.add_error("starts_at", _("Choose a start time, or “Now”."))
        if (
            not data.get("length")
            and not data.get("ends_at")
            and not {"length", "ends_at"} & set(self.errors)
        ):
            self.add_error("ends_at", _("Choose an end time, or a length above."))
        return data

    def wish(self, now: datetime) -> Wish:
        """What the door is asked for."""
        data = self.cleaned_data
        starts_at = data["starts_at"] if data["begin"] == AT else None
        length = timedelta(minutes=int(data["length"] or 0))
        return Wish(
            printer_id=self.printer.pk,
            owner_id=(data.get("owner") or self.person).pk,
            starts_at=starts_at,
            ends_at=(starts_at or now) + length if length else data["ends_at"],
            title=data["title"],
            note=data["note"],
        )


def length_choices(printer: Printer) -> list[tuple[str, str]]:
    """The lengths the machine allows, its shortest and longest included, and "until a time"."""
    allowed = {minutes for minutes in LENGTHS if printer.min_minutes <= minutes <= printer.max_minutes}
    allowed |= {minutes for minutes in (printer.min_minutes, printer.max_minutes) if minutes <= LENGTHS[-1]}
    on_step = sorted(minutes for minutes in allowed if minutes and minutes % printer.step_minutes == 0)
    return [(str(minutes), duration(timedelta(minutes=minutes))) for minutes in on_step] + [
        ("", _("until a time …"))
    ]


def suggestion(query: QueryDict, printer: Printer, *, soonest: datetime, is_now: bool) -> dict[str, Any]:
    """What the form starts with: the slot that was tapped, else the soonest one."""
    asked = query.get("from", "")
    starts_at = _read(asked)
    begin = AT if starts_at or (asked != NOW and not is_now) else NOW
    starts_at = starts_at or soonest
    minutes = query.get("for", "60")
    offered = {value for value, _label in length_choices(printer)}
    initial: dict[str, Any] = {"begin": begin, "starts_at": starts_at, "length": minutes}
    if minutes not in offered:
        wanted = int(minutes) if minutes.isdecimal() and len(minutes) < 6 else 60
        initial |= {"length": "", "ends_at": starts_at + timedelta(minutes=max(wanted, printer.min_minutes))}
    return initial


def _read(text: str) -> datetime | None:
    try:
        return WorkshopTimeField(required=False).to_python(text)
    except ValidationError:
        return None


class ExtendForm(RefusableForm):
    """A later end: so many minutes more, or an instant."""

    by = forms.TypedChoiceField(
        choices=[(30, "30"), (60, "60")], coerce=int, required=False, empty_value=None
    )
    ends_at = WorkshopTimeField(label=gettext_lazy("New end"), required=False)
    waive_reason = forms.CharField(
        label=gettext_lazy("Extend against the rules, because"), required=False, max_length=200
    )

    def clean(self) -> dict[str, Any]:
        """One of the two."""
        data = super().clean() or self.cleaned_data
        if not data.get("by") and not data.get("ends_at") and not self.errors:
            self.add_error("ends_at", _("Choose the new end."))
        return data

    def order(self) -> dict[str, Any]:
        """What the door is asked for."""
        data = self.cleaned_data
        by = timedelta(minutes=data["by"]) if data["by"] else None
        return {"by": by, "ends_at": None if by else data["ends_at"], "waive_reason": data["waive_reason"]}


class ReasonForm(RefusableForm):
    """Why; the door says whether it has to be given."""

    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=200)
