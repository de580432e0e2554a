"""Oneself: one's record, password, sessions and personal tokens.

A token can always take access away. Making or changing a way in - a token, the password, the address to which a link
for a new password goes - needs a session, so that a key that was found never turns into another one, or into the account.
"""

from time import time  # what the session keeps is the machine's own time  # noqa: TID251
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.authentication import get_authentication_records
from allauth.account.signals import password_changed
from allauth.headless.tokens.strategies.jwt.internal import session_key_from_sid
from allauth.usersessions.models import UserSession
from django.contrib.auth import authenticate, update_session_auth_hash
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ErrorDetail, ValidationError

from accounts.choices import Scope
from accounts.domain import people, sessions, tokens
from accounts.models import PersonalToken, User
from api.entering import end_session
from api.idempotency import once
from api.serializers.me import (
    EndedSerializer,
    MadeTokenSerializer,
    NewTokenSerializer,
    OwnSessionSerializer,
    PasswordChangeSerializer,
    TokenSerializer,
)
from api.serializers.people import OwnSerializer, UserSerializer
from api.views.base import Endpoint, Resource
from core import clock


class InSession(IsAuthenticated):
    """Signed in with a session: no token, neither a personal one nor an access token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises PermissionDenied with the code "session_needed"."""
        if super().has_permission(request, view) and request.auth is not None:
            raise PermissionDenied(
                _("Sign in with a session for this (POST /auth/login); a token cannot do it."),
                code="session_needed",
            )
        return super().has_permission(request, view)


class JustSignedIn(InSession):
    """Signed in a moment ago, or the password given again: a session that was left open is not enough."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises PermissionDenied with the code "sign_in_again"."""
        if not super().has_permission(request, view):
            return False
        records = get_authentication_records(request._request, view.person)
        if not records or time() - records[-1]["at"] >= REAUTHENTICATION_TIMEOUT:
            raise PermissionDenied(
                _("It is too long since you signed in. Sign in again (POST /auth/login), then repeat this."),
                code="sign_in_again",
            )
        return True


class Me(Resource):
    """Whoever asks."""

    queryset = User.objects.all()
    serializer_class = UserSerializer
    filter_backends = []
    pagination_class = None
    volatile = ("last_login",)

    def get_permissions(self) -> Any:
        """Everybody reads."""
        return [JustSignedIn()] if self.request.method == "PATCH" else super().get_permissions()

    def get_object(self) -> User:
        """Oneself."""
        return self.person

    @extend_schema(request=OwnSerializer, responses=UserSerializer)
    def partial_update(self, request: Request) -> Response:
        """Change the e-mail address; names are the workshop's, so trainees are refused. Needs a session that is new."""
        order = OwnSerializer(data=request.data, partial=True)
        order.is_valid(raise_exception=True)
        with transaction.atomic():
            person = people.take(self.person.pk)
            self.demand_match(person)
            if order.validated_data:
                person = people.change_person(
                    person.pk, order.validated_data, actor=self.actor, now=clock.now()
                )
        return self.represent(person)


class Password(Endpoint):
    """One's own password."""

    permission_classes = [InSession]
    serializer_class = PasswordChangeSerializer

    @extend_schema(request=PasswordChangeSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Choose another password; all other sessions end. Wrong old passwords count, and lock the account."""
        order = PasswordChangeSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        person, given, inner = self.person, order.validated_data, request._request
        # Looked at as at a log-in, behind the same guard; whoever is locked out is answered by the guard itself.
        if authenticate(inner, username=person.username, password=given["old_password"]) is None:
            raise _wrong("old_password", _("The password is wrong."), "wrong_password")
        try:
            get_adapter().clean_password(given["new_password"], person)
        except DjangoValidationError as error:
            raise ValidationError(
                {
                    "new_password": [
                        ErrorDetail(" ".join(one.messages), code=str(one.code)) for one in error.error_list
                    ]
                }
            ) from error
        with transaction.atomic():
            get_adapter().set_password(person, given["new_password"])
            update_session_auth_hash(inner, person)
            password_changed.send(User, request=inner, user=person)
        return Response(status=204)


def _wrong(field: str, message: str, code: str) -> ValidationError:
    return ValidationError({field: [ErrorDetail(message, code=code)]})


class Sessions(Resource):
    """Where one is signed in: browsers, and programs with a pair of tokens."""

    queryset = UserSession.objects.all()
    serializer_class = OwnSessionSerializer
    ordering_fields = ["id"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[UserSession]:
        """One's own that are alive."""
        alive = [row.pk for row in sessions.sessions_of(self.person.pk, clock.now())]
        return super().get_queryset().filter(pk__in=alive)

    def get_serializer_context(self) -> dict[str, Any]:
        """Along with the key of the session that the request came through."""
        return {**super().get_serializer_context(), "own_key": own_key(self.request)}

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """End one; the tokens that stand on it end too."""
        row = self.get_object()
        self.demand_match(row)
        is_own = row.session_key == own_key(request)
        sessions.end_one(self.person, row.pk, actor=self.actor, now=clock.now())
        if is_own:
            end_session(request)
        return Response(status=204)

    @extend_schema(request=None, responses=EndedSerializer)
    @action(detail=False, methods=["post"], url_path="end-others", filter_backends=[], pagination_class=None)
    def end_others(self, request: Request) -> Response:
        """Sign out everywhere else; asked with a personal token, everywhere."""
        count = sessions.end_others(self.person, keep=own_key(request), actor=self.actor, now=clock.now())
        return Response(EndedSerializer({"ended": count}).data)


def own_key(request: Request) -> str | None:
    """The key of the session behind the request; None for a personal token."""
    if request.auth is None:
        return request.session.session_key
    return session_key_from_sid(request.auth["sid"]) if isinstance(request.auth, dict) else None


class Tokens(Resource):
    """One's own personal tokens, for scripts and calendars."""

    queryset = PersonalToken.objects.all()
    serializer_class = TokenSerializer
    filterset_fields = ["scope"]
    ordering_fields = ["id", "name", "created_at"]
    lookup_value_regex = "[0-9]{1,18}"
    volatile = ("last_used_at",)

    def get_permissions(self) -> Any:
        """A token makes no tokens."""
        return [JustSignedIn()] if self.action == "create" else super().get_permissions()

    def get_queryset(self) -> QuerySet[PersonalToken]:
        """For everybody there are only their own."""
        return super().get_queryset().filter(user=self.person)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Make a token. `token` is the key: it is shown now and never again. Needs a session that is new."""
        order = NewTokenSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        given = order.validated_data
        token, plain = tokens.issue(
            self.person.pk,
            given["name"],
            Scope(given["scope"]),
            given["expires_at"],
            actor=self.actor,
            now=clock.now(),
        )
        token.token = plain  # type: ignore[attr-defined]
        response = self.represent(token, status=201, serializer=MadeTokenSerializer(token))
        response["Location"] = self.reverse_action("detail", args=[token.pk])
        patch_cache_control(response, no_store=True)
        return response

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Make a token worthless."""
        with transaction.atomic():
            token = self.get_queryset().select_for_update().filter(pk=pk).first()
            if token is None:
                raise Http404
            self.demand_match(token)
            tokens.revoke(token.pk, actor=self.actor, now=clock.now())
        return Response(status=204)
