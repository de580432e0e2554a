"""Machines: keep them, see how they stand, find when they can be had."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, CharFilter, FilterSet, MultipleChoiceFilter
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain.queries import held_qualifications
from accounts.models import Qualification
from api.filters import SomeOf
from api.serializers.printers import (
    AvailabilitySerializer,
    LookSerializer,
    NextFreeOfOneSerializer,
    NextFreeSerializer,
    OffersSerializer,
    PrinterSerializer,
    ServiceSerializer,
    StatusListSerializer,
    StatusSerializer,
)
from api.views.keeping import Changeable
from core import clock
from printers.choices import Kind, Service
from printers.domain import keeping
from printers.models import Printer
from reservations.choices import MachineState
from reservations.domain.availability import availability
from reservations.domain.finding import next_windows, soonest
from reservations.domain.queries import overview
from reservations.domain.rules import Window


class PrinterFilter(FilterSet):
    """``kind``, ``service`` and ``state`` may come several times."""

    name = CharFilter("name", "icontains", help_text="A part of the name.")
    kind = MultipleChoiceFilter(choices=Kind.choices)
    maker = CharFilter("maker", "iexact")
    model = CharFilter("model", "iexact")
    location = CharFilter("location__name", "iexact", help_text="The location's name.")
    service = MultipleChoiceFilter(choices=Service.choices)
    state = MultipleChoiceFilter(
        choices=MachineState.choices, method="by_state", help_text="How it stands now."
    )
    has_plug = BooleanFilter("plug", "isnull", exclude=True)
    needs_approval = BooleanFilter("needs_approval")
    qualifications = SomeOf(queryset=Qualification.objects.all())

    class Meta:
        model = Printer
        fields = ["plug"]

    def by_state(self, printers: QuerySet[Printer], name: str, wanted: list[str]) -> QuerySet[Printer]:
        """The state is no column: it is judged for all of them at once."""
        if not wanted:
            return printers
        return printers.filter(pk__in=[pk for pk, state in states_of(printers).items() if state in wanted])


def states_of(printers: QuerySet[Printer]) -> dict[int, MachineState]:
    """How they stand now, by id."""
    rows = Printer.objects.filter(pk__in=printers.values("pk"))
    return {standing.printer.pk: standing.state for standing in overview(clock.now(), rows)}


class Printers(Changeable):
    """Everybody sees the machines, trainers keep them."""

    queryset = Printer.objects.select_related("location").prefetch_related("qualifications")
    serializer_class = PrinterSerializer
    filterset_class = PrinterFilter
    ordering_fields = ["id", "name", "kind", "maker", "model", "service"]
    ordering = ["name"]
    volatile = {"state"}

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """With the states of the machines that it shows."""
        shown = args[0] if args else []
        rows: Iterable[Printer] = [shown] if isinstance(shown, Printer) else shown
        states = states_of(Printer.objects.filter(pk__in=[row.pk for row in rows]))
        kwargs["context"] = {**self.get_serializer_context(), "states": states}
        return self.get_serializer_class()(*args, **kwargs)

    def keep(self, row: Printer, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door, where anything differs."""
        qualifications = given.get("qualifications")
        if row.pk is not None and qualifications is not None:
            held = {qualification.pk for qualification in row.qualifications.all()}
            if held == {qualification.pk for qualification in qualifications}:
                qualifications = None
        named = [*changed, *(["qualifications"] if qualifications is not None else [])]
        if named or row.pk is None:
            keeping.save_printer(row, changed=named, qualifications=qualifications, actor=self.actor, now=now)

    def drop(self, row: Printer, now: datetime) -> None:
        """Only one that nobody ever booked."""
        keeping.remove_printer(row, actor=self.actor, now=now)

    @extend_schema(request=ServiceSerializer, responses=PrinterSerializer)
    @action(detail=True, methods=["post"])
    def service(self, request: Request, pk: str) -> Response:
        """Take the machine out of service, or back. Trainers only.

        Bookings that stand are kept; nobody can make new ones meanwhile.
        """
        order = ServiceSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        with transaction.atomic():
            printer = self.taken(pk)
            keeping.set_service(
                [printer],
                Service(order.validated_data["service"]),
                note=order.validated_data["note"],
                actor=self.actor,
                now=clock.now(),
            )
            return self.represent(self.get_queryset().get(pk=pk))

    # -------------------------------------------------------------- how they stand

    @extend_schema(operation_id="printers_status_list", responses=StatusListSerializer, filters=True)
    @action(detail=False, url_path="status", url_name="status-list")
    def status_list(self, request: Request) -> Response:
        """How every machine stands now: who has it, what it draws, until when it is free."""
        standings = overview(clock.now(), self.filter_queryset(Printer.objects.all()))
        return Response({"results": self._say(StatusSerializer, standings, many=True)})

    @extend_schema(responses=StatusSerializer, filters=False)
    @action(detail=True)
    def status(self, request: Request, pk: str) -> Response:
        """How the machine stands now."""
        self.get_object()
        (standing,) = overview(clock.now(), Printer.objects.filter(pk=pk))
        return Response(self._say(StatusSerializer, standing))

    # -------------------------------------------------------------- when they can be had

    @extend_schema(parameters=[LookSerializer], responses=AvailabilitySerializer, filters=False)
    @action(detail=True)
    def availability(self, request: Request, pk: str) -> Response:
        """When the machine is free, taken and closed over some days."""
        printer: Printer = self.get_object()
        look = self._asked(LookSerializer)
        now = clock.now()
        start, end = look.window(now)
        found = availability(printer, start, end, now=now)
        told = {
            "printer": printer.pk,
            "from": start,
            "to": end,
            "free": found.free,
            "taken": found.taken,
            "closed": found.closed,
        }
        return Response(self._say(AvailabilitySerializer, told))

    @extend_schema(parameters=[NextFreeOfOneSerializer], responses=OffersSerializer, filters=False)
    @action(detail=True, url_path="next-free")
    def next_free(self, request: Request, pk: str) -> Response:
        """The next windows of a length that could be booked, one behind the other."""
        printer: Printer = self.get_object()
        asked = self._asked(NextFreeOfOneSerializer).validated_data
        now = clock.now()
        length = timedelta(minutes=asked["minutes"])
        windows = next_windows(printer, length, after=asked.get("after", now), now=now, count=asked["count"])
        return self._offer([(printer, window) for window in windows])

    @extend_schema(
        operation_id="printers_next_free_list",
        parameters=[NextFreeSerializer],
        responses=OffersSerializer,
        filters=True,
    )
    @action(detail=False, url_path="next-free", url_name="next-free-list")
    def next_free_list(self, request: Request) -> Response:
        """The soonest window of a length on every machine that has one, the soonest first."""
        asked = self._asked(NextFreeSerializer).validated_data
        now = clock.now()
        printers = list(self.filter_queryset(self.get_queryset()))
        length = timedelta(minutes=asked["minutes"])
        return self._offer(soonest(printers, length, after=asked.get("after", now), now=now))

    def _offer(self, offers: Sequence[tuple[Printer, Window]]) -> Response:
        held = held_qualifications(self.person.pk, clock.now())
        results = [
            {
                "printer": printer,
                "window": window,
                "is_qualified": {row.pk for row in printer.qualifications.all()} <= held,
            }
            for printer, window in offers
        ]
        return Response(self._say(OffersSerializer, {"results": results}))

    def _asked(self, kind: type[Any]) -> Any:
        """The query, judged. Raises ValidationError."""
        asked = kind(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return asked

    def _say(self, kind: type[serializers.BaseSerializer[Any]], what: Any, **options: Any) -> Any:
        return kind(what, context={"viewer": self.person}, **options).data
