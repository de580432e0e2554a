"""People: trainers look after them. Nobody is deleted here; who leaves is switched off."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.cache import patch_cache_control
from django_filters.rest_framework import BooleanFilter, CharFilter, ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.choices import GuardKind, Role
from accounts.domain import guarding, inviting, people
from accounts.models import LoginGuard, User
from api.idempotency import once
from api.permissions import IsTrainer
from api.serializers.people import (
    PasswordLinkSerializer,
    PersonChangeSerializer,
    PersonSerializer,
    UserSerializer,
)
from api.views.base import Resource
from core import clock

# What a change of a person says beyond the fields that the door for changes takes.
OWN_DOORS = {"password", "is_active"}


class PersonFilter(FilterSet):
    """By role, by whether they may log in, and by a part of name, user name or address."""

    role = ChoiceFilter(choices=Role.choices, method="in_role")
    is_active = BooleanFilter()
    q = CharFilter(method="called", help_text="Part of the name, the user name or the e-mail address.")

    class Meta:
        model = User
        fields: list[str] = []

    def in_role(self, people: QuerySet[User], name: str, role: str) -> QuerySet[User]:
        """The highest role somebody has is the one that counts."""
        administrators = Q(is_superuser=True) | Q(groups__name=Role.ADMINISTRATOR.value)
        lead = User.objects.filter(administrators).values("pk")
        if role == Role.ADMINISTRATOR:
            return people.filter(pk__in=lead)
        train = User.objects.filter(groups__name=Role.TRAINER.value).values("pk")
        rest = people.exclude(pk__in=lead)
        return rest.filter(pk__in=train) if role == Role.TRAINER else rest.exclude(pk__in=train)

    def called(self, people: QuerySet[User], name: str, part: str) -> QuerySet[User]:
        """Every word has to be found somewhere."""
        for word in part.split():
            people = people.filter(
                Q(username__icontains=word)
                | Q(first_name__icontains=word)
                | Q(last_name__icontains=word)
                | Q(email__icontains=word)
            )
        return people


class People(Resource):
    """Trainers look after trainees, administrators after everybody; one's own record is `/api/me`."""

    queryset = User.objects.prefetch_related("groups")
    serializer_class = UserSerializer
    permission_classes = [IsTrainer]
    filterset_class = PersonFilter
    ordering_fields = ["id", "username", "first_name", "last_name", "date_joined"]
    lookup_value_regex = "[0-9]{1,18}"
    volatile = ("last_login",)

    @extend_schema(request=PersonSerializer, responses={201: UserSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Add a person, a trainee unless an administrator says otherwise."""
        order = PersonSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        fields = dict(order.validated_data)
        password = fields.pop("password", None)
        fields.setdefault("must_change_password", False)
        person = people.add_person(_said(fields), actor=self.actor, now=clock.now(), first_password=password)
        response = self.represent(person, status=201)
        response["Location"] = self.reverse_action("detail", args=[person.pk])
        return response

    @extend_schema(request=PersonChangeSerializer, responses=UserSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is named. With `is_active: false` the person is switched off, at once and everywhere.

        Sessions and personal tokens end and bookings that have not begun are cancelled; a job that is running goes on.
        A new password ends the sessions too, and has to be changed at the next log-in unless
        `must_change_password` is false.
        """
        order = PersonChangeSerializer(data=request.data, partial=True)
        order.is_valid(raise_exception=True)
        given, now = order.validated_data, clock.now()
        with transaction.atomic():
            person = self._taken(pk, given)
            if "password" in given:
                people.set_password(person.pk, given["password"], actor=self.actor, now=now)
            if fields := {name: value for name, value in given.items() if name not in OWN_DOORS}:
                people.change_person(person.pk, _said(fields), actor=self.actor, now=now)
            if given.get("is_active", person.is_active) is not person.is_active:
                door = people.reactivate if given["is_active"] else people.deactivate
                door(person.pk, actor=self.actor, now=now)
        return self.represent(self.get_object())

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def unlock(self, request: Request, pk: str) -> Response:
        """Let somebody try again who has given too many wrong passwords."""
        person = self.get_object()
        self.demand_match(person)
        guard = LoginGuard.objects.filter(kind=GuardKind.USER, key=person.username).first()
        if guard is not None and guarding.has_anything(guard):
            guarding.lift(guard.pk, actor=self.actor, now=clock.now())
        return Response(status=204)

    @extend_schema(request=None, responses={201: PasswordLinkSerializer})
    @action(detail=True, methods=["post"], url_path="password-link")
    @once
    def password_link(self, request: Request, pk: str) -> Response:
        """A link with which the person chooses a password, to be handed out where there is no e-mail; it works once."""
        person, now = self.get_object(), clock.now()
        self.demand_match(person)
        origin = request.build_absolute_uri("/")
        link = inviting.password_link(person, actor=self.actor, origin=origin, now=now)
        told = {"link": link, "expires_at": now + inviting.valid_for()}
        response = Response(PasswordLinkSerializer(told).data, status=201)
        patch_cache_control(response, no_store=True)
        return response

    def _taken(self, pk: str, given: dict[str, Any]) -> User:
        """The person, locked as the doors lock; 412 for a version that has passed."""
        try:
            person = people.take(int(pk), among_administrators=bool({"role", "is_active"} & set(given)))
        except User.DoesNotExist as error:
            raise Http404 from error
        self.demand_match(person)
        return person


def _said(fields: dict[str, Any]) -> people.Fields:
    """The fields as the door takes them."""
    if "role" in fields:
        fields["role"] = Role(fields["role"])
    return fields  # type: ignore[return-value]  # the serializer has checked names and kinds
