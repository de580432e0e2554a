"""Forms about plugs: configuring one, switching one by hand."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from core.forms import DoorForm
from plugs.drivers.registry import driver_names
from plugs.models import SmartPlug

DRIVER_WORDS = {
    "tapo": _("Tapo P100/P110: finds the protocol by itself"),
    "tapo_passthrough": _("Tapo, older firmware (securePassthrough)"),
    "tapo_klap": _("Tapo, newer firmware (KLAP)"),
    "simulated": _("Simulated: no device"),
}


def _drivers() -> list[tuple[str, object]]:
    return [(name, DRIVER_WORDS.get(name, name)) for name in driver_names()]


class PlugForm(DoorForm[SmartPlug]):
    """The password goes in and never comes out: left empty, the stored one stays."""

    driver = forms.ChoiceField(label=_("driver"), choices=_drivers, widget=UnfoldAdminSelectWidget())
    password = forms.CharField(
        label=_("password of the plug's account"),
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text=_("It is stored encrypted and never shown again. Leave it empty to keep the stored one."),
    )

    class Meta:
        model = SmartPlug
        fields = ("name", "driver", "address", "username", "password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = self.instance.password
        self.initial["password"] = ""

    def clean_password(self) -> str:
        """What was typed, else what is stored."""
        typed: str = self.cleaned_data["password"]
        return typed or self._stored


class SwitchForm(forms.Form):
    """On or off, until when, why; and whether a print may be cut."""

    on = forms.TypedChoiceField(
        label=_("Power"),
        choices=[("on", _("on")), ("off", _("off"))],
        coerce=lambda value: value == "on",
        widget=UnfoldAdminRadioSelectWidget(),
    )
    until = forms.SplitDateTimeField(
        label=_("Until"),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text=_("Empty: until somebody gives it back to the plan."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        required=False,  # the door asks for it, in its own words
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Everybody sees it, and the journal keeps it."),
    )
    cut = forms.BooleanField(
        label=_("Cut even under load: a print that is running is lost"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("Without this, switching off waits until the machine draws next to nothing."),
    )
