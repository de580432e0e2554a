"""Sessions behind the API: one for a browser, one behind each pair of tokens."""

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.headless import app_settings as headless
from allauth.headless.tokens.strategies.jwt.internal import session_key_from_sid
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from accounts.models import User


def demand_own_origin(request: HttpRequest) -> None:
    """Raise PermissionDenied for a request that a page of another site has sent.

    For what has no CSRF token yet: a log-in (nobody shall be signed in as somebody else unawares) and the log-out
    by GET. Programs send neither header.
    """
    origin = request.headers.get("Origin")
    own = {f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS}
    site = request.headers.get("Sec-Fetch-Site", "none")
    if (origin and origin not in own) or site not in {"none", "same-origin"}:
        raise PermissionDenied(_("This has to come from a page of this site."), code="foreign_origin")


def begin_session(request: HttpRequest, user: User) -> None:
    """Sign the person in here; the session's key is new."""
    get_adapter().login(request, user)
    record_authentication(request, user, method="password")  # when: some changes want it to be a moment ago
    UserSession.objects.create_from_request(request)


def make_token_pair(request: HttpRequest, user: User) -> dict[str, object]:
    """An access and a refresh token on a session of their own; the browser's session stays as it was."""
    browser = request.session
    request.session = SessionStore()
    try:
        begin_session(request, user)
        request.session.set_expiry(settings.HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN)
        payload = headless.TOKEN_STRATEGY.create_access_token_payload(request)
        request.session.save()
    finally:
        request.session = browser
    assert payload is not None
    return _pair(payload["access_token"], payload["refresh_token"])


def next_token_pair(refresh: str) -> dict[str, object] | None:
    """The next pair for a refresh token that has not been used yet; None for any other."""
    found = headless.TOKEN_STRATEGY.refresh_token(refresh)
    return _pair(*found) if found else None


def _pair(access: str, refresh: str) -> dict[str, object]:
    seconds = settings.HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN
    return {"access": access, "refresh": refresh, "token_type": "Bearer", "expires_in": seconds}


def end_session(request: Request) -> None:
    """Sign out: the browser's session, or the one behind the access token."""
    if isinstance(request.auth, dict):
        key = session_key_from_sid(request.auth["sid"])
        for row in UserSession.objects.filter(session_key=key, user=request.user):
            row.end()
        return
    logout(request._request)
