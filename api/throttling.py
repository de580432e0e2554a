"""How many requests one address, one person and one token may send in a while.

Counted in windows of fixed length in the default cache, which belongs to one process unless the site has a
shared one: with several web processes each counts for itself.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import time  # the cache's own clock: a window is no business of the workshop's  # noqa: TID251
from typing import Any, cast

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from accounts.models import PersonalToken


def _parse(rate: str) -> tuple[int, int]:
    """Requests and seconds of "600/min"."""
    limit, window = SimpleRateThrottle.parse_rate(cast(Any, None), rate)
    return limit or 0, window or 1


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a limit: requests per ``window`` seconds, and the seconds until it is whole again."""

    name: str
    limit: int
    window: int
    remaining: int
    reset: int


class WindowThrottle(BaseThrottle, ABC):
    """A limit of its kind; notes on the request what is left, for the answer's headers."""

    scope = ""

    @abstractmethod
    def identity(self, request: Request) -> str | None:
        """Whom to count; None: this limit does not concern the request."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; False once the limit is passed."""
        identity = self.identity(request)
        rate = cast(str, api_settings.DEFAULT_THROTTLE_RATES[self.scope])
        if identity is None or not rate:
            return True
        limit, window = _parse(rate)
        now = time()
        number = int(now // window)
        self.reset = int((number + 1) * window - now) + 1
        key = f"api.rate.{self.scope}.{identity}.{number}"
        cache.add(key, 0, timeout=window + 1)
        count = cache.incr(key)
        budgets = request._request.__dict__.setdefault("rate_budgets", [])
        budgets.append(Budget(self.scope, limit, window, max(0, limit - count), self.reset))
        return count <= limit

    def wait(self) -> float:
        """Seconds until the window ends."""
        return self.reset


class AddressThrottle(WindowThrottle):
    """Whoever asks from there."""

    scope = "address"

    def identity(self, request: Request) -> str | None:
        """The peer, or whom a trusted proxy names (``core.middleware.ClientAddress``)."""
        return str(request.META.get("REMOTE_ADDR", ""))


class UserThrottle(WindowThrottle):
    """One person, through whatever session or token."""

    scope = "user"

    def identity(self, request: Request) -> str | None:
        """The person's id."""
        return str(request.user.pk) if request.user.is_authenticated else None


class TokenThrottle(WindowThrottle):
    """One personal token."""

    scope = "token"

    def identity(self, request: Request) -> str | None:
        """The token's id."""
        return str(request.auth.pk) if isinstance(request.auth, PersonalToken) else None


def headers(request: Any) -> dict[str, str]:
    """``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers), and the widely read older three.

    The older ones can name a single limit: the one that is nearest to its end.
    """
    budgets: list[Budget] = getattr(request, "rate_budgets", [])
    if not budgets:
        return {}
    tightest = min(budgets, key=lambda budget: budget.remaining / budget.limit)
    return {
        "RateLimit-Policy": ", ".join(f'"{b.name}";q={b.limit};w={b.window}' for b in budgets),
        "RateLimit": ", ".join(f'"{b.name}";r={b.remaining};t={b.reset}' for b in budgets),
        "RateLimit-Limit": str(tightest.limit),
        "RateLimit-Remaining": str(tightest.remaining),
        "RateLimit-Reset": str(tightest.reset),
    }
