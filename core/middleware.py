"""Who asks, how they may ask, and what browsers are told to forbid."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse

PAGE_METHODS = ["GET", "HEAD", "OPTIONS", "POST"]
API_METHODS = [*PAGE_METHODS, "PUT", "PATCH", "DELETE"]
API_PREFIXES = ("/api/", "/auth/")


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
    no trusted proxy wrote about another: whatever a client puts in front of it is not read. What others than a
    trusted proxy say about the scheme is not read either.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta, trusted = request.META, settings.TRUSTED_PROXIES
        peer = _address(meta.get("REMOTE_ADDR", "")) or meta.get("REMOTE_ADDR", "")
        if peer in trusted:
            hops = [_address(hop) for hop in request.headers.get("X-Forwarded-For", "").split(",")]
            # An entry that is no address ends the search: what stands before it is the client's own word.
            peer = next((hop for hop in reversed(hops) if hop not in trusted), None) or peer
        else:
            meta.pop("HTTP_X_FORWARDED_PROTO", None)
        meta["REMOTE_ADDR"] = peer
        return self.get_response(request)


def _address(text: str) -> str | None:
    """The address in its one spelling (``::ffff:10.0.0.1`` is ``10.0.0.1``); None for anything else."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


class SecurityHeaders:
    """The first of all: no answer leaves without them, whoever made it. What somebody has said already stands."""

    HEADERS = {
        "Permissions-Policy": (
            "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), "
            "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
            "publickey-credentials-create=(self), publickey-credentials-get=(self), usb=()"
        ),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # For files and for errors from before the pages' own policy: nothing in them runs or loads anything.
        "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class AllowedMethods:
    """Pages know GET and POST, the API what it is made of; a view that would take anything is not asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = API_METHODS if request.path.startswith(API_PREFIXES) else PAGE_METHODS
        return self.get_response(request) if request.method in known else HttpResponseNotAllowed(known)
