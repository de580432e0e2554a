"""Axes, told how long a lock lasts and what to answer."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.http import HttpRequest, HttpResponse


class EscalatingHandler(AxesDatabaseHandler):
    """Placeholder while the guard is being built."""


def user_key(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name an attempt is counted under."""
    return str((credentials or {}).get("username") or "")


def answer(request: HttpRequest, *args: Any) -> HttpResponse:
    """The locked answer."""
    return HttpResponse(status=429)
