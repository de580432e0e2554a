"""Find windows that a booking of a given length would be given."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from printers.models import Printer
from reservations.domain.facts import machine_facts, zone
from reservations.domain.queries import free_windows
from reservations.domain.rules import Facts, MachineFacts, Window, location_is_open


def next_step(at: datetime, minutes: int) -> datetime:
    """The first instant at or after ``at`` on the machine's grid, counted from local midnight."""
    local = timezone.localtime(at, zone())
    if local.second or local.microsecond:
        at += timedelta(minutes=1) - timedelta(seconds=local.second, microseconds=local.microsecond)
        local = timezone.localtime(at, zone())
    return at + timedelta(minutes=-(local.hour * 60 + local.minute) % minutes)


def next_windows(
    printer: Printer, length: timedelta, *, after: datetime, now: datetime, count: int = 3
) -> list[Window]:
    """The first ``count`` windows of that length from ``after`` on, one behind the other, by the machine's rules.

    What concerns the person (qualification, limits) is not judged. Empty where the machine is out of service, or
    where nothing fits before its horizon.
    """
    machine = machine_facts(printer)
    if not machine.is_in_service or not machine.shortest <= length <= machine.longest:
        return []
    earliest = max(after, now + machine.notice)
    latest = now + machine.horizon
    if earliest > latest:
        return []
    gaps = free_windows(printer, earliest, latest + length, shortest=length)
    fitting = (window for gap in gaps for window in _fitting(gap, length, latest, machine, now))
    return list(islice(fitting, count))


def _fitting(
    gap: Window, length: timedelta, latest: datetime, machine: MachineFacts, now: datetime
) -> Iterator[Window]:
    step = machine.step // timedelta(minutes=1)
    at = next_step(gap.starts_at, step)
    while at <= latest and at + length <= gap.ends_at:
        window = Window(at, at + length)
        is_open = location_is_open(Facts(now=now, zone=zone(), window=window, machine=machine)) is None
        if is_open:
            yield window
        at = next_step(window.ends_at, step) if is_open else next_step(at + machine.step, step)
