"""Find windows that a booking of a given length would be given."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.utils import timezone

from printers.models import Printer
from reservations.domain.facts import machine_facts, zone
from reservations.domain.queries import free_windows
from reservations.domain.rules import Facts, MachineFacts, Window, location_is_open

MINUTE = timedelta(minutes=1)


def next_step(at: datetime, minutes: int) -> datetime:
    """The first instant at or after ``at`` on the machine's grid, counted from local midnight."""
    local = timezone.localtime(at, zone())
    if local.second or local.microsecond:
        at += MINUTE - timedelta(seconds=local.second, microseconds=local.microsecond)
        local = timezone.localtime(at, zone())
    then = at + timedelta(minutes=_short_of_step(local, minutes))
    there = timezone.localtime(then, zone())
    if (there.date(), there.utcoffset()) == (local.date(), local.utcoffset()):
        return then
    # Midnight or a change of the clocks lies between: the grid begins anew, on the way or a little further on.
    while _short_of_step(timezone.localtime(at, zone()), minutes):
        at += MINUTE
    return at


def _short_of_step(local: datetime, minutes: int) -> int:
    return -(local.hour * 60 + local.minute) % minutes


def next_windows(
    printer: Printer, length: timedelta, *, after: datetime, now: datetime, count: int = 3
) -> list[Window]:
    """The first ``count`` windows of that length from ``after`` on, one behind the other, by the machine's rules.

    A length between two steps of the machine is rounded up. What concerns the person (qualification, limits) is not
    judged. Empty where the machine is out of service, or where nothing fits before its horizon.
    """
    machine = machine_facts(printer)
    length += -length % machine.step
    if not machine.is_in_service or not machine.shortest <= length <= machine.longest:
        return []
    # In UTC, since adding to a local time is adding to what the clock on the wall shows.
    earliest = max(after, now + machine.notice).astimezone(UTC)
    latest = (now + machine.horizon).astimezone(UTC)
    if earliest > latest:
        return []
    gaps = free_windows(printer, earliest, latest + length, shortest=length)
    fitting = (window for gap in gaps for window in _fitting(gap, length, latest, machine, now))
    return list(islice(fitting, count))


def _fitting(
    gap: Window, length: timedelta, latest: datetime, machine: MachineFacts, now: datetime
) -> Iterator[Window]:
    step = machine.step // MINUTE
    at = next_step(gap.starts_at, step)
    while at <= latest and at + length <= gap.ends_at:
        window = Window(at, at + length)
        if location_is_open(Facts(now=now, zone=zone(), window=window, machine=machine)) is None:
            yield window
            at = next_step(window.ends_at, step)
        else:
            at = next_step(_next_edge(at, machine), step)


def _next_edge(at: datetime, machine: MachineFacts) -> datetime:
    """When the doors open or close next: until then no start is any better than this one."""
    today = timezone.localtime(at, zone()).date()
    edges = (
        datetime.combine(day, edge, zone()).astimezone(UTC)
        for day in (today + timedelta(days=ahead) for ahead in range(9))
        for hours in machine.hours
        if hours.weekday == day.isoweekday()
        for edge in (hours.opens, hours.closes)
    )
    return min(edge for edge in edges if edge > at)
