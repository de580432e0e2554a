"""When one machine can be had over some days: where a booking can begin, what is taken, what is closed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from printers.choices import Service
from printers.domain.queries import hours_of, outages_between
from printers.models import OpeningHours, Outage, Printer
from reservations.domain.facts import zone
from reservations.domain.finding import next_step
from reservations.domain.queries import free_windows
from reservations.domain.rules import Window
from reservations.models import OCCUPIES, Job


@dataclass(frozen=True, slots=True)
class Availability:
    """``free``: spans in which a booking can begin; of a machine that may run on after closing time, its end may lie
    behind the span's. ``taken``: bookings that stand, each until the machine can be had again. ``closed``: outages.
    """

    free: list[Window]
    taken: list[Job]
    closed: list[Outage]


def availability(printer: Printer, start: datetime, end: datetime, *, now: datetime) -> Availability:
    """The machine in ``[start, end)``, the opening hours and all its own rules applied; six queries."""
    jobs = Job.objects.filter(OCCUPIES, printer=printer, starts_at__lt=end, occupied_until__gt=start)
    return Availability(
        free=list(_free(printer, start, end, now)),
        taken=list(jobs.order_by("starts_at")),
        closed=outages_between([printer], start, end),
    )


def _free(printer: Printer, start: datetime, end: datetime, now: datetime) -> Iterator[Window]:
    shortest = timedelta(minutes=printer.min_minutes)
    earliest = max(start, now + timedelta(minutes=printer.notice_minutes)).astimezone(UTC)
    latest = min(end, now + timedelta(days=printer.horizon_days)).astimezone(UTC)
    if printer.service != Service.IN_SERVICE or earliest >= latest:
        return
    hours = hours_of([printer.location_id])[printer.location_id] if printer.location_id else []
    # Looked at a little further than asked: what begins just before the end still needs its room.
    gaps = free_windows(printer, earliest, latest + shortest, shortest=shortest)
    asked = Window(earliest, latest)
    for opening in openings_between(hours, earliest, latest):
        for gap in gaps:
            room = shared(opening, gap)
            span = room and shared(room, asked)
            if room and span:
                room_until = room.ends_at if hours and not printer.is_open_at_night else gap.ends_at
                yield from _from_first_step(span, room_until, printer, now)


def _from_first_step(span: Window, room_until: datetime, printer: Printer, now: datetime) -> Iterator[Window]:
    """The span from its first step on, if the shortest booking fits."""
    begin = span.starts_at if span.starts_at <= now else next_step(span.starts_at, printer.step_minutes)
    if begin < span.ends_at and room_until - begin >= timedelta(minutes=printer.min_minutes):
        yield Window(begin, span.ends_at)


def openings_between(hours: Sequence[OpeningHours], start: datetime, end: datetime) -> Iterator[Window]:
    """The openings that touch ``[start, end)``, in order; the whole of it where there are no hours at all."""
    if not hours:
        yield Window(start, end)
        return
    day, last = (timezone.localtime(at, zone()).date() for at in (start, end))
    while day <= last:
        yield from (opening for opening in openings_of(day, hours) if opening.overlaps(Window(start, end)))
        day += timedelta(days=1)


def openings_of(day: date, hours: Sequence[OpeningHours]) -> list[Window]:
    """When the doors are open on that day, in UTC; the whole day where there are no hours at all."""
    if not hours:
        begin, end = (datetime.combine(day + timedelta(days=n), time(), zone()) for n in (0, 1))
        return [Window(begin.astimezone(UTC), end.astimezone(UTC))]
    return [
        Window(*(datetime.combine(day, at, zone()).astimezone(UTC) for at in (row.opens, row.closes)))
        for row in hours
        if row.weekday == day.isoweekday()
    ]


def shared(one: Window, other: Window) -> Window | None:
    """What lies in both."""
    if not one.overlaps(other):
        return None
    return Window(max(one.starts_at, other.starts_at), min(one.ends_at, other.ends_at))
