"""Who may see the pages: everybody who is signed in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import User
from core.actor import Actor, Channel

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


def signed_in(
    view: Callable[Concatenate[Request, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Send others to the login; a page that polls is told to load itself anew, so that it lands there too."""

    @wraps(view)
    def gate(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            response = view(cast(Request, request), *args, **kwargs)
            patch_cache_control(response, private=True, no_cache=True)
            return response
        if "HX-Request" in request.headers:
            return HttpResponseClientRefresh()
        return redirect_to_login(request.get_full_path())

    return gate


def actor_of(request: Request) -> Actor:
    """The person, on the web pages."""
    return Actor(request.user.pk, Channel.WEB)


def leave_session_alone(request: Request) -> None:
    """A page that asks by itself is no sign of a person: it writes nothing and keeps nobody signed in."""
    request.session.save = _keep  # type: ignore[method-assign]


def _keep(must_create: bool = False) -> None:
    """What the session does instead of writing itself."""
