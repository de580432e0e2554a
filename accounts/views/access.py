"""Pages about oneself: for whoever is logged in, and kept by nobody."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from allauth.account.decorators import reauthentication_required
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from accounts.models import User
from core.actor import Actor, Channel

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of somebody who is logged in."""

    user: User


def about_oneself(
    view: Callable[Concatenate[Request, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Others log in first; no browser and no proxy keeps the page."""

    @wraps(view)
    def gate(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(cast(Request, request), *args, **kwargs)
        add_never_cache_headers(response)
        return response

    return cast(Callable[Concatenate[HttpRequest, P], HttpResponse], login_required(gate))


def password_again(view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """A change needs the password, given again a moment ago: allauth asks for it, and then goes on."""
    return cast(Callable[P, HttpResponse], reauthentication_required(view, allow_get=True))


def actor_of(request: Request) -> Actor:
    """The person, on the web pages."""
    return Actor(request.user.pk, Channel.WEB)
