"""What people fill in about people."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
)

from accounts.choices import Role, Scope
from accounts.domain import letters
from accounts.domain.importing import MOST_BYTES
from accounts.domain.people import Fields
from accounts.models import User
from core.forms import DoorForm

# How long a token may live, in days; nothing: until it is deleted.
LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("a year")), ("", _("without an end"))]
START_LINK, START_MAIL, START_PASSWORD = "link", "mail", "password"


class AddressForm(forms.Form):
    """One's own e-mail address."""

    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        max_length=254,
        help_text=_("You can log in with it. Left empty, nobody can send you anything."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class TokenForm(forms.Form):
    """A new personal token."""

    name = forms.CharField(
        label=_("What for"), max_length=100, help_text=_("For example “calendar on my phone”.")
    )
    scope = forms.ChoiceField(label=_("What it may do"), choices=Scope.choices, initial=Scope.READ)
    lifetime = forms.ChoiceField(label=_("Valid for"), choices=LIFETIMES, initial="90", required=False)

    @property
    def lives(self) -> timedelta | None:
        """How long, or None for good."""
        days = self.cleaned_data["lifetime"]
        return timedelta(days=int(days)) if days else None


class PersonForm(DoorForm[User]):
    """A person, without what has its own page: password, switched on or off."""

    role = forms.ChoiceField(label=_("role"), choices=Role.choices, widget=UnfoldAdminSelectWidget())

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_superuser")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.initial["role"] = (self.instance.role if self.instance.pk else Role.TRAINEE).value

    def validate_constraints(self) -> None:
        """The door says it in words."""

    def wanted(self) -> Fields:
        """What was filled in, for the door."""
        fields: dict[str, Any] = {
            name: self.cleaned_data[name]
            for name in ("username", "first_name", "last_name", "email", "is_superuser", "role")
            if name in self.changed_data
        }
        if "role" in fields:
            fields["role"] = Role(fields["role"])
        return cast(Fields, fields)


class NewPersonForm(PersonForm):
    """A new person, and how they come to a password."""

    start = forms.ChoiceField(
        label=_("First log-in"), initial=START_LINK, widget=UnfoldAdminRadioSelectWidget()
    )
    password = forms.CharField(
        label=_("First password"),
        required=False,
        strip=False,
        help_text=lazy(password_validators_help_text_html, str)(),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(START_LINK, _("with a one-time link, which you hand out"))]
        if letters.can_send():
            choices.append((START_MAIL, _("with a one-time link by e-mail")))
        choices.append((START_PASSWORD, _("with a first password, to be changed at once")))
        start = self.fields["start"]
        assert isinstance(start, forms.ChoiceField)
        start.choices = choices

    def clean(self) -> None:
        """Each way needs its own thing."""
        super().clean()
        start = self.cleaned_data.get("start")
        if start == START_MAIL and not self.cleaned_data.get("email"):
            self.add_error("email", forms.ValidationError(_("Where should the link go?"), code="required"))
        if start == START_PASSWORD and not self.cleaned_data.get("password"):
            self.add_error("password", forms.ValidationError(_("Enter a first password."), code="required"))

    @property
    def first_password(self) -> str | None:
        """The password, where that way was chosen."""
        return self.cleaned_data["password"] if self.cleaned_data["start"] == START_PASSWORD else None


class FirstPasswordForm(forms.Form):
    """A password for somebody else."""

    password = forms.CharField(
        label=_("First password"),
        strip=False,
        help_text=lazy(password_validators_help_text_html, str)(),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


class ClassForm(forms.Form):
    """The table of a class."""

    file = forms.FileField(label=_("Table (CSV)"), widget=UnfoldAdminFileFieldWidget())

    def clean_file(self) -> bytes:
        """Its bytes, as far as we read."""
        content: bytes = self.cleaned_data["file"].read(MOST_BYTES + 1)
        return content
