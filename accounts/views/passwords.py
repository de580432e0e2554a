"""The pages of allauth that hold a one-time link, with what they lack."""

from typing import Any, cast

from allauth.account.views import password_reset_from_key
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from accounts.domain.inviting import may_use_link


def from_key(request: HttpRequest, uidb36: str, key: str, **kwargs: Any) -> HttpResponse:
    """Set a password with a one-time link; a link of somebody who is switched off counts as used up."""
    if not may_use_link(uidb36):
        key = "used-up"
    response = cast(HttpResponse, password_reset_from_key(request, uidb36=uidb36, key=key, **kwargs))
    add_never_cache_headers(response)
    response["Referrer-Policy"] = "no-referrer"
    return response
