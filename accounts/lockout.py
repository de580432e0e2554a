"""Axes, told to ask our guard; and the answer to whoever is locked out.

Axes stands before and behind every log-in of Django's; it keeps the log. What it counts by itself knows no hard limit
under load and no growing locks, so ``accounts.domain.guarding`` counts in its place and no ``AccessAttempt`` is kept.
"""

import logging
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessFailureLog
from axes.signals import user_locked_out
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from accounts.domain import guarding
from accounts.domain.entering import client_address, mark_locked, name_in
from accounts.domain.guarding import LockedOut
from accounts.middleware import API
from accounts.models import User
from core import clock

log = logging.getLogger(__name__)


class EscalatingHandler(AxesDatabaseHandler):
    """Asks the guard before a password is looked at, and tells it how that went."""

    def is_allowed(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Takes an attempt: this is the one question that axes asks before every log-in."""
        request = _inner(request)
        try:
            guarding.take(name_in(credentials), client_address(request), clock.now())
        except LockedOut as no:
            mark_locked(request, no)
            return False
        return True

    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Count and write down. What came during a lock was not looked at, and is neither."""
        if request is None or (request := _inner(request)).axes_locked_out:  # type: ignore[attr-defined]
            return
        address, is_taken = client_address(request), credentials.get("is_taken", True)
        if no := guarding.fail(name_in(credentials), address, clock.now(), is_taken=is_taken):
            mark_locked(request, no)
        name = user_key(request, credentials)
        AccessFailureLog.objects.create(
            username=name,
            ip_address=address or None,
            user_agent=request.axes_user_agent,  # type: ignore[attr-defined]
            http_accept=request.axes_http_accept,  # type: ignore[attr-defined]
            path_info=request.axes_path_info.replace("\0", ""),  # type: ignore[attr-defined]
            locked_out=no is not None,
        )
        self.remove_out_of_limit_failure_logs(username=name)
        if no is not None:
            log.warning("locked out for %d s: %s, from %s", no.retry_after, name, address or "nowhere")
            user_locked_out.send("axes", request=request, username=name, ip_address=address)

    def user_logged_in(self, sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """A complete log-in, by whatever way."""
        request.axes_ip_address = client_address(request) or None  # type: ignore[attr-defined]
        super().user_logged_in(sender, request, user, **kwargs)  # type: ignore[no-untyped-call]
        guarding.succeed(user.username, client_address(request))


def _inner(request: HttpRequest) -> HttpRequest:
    """Django's request, also where REST framework has wrapped it: the middleware sees only that."""
    inner: HttpRequest = getattr(request, "_request", request)
    AxesProxyHandler.update_request(inner)
    return inner


def user_key(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name an attempt is counted under; a digest where nobody is called so."""
    return guarding.key_of(name_in(credentials))


def answer(request: HttpRequest, *args: Any) -> HttpResponse:
    """The locked answer. Under ASGI axes leaves out the view's own answer, so it is not asked for."""
    no = getattr(request, "lock_out", None)
    if no is None:
        now = clock.now()
        no = LockedOut(now + timedelta(minutes=settings.LOCKOUT_MINUTES[0]), now)
    told = str(no.violations[0].message)
    response: HttpResponse
    if request.path.startswith(API):
        error = {"code": "locked_out", "field": "", "message": told, "overridable": False}
        problem = {
            "type": "urn:myp:refused", "title": "Too Many Requests", "status": 429, "detail": told, "errors": [error],
        }  # fmt: skip
        response = JsonResponse(problem, status=429, content_type="application/problem+json")
    else:
        left = guarding.time_left(no.retry_after)
        response = render(request, "accounts/locked.html", {"time_left": left}, status=429)
    response["Retry-After"] = str(no.retry_after)
    response["Cache-Control"] = "no-store"
    return response
