"""Who asks, and what browsers are told to forbid."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse


class AdminContentSecurityPolicy:
    """Relax the policy under the admin's path only, by what its theme needs (see settings)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(reverse("admin:index")):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        return response


class ClientAddress:
    """``REMOTE_ADDR`` is the person's address everywhere behind this point, also behind a proxy.

    ``X-Forwarded-For`` is believed only from a peer in ``TRUSTED_PROXIES``, and of it only the last entry that
    no trusted proxy wrote about another: whatever a client puts in front of it is not read.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        trusted = settings.TRUSTED_PROXIES
        if trusted and request.META.get("REMOTE_ADDR") in trusted:
            hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
            request.META["REMOTE_ADDR"] = next(
                (hop for hop in reversed(hops) if _is_address(hop) and hop not in trusted),
                request.META["REMOTE_ADDR"],
            )
        return self.get_response(request)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class SecurityHeaders:
    """What Django's own middleware does not say: no sensors, no camera, nothing for other sites."""

    HEADERS = {
        "Permissions-Policy": (
            "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), "
            "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
            "publickey-credentials-create=(self), publickey-credentials-get=(self), usb=()"
        ),
        "Cross-Origin-Resource-Policy": "same-origin",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        return response
