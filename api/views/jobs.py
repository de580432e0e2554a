"""Jobs: book, look, change, extend, finish, cancel. Everything goes through the door."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.timezone import localtime
from django_filters.rest_framework import CharFilter, FilterSet, MultipleChoiceFilter
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api import problems
from api.filters import InstantFilter
from api.idempotency import once
from api.serializers.jobs import (
    BookingSerializer,
    ChangeSerializer,
    ExtendSerializer,
    JobSerializer,
    MoveSerializer,
    ReasonSerializer,
)
from api.views.base import Resource
from core import clock
from core.errors import Refused
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.domain.finding import next_windows
from reservations.domain.taking import take
from reservations.models import Job


class JobFilter(FilterSet):
    """``state`` may come several times; the others narrow by time and by who and what."""

    state = MultipleChoiceFilter(choices=State.choices)
    starts_after = InstantFilter("starts_at", "gte")
    starts_before = InstantFilter("starts_at", "lt")
    ends_after = InstantFilter("ends_at", "gt")
    ends_before = InstantFilter("ends_at", "lte")
    title = CharFilter("title", "icontains")

    class Meta:
        model = Job
        fields = ["printer", "owner"]


class Jobs(Resource):
    """Trainees see and change their own jobs, trainers everybody's."""

    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filterset_class = JobFilter
    ordering_fields = ["id", "starts_at", "ends_at", "created_at", "changed_at", "state"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Job]:
        """For everybody but trainers there are no jobs of others."""
        jobs = super().get_queryset()
        return jobs if self.person.is_trainer else jobs.filter(owner=self.person)

    @extend_schema(
        request=BookingSerializer,
        responses={201: JobSerializer},
        examples=[
            OpenApiExample("Now, for two hours", {"printer": 3, "minutes": 120}, request_only=True),
            OpenApiExample(
                "Tomorrow",
                {
                    "printer": 3,
                    "starts_at": "2026-03-02T10:00:00+01:00",
                    "ends_at": "2026-03-02T12:00:00+01:00",
                    "title": "Vase",
                },
                request_only=True,
            ),
        ],
    )
    @once
    def create(self, request: Request) -> Response:
        """Book a machine; the start is now where none is given."""
        now = clock.now()
        order = BookingSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        given = order.validated_data
        starts_at = given.get("starts_at")
        wish = Wish(
            printer_id=given["printer"].pk,
            owner_id=given.get("owner", self.person).pk,
            ends_at=order.end_from(starts_at or now),
            starts_at=starts_at,
            title=given["title"],
            note=given["note"],
        )
        with naming_alternatives(given["printer"], starts_at or now, wish.ends_at, now):
            job = booking.book(wish, actor=self.actor, now=now, waive_reason=given["waive_reason"])
        response = self.represent(job, status=201)
        response["Location"] = self.reverse_action("detail", args=[job.pk])
        return response

    @extend_schema(request=ChangeSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is named: title and note, the window, the machine."""
        order = ChangeSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        now, given = clock.now(), order.validated_data
        with transaction.atomic():
            job = self._taken(pk)
            if {"title", "note"} & set(given):
                words = {"title": job.title, "note": job.note} | {
                    name: given[name] for name in ("title", "note") if name in given
                }
                job = booking.describe(job.pk, **words, actor=self.actor, now=now)
            if {"printer", "starts_at", "ends_at"} & set(given):
                return self._move(job, given, now)
        return self.represent(job)

    @extend_schema(request=MoveSerializer, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Another window or machine, in one step: the old slot is kept until the new one is had."""
        order = MoveSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        with transaction.atomic():
            return self._move(self._taken(pk), order.validated_data, clock.now())

    @extend_schema(
        request=ExtendSerializer,
        responses=JobSerializer,
        examples=[OpenApiExample("Half an hour more", {"minutes": 30}, request_only=True)],
    )
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """A later end: so many minutes more, or an instant."""
        order = ExtendSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        now = clock.now()
        with transaction.atomic():
            job = self._taken(pk)
            later = order.end_from(job.ends_at)
            with naming_alternatives(job.printer, job.starts_at, later, now):
                changed = booking.extend(
                    job.pk,
                    ends_at=later,
                    actor=self.actor,
                    now=now,
                    waive_reason=order.validated_data["waive_reason"],
                )
        return self.represent(changed)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start a booked job whose window is open, though the machine still works on the one before."""
        return self._walk(pk, lifecycle.start)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def finish(self, request: Request, pk: str) -> Response:
        """End a running job; the rest of its time is free for others."""
        return self._walk(pk, lifecycle.finish)

    @extend_schema(request=ReasonSerializer, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give the slot back before the job has started."""
        return self._walk(pk, booking.cancel, takes_reason=True)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Say yes to a booking that waits for it. Trainers only."""
        return self._walk(pk, lifecycle.approve)

    @extend_schema(request=ReasonSerializer, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        """Say no to a booking that waits for approval, with a reason. Trainers only."""
        return self._walk(pk, lifecycle.refuse, takes_reason=True)

    @extend_schema(request=ReasonSerializer, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def abort(self, request: Request, pk: str) -> Response:
        """Stop a running job, with a reason. Trainers only."""
        return self._walk(pk, lifecycle.abort, takes_reason=True)

    def _walk(self, pk: str, door: Callable[..., Job], *, takes_reason: bool = False) -> Response:
        """Through one of the doors, if the asker knows the job's present version."""
        given: dict[str, Any] = {}
        if takes_reason:
            order = ReasonSerializer(data=self.request.data)
            order.is_valid(raise_exception=True)
            given = order.validated_data
        with transaction.atomic():
            job = self._taken(pk)
            changed = door(job.pk, **given, actor=self.actor, now=clock.now())
        return self.represent(changed)

    def _taken(self, pk: str) -> Job:
        """The job, locked as every change of it locks; 404 for strangers, 412 for a version that has passed."""
        if not self.get_queryset().filter(pk=pk).exists():
            raise Http404
        job, _printers = take(int(pk))
        self.demand_match(job)
        return job

    def _move(self, job: Job, given: dict[str, Any], now: datetime) -> Response:
        target: Printer = given.get("printer", job.printer)
        starts_at, ends_at = given.get("starts_at", job.starts_at), given.get("ends_at", job.ends_at)
        with naming_alternatives(target, starts_at, ends_at, now):
            changed = booking.move(
                job.pk,
                starts_at=starts_at,
                ends_at=ends_at,
                printer_id=target.pk,
                actor=self.actor,
                now=now,
                waive_reason=given["waive_reason"],
            )
        return self.represent(changed)


@contextmanager
def naming_alternatives(
    printer: Printer, starts_at: datetime, ends_at: datetime, now: datetime
) -> Iterator[None]:
    """Where the door says that the window is taken, add the next three that are free."""
    try:
        yield
    except Refused as no:
        length = ends_at - starts_at
        if "window_taken" not in no.codes or length <= timedelta(0):
            raise
        windows = next_windows(printer, length, after=max(starts_at, now), now=now)
        found = [
            {"printer": printer.pk, "starts_at": localtime(w.starts_at), "ends_at": localtime(w.ends_at)}
            for w in windows
        ]
        raise problems.Taken(no, found) from no
