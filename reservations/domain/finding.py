"""Find windows that a booking of a given length would be given."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db.models import prefetch_related_objects
from django.utils import timezone

from printers.domain.queries import hours_of, outages_between, shuts
from printers.models import Printer
from reservations.domain.facts import machine_facts, taken_by_machine, zone
from reservations.domain.queries import free_windows, gaps_between
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
    search = _Search.of(machine_facts(printer), length, after=after, now=now)
    if search is None:
        return []
    gaps = free_windows(printer, search.earliest, search.end, shortest=search.length)
    return list(islice(_fitting(gaps, search), count))


def soonest(
    printers: Collection[Printer], length: timedelta, *, after: datetime, now: datetime
) -> list[tuple[Printer, Window]]:
    """The first window of every machine that has one, the soonest first; four queries however many there are."""
    hours = hours_of(p.location_id for p in printers if p.location_id)
    prefetch_related_objects(list(printers), "qualifications")
    machines = {p: machine_facts(p, hours[p.location_id] if p.location_id else ()) for p in printers}
    found = {p: _Search.of(machine, length, after=after, now=now) for p, machine in machines.items()}
    searches = {p: search for p, search in found.items() if search is not None}
    offers = [
        (p, window)
        for p, gaps in _gaps_of(searches).items()
        if (window := next(_fitting(gaps, searches[p]), None)) is not None
    ]
    return sorted(offers, key=lambda offer: (offer[1].starts_at, offer[0].name))


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for on one machine: a start from ``earliest`` to ``latest``, instants in UTC."""

    machine: MachineFacts
    length: timedelta
    earliest: datetime
    latest: datetime
    now: datetime

    @classmethod
    def of(
        cls, machine: MachineFacts, length: timedelta, *, after: datetime, now: datetime
    ) -> "_Search | None":
        """None where the machine's own rules leave nothing to look for."""
        length += -length % machine.step
        # In UTC, since adding to a local time is adding to what the clock on the wall shows.
        earliest = max(after, now + machine.notice).astimezone(UTC)
        latest = (now + machine.horizon).astimezone(UTC)
        is_bookable = machine.is_in_service and machine.shortest <= length <= machine.longest
        return cls(machine, length, earliest, latest, now) if is_bookable and earliest <= latest else None

    @property
    def end(self) -> datetime:
        """No window of the search ends later."""
        return self.latest + self.length


def _gaps_of(searches: Mapping[Printer, _Search]) -> dict[Printer, list[Window]]:
    """Every machine's free windows; two queries."""
    if not searches:
        return {}
    start = min(search.earliest for search in searches.values())
    end = max(search.end + search.machine.buffer for search in searches.values())
    outages = outages_between(list(searches), start, end)
    taken = taken_by_machine(searches, start, end)
    return {
        p: gaps_between(
            search.earliest,
            search.end,
            buffer=search.machine.buffer,
            shortest=search.length,
            shut=[Window(o.starts_at, o.ends_at) for o in outages if shuts(o, p)],
            taken=taken[p.pk],
        )
        for p, search in searches.items()
    }


def _fitting(gaps: Iterable[Window], search: _Search) -> Iterator[Window]:
    machine, length = search.machine, search.length
    step = machine.step // MINUTE
    for gap in gaps:
        at = next_step(gap.starts_at, step)
        while at <= search.latest and at + length <= gap.ends_at:
            window = Window(at, at + length)
            facts = Facts(now=search.now, zone=zone(), window=window, machine=machine)
            if location_is_open(facts) is None:
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
