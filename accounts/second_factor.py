"""The second factor at log-in: its secrets sealed, its codes good for once, its changes in the journal."""

import struct
from typing import Any

from allauth.core import context
from allauth.mfa import signals
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import forms
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as keys
from django.conf import settings
from django.dispatch import receiver
from django.forms import Form
from django.http import HttpRequest

from accounts.domain.entering import prove
from accounts.domain.factors import TYPED, lacks_factor, mark_activated
from accounts.domain.guarding import LockedOut
from accounts.models import User
from core import clock
from core.actor import Actor, Channel
from core.fields import seal, unseal
from journal.domain.recording import Event, record

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, struct.error)


class EncryptingAdapter(DefaultMFAAdapter):
    """The library keeps an app's secret and the recovery codes' seed as they are; here they lie sealed."""

    def encrypt(self, text: str) -> str:
        """On the way into the database."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """On the way out."""
        return unseal(encrypted_text)

    def _get_site_name(self) -> str:
        return str(settings.SITE_NAME)


def is_missing(request: HttpRequest) -> bool:
    """Whether the person who is logged in must set up a second factor before anything else."""
    return isinstance(request.user, User) and lacks_factor(request.user)


class _OnceOnly(forms.BaseAuthenticateForm):
    """A code is taken once, whichever process is asked."""

    def clean_code(self) -> str:
        """Sets the factor that the code belongs to."""
        forget_failures = check_rate_limit(self.user)
        code: str = self.cleaned_data["code"]
        try:
            factor = prove(context.request, self.user, code)
        except LockedOut as no:
            raise EncryptingAdapter().validation_error("incorrect_code") from no
        if factor is None:
            asked = (
                Authenticator.objects.filter(user_id=self.user.pk, type__in=TYPED).order_by("-type").first()
            )
            if asked is not None:
                self._emit_authentication_failed(asked)
            raise EncryptingAdapter().validation_error("incorrect_code")
        factor.user = self.user
        self.authenticator = factor
        forget_failures()
        return code


class CodeForm(_OnceOnly, forms.AuthenticateForm):
    """The code after the password."""


class ReauthenticateForm(_OnceOnly, forms.ReauthenticateForm):
    """The code before something that matters."""


class _Wellformed(Form):
    """What a stranger sends in place of a credential is refused, where the library would break on it."""

    def full_clean(self) -> None:
        """A document that cannot be read is a wrong one."""
        try:
            super().full_clean()
        except UNREADABLE:
            self.add_error("credential", EncryptingAdapter().validation_error("incorrect_code"))


class AddKeyForm(_Wellformed, keys.AddWebAuthnForm):
    """A new passkey or security key."""


class KeyForm(_Wellformed, keys.AuthenticateWebAuthnForm):
    """The key after the password."""


class PasskeyForm(_Wellformed, keys.LoginWebAuthnForm):
    """The passkey alone."""


class ReauthenticateKeyForm(_Wellformed, keys.ReauthenticateWebAuthnForm):
    """The key before something that matters."""


@receiver(signals.authenticator_added, dispatch_uid="accounts.factor_added")
def note_added(
    sender: object, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """The person set up a factor."""
    if authenticator.type == Authenticator.Type.TOTP:
        mark_activated(authenticator, request.POST.get("code", ""))
    _note("user.factor_added", user, authenticator)


@receiver(signals.authenticator_removed, dispatch_uid="accounts.factor_removed")
def note_removed(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """The person took a factor off."""
    _note("user.factor_removed", user, authenticator)


@receiver(signals.authenticator_reset, dispatch_uid="accounts.codes_made")
def note_reset(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    """The person made new recovery codes; the old ones are worthless."""
    _note("user.recovery_codes_made", user, authenticator)


def _note(kind: str, user: User, factor: Authenticator) -> None:
    record([Event(kind, user, {"factor": factor.type})], actor=Actor(user.pk, Channel.WEB), now=clock.now())
