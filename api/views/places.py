"""Rooms, closures, qualifications and who holds them: everybody reads, trainers keep them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, CharFilter, FilterSet

from accounts.domain import training
from accounts.models import Grant, Qualification
from api.filters import InstantFilter
from api.serializers.places import (
    GrantSerializer,
    LocationSerializer,
    OutageSerializer,
    QualificationSerializer,
)
from api.views.keeping import Changeable, Kept
from printers.domain import keeping, places
from printers.models import Location, Outage


class NameFilter(FilterSet):
    """By name."""

    name = CharFilter("name", "icontains", help_text="A part of the name.")


class Locations(Changeable):
    """Rooms and when they are open; machines without a room can be booked at any hour."""

    queryset = Location.objects.prefetch_related("hours")
    serializer_class = LocationSerializer
    filterset_class = NameFilter
    ordering_fields = ["id", "name"]
    ordering = ["name"]

    def keep(self, row: Location, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door, where anything differs."""
        hours = given.get("hours")
        openings = None if hours is None else [(h["weekday"], h["opens"], h["closes"]) for h in hours]
        if row.pk is not None and openings is not None:
            present = {(h.weekday, h.opens, h.closes) for h in row.hours.all()}
            openings = None if len(openings) == len(present) and set(openings) == present else openings
        named = [*changed, *(["opening_hours"] if openings is not None else [])]
        if named:
            places.save_location(row, changed=named, hours=openings, actor=self.actor, now=now)

    def drop(self, row: Location, now: datetime) -> None:
        """Not while machines stand there."""
        places.remove_location(row, actor=self.actor, now=now)


class OutageFilter(FilterSet):
    """By what is shut, and when."""

    location = CharFilter("location__name", "iexact", help_text="The location's name.")
    starts_after = InstantFilter("starts_at", "gte")
    starts_before = InstantFilter("starts_at", "lt")
    ends_after = InstantFilter("ends_at", "gt")
    ends_before = InstantFilter("ends_at", "lte")

    class Meta:
        model = Outage
        fields = ["printer"]


class Outages(Changeable):
    """A machine or a whole location is shut for a while."""

    queryset = Outage.objects.select_related("location")
    serializer_class = OutageSerializer
    filterset_class = OutageFilter
    ordering_fields = ["id", "starts_at", "ends_at"]
    ordering = ["-starts_at"]

    def keep(self, row: Outage, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door, where anything differs."""
        if changed:
            keeping.save_outage(row, actor=self.actor, now=now)

    def drop(self, row: Outage, now: datetime) -> None:
        """The machine can be booked again."""
        keeping.lift_outage(row, actor=self.actor, now=now)


class Qualifications(Changeable):
    """What people must have learned before they may use certain machines."""

    queryset = Qualification.objects.all()
    serializer_class = QualificationSerializer
    filterset_class = NameFilter
    ordering_fields = ["id", "name"]
    ordering = ["name"]

    def keep(self, row: Qualification, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door, where anything differs."""
        if changed:
            training.save_qualification(row, changed=changed, actor=self.actor, now=now)

    def drop(self, row: Qualification, now: datetime) -> None:
        """Not while machines ask for it."""
        places.remove_qualification(row, actor=self.actor, now=now)


class GrantFilter(FilterSet):
    """By whom, what and until when."""

    expires_after = InstantFilter("expires_at", "gt")
    expires_before = InstantFilter("expires_at", "lte")
    is_for_good = BooleanFilter("expires_at", "isnull")

    class Meta:
        model = Grant
        fields = ["user", "qualification", "granted_by"]


class Grants(Kept):
    """Who holds which qualification. Trainees see their own; trainers give and take them back."""

    queryset = Grant.objects.all()
    serializer_class = GrantSerializer
    filterset_class = GrantFilter
    ordering_fields = ["id", "granted_at"]

    def get_queryset(self) -> QuerySet[Grant]:
        """For everybody but trainers there are none of others."""
        grants = super().get_queryset()
        return grants if self.person.is_trainer else grants.filter(user=self.person)

    def keep(self, row: Grant, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Give it."""
        training.give(row, actor=self.actor, now=now)

    def drop(self, row: Grant, now: datetime) -> None:
        """Take it back."""
        training.take_back(row, actor=self.actor, now=now)
