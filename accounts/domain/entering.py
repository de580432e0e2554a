"""The door for everybody who comes in with a name and a password, and the code of a second factor where there is one."""

from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.domain import guarding
from accounts.domain.factors import has_factor, use_code
from accounts.domain.guarding import LockedOut
from accounts.models import User
from core import clock
from core.errors import Refused


def enter(request: HttpRequest, *, username: str, password: str, code: str = "") -> User:
    """Who has shown everything that their account asks for.

    Raises :class:`Refused` with "wrong_credentials", "second_factor_needed" or "wrong_code", and
    :class:`LockedOut` with "locked_out". The failure that locks is told so already.
    """
    user = authenticate(request, username=username, password=password)
    if user is None:
        _demand_open(request)
        raise Refused.because("wrong_credentials", _("The name or the password is wrong."))
    assert isinstance(user, User)
    if has_factor(user):
        _demand_code(request, user, code)
    guarding.succeed(user.username, client_address(request))
    return user


def prove(request: HttpRequest, user: User, code: str) -> Authenticator | None:
    """The second factor that the code belongs to, None when it is wrong; guarded and counted like a password.

    Raises :class:`LockedOut`, and leaves it on the request, so that a page is answered with it.
    """
    try:
        guarding.take(user.username, client_address(request), clock.now())
    except LockedOut as no:
        mark_locked(request, no)
        raise
    factor = use_code(user, code)
    if factor is None:
        # What axes hears of, it counts and writes into its log.
        user_login_failed.send(__name__, credentials={"username": user.username}, request=request)
        return None
    guarding.give_back(user.username)
    return factor


def note_miss(request: HttpRequest, name: str) -> None:
    """A secret that was looked at without an attempt being taken was wrong: counted, and written into the log.

    For secrets too long to guess, after ``guarding.demand_open``. Raises :class:`LockedOut` when this one locks.
    """
    user_login_failed.send(__name__, credentials={"username": name, "is_taken": False}, request=request)
    _demand_open(request)


def client_address(request: HttpRequest) -> str:
    """Where the request comes from, as ``core.middleware.ClientAddress`` found it; empty when that is no address."""
    told, _percent, _zone = str(request.META.get("REMOTE_ADDR") or "").partition("%")
    try:
        return str(ip_address(told))
    except ValueError:
        return ""


def name_in(credentials: dict[str, Any] | None) -> str:
    """The name that was given; pages give an address as a name too."""
    given = credentials or {}
    return str(given.get("username") or given.get("email") or "")


def mark_locked(request: HttpRequest, no: LockedOut) -> None:
    """Let ``axes.middleware`` answer with the lock, whatever the view says."""
    request.lock_out = no  # type: ignore[attr-defined]
    request.axes_locked_out = True  # type: ignore[attr-defined]


def _demand_code(request: HttpRequest, user: User, code: str) -> None:
    if not code:
        message = _("This account has a second factor. Send its code along.")
        raise Refused.because("second_factor_needed", message, field="code")
    factor = None
    with suppress(LockedOut):  # it is on the request
        factor = prove(request, user, code)
    if factor is None:
        _demand_open(request)
        raise Refused.because("wrong_code", _("The code is wrong, or was used before."), field="code")


def _demand_open(request: HttpRequest) -> None:
    """Whoever called us answers with the refusal itself; axes has no page to put in its place."""
    no = getattr(request, "lock_out", None)
    if no is not None:
        request.axes_locked_out = False  # type: ignore[attr-defined]
        raise no
