"""How allauth behaves here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.domain import guarding, letters
from accounts.domain.entering import client_address, mark_locked, name_in
from accounts.domain.guarding import LockedOut
from core import clock

UNKNOWN_ACCOUNT = "account/email/unknown_account"


class ClosedDoorAdapter(DefaultAccountAdapter):
    """Accounts are made by trainers; nobody signs up by themselves. Letters go out by the workers."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def clean_password(self, password: str, user: Any = None) -> str:
        """A first password, which somebody else has chosen, cannot be chosen again."""
        if user is not None and user.must_change_password and user.check_password(password):
            raise ValidationError(
                _("Choose another password than the one you were given."), code="password_same"
            )
        cleaned: str = super().clean_password(password, user)
        return cleaned

    def set_password(self, user: Any, password: str) -> None:
        """Write the password and nothing else: the rest of the row may have changed since it was read."""
        user.set_password(password)
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Whoever is locked out hears so, and for how long, before the library counts for itself."""
        try:
            guarding.demand_open(name_in(credentials), client_address(request), clock.now())
        except LockedOut as no:
            mark_locked(request, no)
            raise self.validation_error("too_many_login_attempts") from no
        super().pre_authenticate(request, **credentials)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        """The link is made when the letter is sent, so that the queue does not hold it."""
        letters.send_reset(user, origin=_origin(self.request), language=get_language() or "")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """The same work for an address that nobody has, so that the answer takes as long."""
        if template_prefix == UNKNOWN_ACCOUNT:
            letters.send_unknown(email, origin=_origin(self.request), language=get_language() or "")
        else:
            super().send_mail(template_prefix, email, context)


def _origin(request: HttpRequest) -> str:
    return request.build_absolute_uri("/")
