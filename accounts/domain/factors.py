"""Second factors: what a code proves, and what to do when the device is lost."""

from datetime import datetime
from typing import cast

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.domain.roles import may_look_after
from accounts.models import User
from core.actor import Actor
from core.errors import Refused
from core.fields import unseal
from journal.domain.recording import Event, record

TYPED = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
PROVING = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def has_factor(user: User) -> bool:
    """Whether the person has set up an app or a key. Recovery codes alone are none."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=PROVING).exists()


def lacks_factor(user: User) -> bool:
    """Whether the person's role asks for a second factor, and there is none yet.

    Asks the database nothing for people whom the setting cannot mean.
    """
    roles = settings.TWO_FACTOR_ROLES
    if not roles or (Role.TRAINEE not in roles and not (user.is_staff or user.is_superuser)):
        return False
    return user.role in roles and not has_factor(user)


@transaction.atomic
def use_code(user: User, code: str) -> Authenticator | None:
    """The factor that the typed code belongs to, used up with it; None when it is wrong or was used before.

    The library remembers an app's code for 30 seconds in the memory of one process, but takes it for 90. So the
    step of the last code that was taken is kept with the factor, and only later ones count (RFC 6238, 5.2).
    """
    factors = Authenticator.objects.select_for_update().filter(user_id=user.pk, type__in=TYPED)
    for factor in factors.order_by("-type"):  # the app before the recovery codes
        if factor.type == Authenticator.Type.TOTP:
            is_right = _use_totp(factor, code)
        else:
            is_right = factor.wrap().validate_code(code)
        if is_right:
            return cast("Authenticator", factor)
    return None


def _use_totp(factor: Authenticator, code: str) -> bool:
    secret, last = unseal(factor.data["secret"]), factor.data.get("last_step", -1)
    for step in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if step > last and compare_user_code(actual=code, expected=expected):
            factor.data["last_step"] = step
            factor.save(update_fields=["data"])
            return True
    return False


def mark_activated(factor: Authenticator, code: str) -> None:
    """The code that proved the app while it was set up does not open the door as well."""
    _use_totp(factor, code)


@transaction.atomic
def remove_factors(user_id: int, *, actor: Actor, now: datetime) -> None:
    """Take all second factors from a person whose device is lost; they log in with the password alone again.

    Trainers do this for trainees, administrators for trainers. Nobody does it for themselves: their own page asks
    for the password or a factor first, which somebody who found a session open does not have.
    """
    person = User.objects.select_for_update().get(pk=user_id)
    keeper = None if actor.user_id is None else User.objects.get(pk=actor.user_id)
    if keeper is not None and not may_look_after(keeper, person):
        raise Refused.because("not_allowed", _("You do not look after this person."))
    if actor.user_id == user_id:
        raise Refused.because("own_factors", _("Change your own second factors on your own page."))
    factors = Authenticator.objects.filter(user_id=user_id)
    types = sorted(set(factors.values_list("type", flat=True)))
    if not types:
        raise Refused.because("no_factors", _("This person has no second factor."))
    factors.delete()
    record([Event("user.factors_removed", person, {"factors": types})], actor=actor, now=now)
