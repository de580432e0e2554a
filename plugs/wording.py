"""Faults and reasons of plugs in words: what happened, why, and what to do now."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from plugs.domain.switching import OVERRIDE

if TYPE_CHECKING:
    from django.utils.functional import Promise

FAULTS = {
    "unreachable": _("Nobody answers at the address. Is the plug in its socket and in the network?"),
    "timed_out": _("The plug did not answer in time."),
    "auth_failed": _("The plug refused the login. Check user name and password, then test."),
    "access_disabled": _(
        "The plug forbids access by others. Switch on third-party compatibility in the vendor's app."
    ),
    "protocol_mismatch": _("The plug speaks another protocol than expected; it is found out anew."),
    "bad_reply": _("The plug answered something we do not understand."),
    "session_lost": _("The plug forgot the session; it is opened anew."),
    "device_rejected": _("The plug understood and refused."),
    "verify_failed": _("The plug did not take the state it was told."),
    "identity_mismatch": _("Another device answers at this address. Trust it, or correct the address."),
    "driver_missing": _("The driver of this plug is not installed."),
}


# Why a plug was switched; the apps above, which decide, add their own reasons.
REASONS: dict[str, "str | Promise"] = {OVERRIDE: _("as a trainer told it")}


def reason_words(reason: str) -> str:
    """Why a plug was switched, for people; an unknown reason as it stands."""
    return str(REASONS.get(reason, reason))


def fault_words(code: str) -> str:
    """A fault for people; an unknown one as it stands."""
    return str(FAULTS.get(code, code))
