"""Who asks: a bearer of a personal token or an access token, or a browser with a session."""

from typing import Any

from allauth.headless.tokens.strategies.jwt.internal import validate_access_token
from django.utils.translation import gettext as _
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.choices import Scope
from accounts.domain import guarding, tokens
from accounts.domain.entering import client_address, note_miss
from accounts.domain.unfinished import unfinished
from accounts.middleware import API_OPEN
from accounts.models import PersonalToken, User
from api.problems import CHALLENGE
from core import clock
from core.errors import Refused


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer …`` with a personal token ("myp_…") or a JWT access token.

    A personal token with the scope "read" is refused for every change, whatever the view.
    """

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        """The person and what they showed; None where there is no such header."""
        scheme, _space, credential = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        plain = credential.decode("ascii", errors="replace").strip()
        if plain.startswith(tokens.PREFIX):
            return self._by_personal_token(request, plain)
        found = validate_access_token(plain)
        if found is None or not found[0].is_active:
            raise AuthenticationFailed(_("This token is not valid, or no longer."))
        _demand_settled(request, found[0])
        return found

    def _by_personal_token(self, request: Request, plain: str) -> tuple[User, PersonalToken]:
        token = tokens.find(plain, clock.now())
        if token is None:
            raise AuthenticationFailed(_("This token is not valid, or no longer."))
        if token.scope == Scope.READ and request.method not in SAFE_METHODS:
            raise PermissionDenied(_("This token may only read."), code="token_is_read_only")
        _demand_settled(request, token.user)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What to send instead: the answer to a stranger is 401."""
        return CHALLENGE


def _demand_settled(request: Request, user: User) -> None:
    """Raise Refused where something has to be settled first: the middleware looks at sessions alone."""
    missing = unfinished(user)
    if missing is not None and request.path.rstrip("/") not in API_OPEN:
        raise Refused([missing])


class CalendarAuthentication(BasicAuthentication):
    """Basic, for programs that know nothing else: the user name, and a personal token in place of the password.

    The account's own password opens nothing here. Failures count like those of every way in; a success takes none of
    them back, or a calendar that asks every quarter of an hour would buy fresh guesses for whoever tries passwords.
    """

    www_authenticate_realm = "MYP calendars"

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> Any:
        """Raises AuthenticationFailed, whichever of the two was wrong, and ``LockedOut``."""
        assert request is not None
        now = clock.now()
        guarding.demand_open(userid, client_address(request._request), now)
        token, person = tokens.find(password, now), guarding.person_named(userid)
        if token is not None and person is not None and token.user_id == person.pk:
            return token.user, token
        note_miss(request._request, userid)
        raise AuthenticationFailed(_("The name or the token is wrong."))


class CookieAuthentication(SessionAuthentication):
    """The session of our own pages; changes need the CSRF token."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises PermissionDenied with the code "csrf_failed"."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            said = _("The CSRF token is missing or wrong. Send it in the header X-CSRFToken.")
            raise PermissionDenied(said, code="csrf_failed") from error
