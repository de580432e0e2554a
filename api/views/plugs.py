"""Smart plugs, for trainers: keep them, test, switch by hand; what they were told and what they said."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters.rest_framework import (
    BooleanFilter,
    CharFilter,
    FilterSet,
    ModelChoiceFilter,
    MultipleChoiceFilter,
)
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import InstantFilter
from api.permissions import IsTrainer
from api.serializers.plugs import CommandSerializer, PlugSerializer, ReadingSerializer, SwitchSerializer
from api.views.base import Resource
from api.views.keeping import Changeable
from core import clock
from plugs.choices import CommandResult
from plugs.domain import reconciling, registering, switching
from plugs.drivers.registry import driver_names
from plugs.models import PlugCommand, PlugReading, SmartPlug


class PlugFilter(FilterSet):
    """By what it is, and how it is."""

    name = CharFilter("name", "icontains", help_text="A part of the name.")
    driver = MultipleChoiceFilter(choices=[(name, name) for name in driver_names()])
    address = CharFilter("address", "icontains", help_text="A part of the address.")
    wanted = BooleanFilter("state__wanted")
    observed = BooleanFilter("state__observed")
    in_use = BooleanFilter("printer", "isnull", exclude=True, help_text="Whether a machine uses it.")


class Plugs(Changeable):
    """For trainers only.

    A request never talks to the device: it says what is wanted (`wanted` changes at once), a worker sees to it within
    seconds, and `observed` shows what came of it.
    """

    permission_classes = [IsTrainer]
    queryset = SmartPlug.objects.select_related("state").defer("password")  # it is not shown, nor needed
    serializer_class = PlugSerializer
    filterset_class = PlugFilter
    ordering_fields = ["id", "name", "driver", "address"]
    ordering = ["name"]
    # Everything that people do not set.
    volatile = set(PlugSerializer.Meta.fields) - {
        "id", "name", "driver", "address", "username", "override_until", "override_reason",
    }  # fmt: skip

    def keep(self, row: SmartPlug, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door, where anything differs."""
        if changed:
            registering.save_plug(row, changed=list(changed), actor=self.actor, now=now)

    def drop(self, row: SmartPlug, now: datetime) -> None:
        """Not while a machine uses it."""
        registering.remove_plug(row, actor=self.actor, now=now)

    def taken(self, pk: str) -> SmartPlug:
        """Locked as every change of a plug locks, the machine behind it first."""
        get_object_or_404(self.get_queryset(), pk=pk)
        registering.take(int(pk))
        plug: SmartPlug = super().taken(pk)
        return plug

    @extend_schema(request=None, responses={202: PlugSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Ask the plug now, also one that is suspended because it refused the login.

        A worker does it: `last_contact_at` or `last_error` show the answer within seconds.
        """
        with transaction.atomic():
            reconciling.contact_now([self.taken(pk)], now=clock.now())
            return self._as_it_is(pk, status=202)

    @extend_schema(request=None, responses=PlugSerializer)
    @action(detail=True, methods=["post"])
    def trust(self, request: Request, pk: str) -> Response:
        """Take whatever device answers at the address next as the right one, after the plug was replaced."""
        with transaction.atomic():
            registering.trust_device(self.taken(pk), actor=self.actor, now=clock.now())
            return self._as_it_is(pk)

    @extend_schema(request=SwitchSerializer, responses=PlugSerializer)
    @action(detail=True, methods=["post"])
    def switch(self, request: Request, pk: str) -> Response:
        """Switch by hand: for a while your word goes before the plan."""
        order = SwitchSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        given, now = order.validated_data, clock.now()
        minutes = given["minutes"]
        with transaction.atomic():
            switching.override(
                self.taken(pk),
                on=given["on"],
                until=None if minutes is None else now + timedelta(minutes=minutes),
                reason=given["reason"],
                cut=given["cut"],
                actor=self.actor,
                now=now,
            )
            return self._as_it_is(pk)

    @extend_schema(request=None, responses=PlugSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Back to the plan."""
        with transaction.atomic():
            switching.end_override([self.taken(pk)], actor=self.actor, now=clock.now())
            return self._as_it_is(pk)

    def _as_it_is(self, pk: str, *, status: int = 200) -> Response:
        return self.represent(self.get_queryset().get(pk=pk), status=status)


class RecordFilter(FilterSet):
    """By plug and time."""

    moment: ClassVar[str] = "at"
    plug = ModelChoiceFilter(queryset=SmartPlug.objects.only("name"))

    @classmethod
    def get_filters(cls) -> Any:
        """One of the names is a word of Python's."""
        edges = {
            "from": InstantFilter(cls.moment, "gte", help_text="At or after."),
            "to": InstantFilter(cls.moment, "lt", help_text="Before."),
        }
        return {**super().get_filters(), **edges}


class CommandFilter(RecordFilter):
    """``result`` may come several times; ``from`` and ``to`` are about when it was planned for."""

    moment = "planned_at"
    result = MultipleChoiceFilter(choices=CommandResult.choices)
    reason = CharFilter()
    on = BooleanFilter()


class ReadingFilter(RecordFilter):
    """By plug, time and state."""

    on = BooleanFilter()


class Records(Resource):
    """What one plug, or all, left behind; for trainers."""

    permission_classes = [IsTrainer]
    lookup_value_regex = "[0-9]{1,18}"

    def list(self, request: Request, plug: str = "") -> Response:
        """One page, filtered and ordered."""
        return super().list(request)

    def get_queryset(self) -> QuerySet[Any]:
        """Those of the plug in the address, if there is one. Raises Http404 where there is no such plug."""
        rows = super().get_queryset()
        if "plug" not in self.kwargs:
            return rows
        return rows.filter(plug=get_object_or_404(SmartPlug.objects.only("pk"), pk=self.kwargs["plug"]))


class Commands(Records):
    """Every change that was wanted of a plug, and what became of it; the newest first. For trainers."""

    queryset = PlugCommand.objects.all()
    serializer_class = CommandSerializer
    filterset_class = CommandFilter
    ordering_fields = ["id", "planned_at", "created_at"]


class Readings(Records):
    """What plugs said, kept when it changed and at least once a minute; the newest first. For trainers."""

    queryset = PlugReading.objects.all()
    serializer_class = ReadingSerializer
    filterset_class = ReadingFilter
    ordering_fields = ["id", "at"]

    @property
    def ordering(self) -> list[str]:
        """As the index lies: readings are many."""
        is_of_one = "plug" in self.kwargs or "plug" in self.request.query_params
        return ["-at"] if is_of_one else ["-id"]
