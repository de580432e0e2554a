"""Ways in and out: sessions for pages, pairs of tokens for programs."""

from typing import Any

from django.conf import settings
from django.http import HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain.entering import enter
from accounts.models import User
from api.entering import (
    begin_session,
    demand_own_origin,
    end_session,
    make_token_pair,
    next_token_pair,
)
from api.problems import CHALLENGE
from api.serializers.entering import (
    CredentialsSerializer,
    RefreshSerializer,
    SessionSerializer,
    TokenPairSerializer,
)
from api.views.base import Endpoint


class WayIn(Endpoint):
    """Open to everybody; whoever is signed in already is not looked at."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]

    def get_authenticate_header(self, request: Request) -> str:
        """A wrong secret is 401, though nobody is authenticated here."""
        return CHALLENGE

    def enter(self, request: Request) -> User:
        """Who the credentials belong to. Raises Refused: wrong, locked out, second factor needed."""
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return enter(request._request, **given.validated_data)


class Login(WayIn):
    """Sign in with a session cookie. Takes JSON or a form."""

    serializer_class = SessionSerializer

    @extend_schema(
        request=dict.fromkeys(
            ("application/json", "application/x-www-form-urlencoded"), CredentialsSerializer
        ),
        responses=SessionSerializer,
    )
    def post(self, request: Request) -> Response:
        """The person and the CSRF token for what comes next."""
        demand_own_origin(request._request)
        user = self.enter(request)
        begin_session(request._request, user)
        return Response(describe_session(request, user))


class Logout(Endpoint):
    """Sign out; by GET only from a page of this site, since a foreign page could send a browser here."""

    permission_classes = [AllowAny]
    serializer_class = None

    @extend_schema(responses={204: None})
    def get(self, request: Request) -> Any:
        """Sign out and, in a browser, go to the log-in page."""
        demand_own_origin(request._request)
        end_session(request)
        if "text/html" in request.headers.get("Accept", ""):
            return HttpResponseRedirect(resolve_url(settings.LOGOUT_REDIRECT_URL))
        return Response(status=204)

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Sign out."""
        end_session(request)
        return Response(status=204)


class Session(Endpoint):
    """Who am I here?"""

    serializer_class = SessionSerializer

    def get(self, request: Request) -> Response:
        """The person and a CSRF token; 401 for a stranger."""
        return Response(describe_session(request, self.person))


class Token(WayIn):
    """A pair of JSON web tokens for a program that acts for a person."""

    serializer_class = TokenPairSerializer

    @extend_schema(request=CredentialsSerializer, responses=TokenPairSerializer)
    def post(self, request: Request) -> Response:
        """An access token for five minutes and a refresh token for a day."""
        demand_own_origin(request._request)
        return Response(make_token_pair(request._request, self.enter(request)))


class TokenRefresh(WayIn):
    """The next pair for a refresh token; each can be used once."""

    serializer_class = TokenPairSerializer

    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer)
    def post(self, request: Request) -> Response:
        """A new pair; 401 when the token is used up, expired, or its session has ended."""
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        pair = next_token_pair(given.validated_data["refresh"])
        if pair is None:
            raise AuthenticationFailed(_("This token is not valid, or no longer."))
        return Response(pair)


def describe_session(request: Request, user: User) -> dict[str, Any]:
    """The body of a log-in's answer."""
    return dict(SessionSerializer({"user": user, "csrf_token": get_token(request._request)}).data)
