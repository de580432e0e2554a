"""Free slots of the next days, and the machine's rules in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from accounts.domain.queries import held_qualifications
from accounts.models import User
from printers.domain.queries import hours_of
from printers.models import OpeningHours, Printer
from reservations.choices import OCCUPYING
from reservations.domain.availability import openings_of, shared
from reservations.domain.finding import next_step
from reservations.domain.queries import calendar, free_windows
from reservations.domain.rules import Window
from reservations.domain.wording import duration
from reservations.presenting import words

DAYS = 7
# What a tap on a free slot suggests, where that much is free.
SUGGESTED = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Slot:
    """A span in which a booking can start; ``query`` fills the form in."""

    text: str
    query: str
    starts_at: datetime
    is_now: bool


@dataclass(frozen=True, slots=True)
class SlotDay:
    """The slots of one day; none: ``closed`` or full."""

    name: str
    slots: tuple[Slot, ...]
    closed: bool


@dataclass(frozen=True, slots=True)
class Need:
    """A qualification the machine asks for, and whether the person has it."""

    name: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A booking in the machine's calendar, as the viewer may see it."""

    job_id: int | None
    window: str
    who: str
    is_mine: bool


def hours_at(printer: Printer) -> list[OpeningHours]:
    """The opening hours that apply to the machine; none: always open."""
    return hours_of([printer.location_id])[printer.location_id] if printer.location_id else []


def slot_days(printer: Printer, hours: Sequence[OpeningHours], now: datetime) -> list[SlotDay]:
    """The next days with the spans in which a booking can start, the opening hours applied."""
    today = timezone.localtime(now).date()
    horizon = now + timedelta(days=min(DAYS, printer.horizon_days + 1))
    earliest = now + timedelta(minutes=printer.notice_minutes)
    free = free_windows(
        printer, earliest, max(horizon, earliest), shortest=timedelta(minutes=printer.min_minutes)
    )
    return [_day(today + timedelta(days=ahead), free, printer, hours, now) for ahead in range(DAYS)]


def _day(
    on: date, free: list[Window], printer: Printer, hours: Sequence[OpeningHours], now: datetime
) -> SlotDay:
    openings = openings_of(on, hours)
    slots = (
        _slot(span, window.ends_at, printer, now)
        for opening in openings
        for window in free
        if (span := shared(opening, window))
    )
    return SlotDay(words.day(on, now), tuple(slot for slot in slots if slot), closed=not openings)


def _slot(span: Window, free_until: datetime, printer: Printer, now: datetime) -> Slot | None:
    """A span as a link; None where the next step of the machine lies beyond it."""
    is_now = span.starts_at <= now
    begin = now if is_now else next_step(span.starts_at, printer.step_minutes)
    room = min(free_until - begin, timedelta(minutes=printer.max_minutes))
    if begin >= span.ends_at or room < timedelta(minutes=printer.min_minutes):
        return None
    length = max(min(room, SUGGESTED), timedelta(minutes=printer.min_minutes))
    step = timedelta(minutes=printer.step_minutes)
    minutes = max(length // step * step, step) // timedelta(minutes=1)
    local = timezone.localtime(begin).strftime("%Y-%m-%dT%H:%M")
    starts = _("now") if is_now else words.clock(begin)
    ends = "24:00" if timezone.localtime(span.ends_at).time() == time() else words.clock(span.ends_at)
    return Slot(
        f"{starts}–{ends}",
        urlencode({"from": "now" if is_now else local, "for": minutes}, safe=":"),
        begin,
        is_now,
    )


def soonest(days: Sequence[SlotDay], printer: Printer, now: datetime) -> Slot:
    """The first free slot; where there is none, the next step of the machine's grid."""
    free = (slot for day in days for slot in day.slots)
    return next(free, Slot("", "", next_step(now, printer.step_minutes), is_now=False))


def needs(printer: Printer, viewer: User, now: datetime) -> list[Need]:
    """The qualifications asked for, and which of them the viewer holds."""
    wanted = list(printer.qualifications.all())
    held = held_qualifications(viewer.pk, now) if wanted else set()
    return [Need(row.name, row.pk in held) for row in wanted]


def rules_in_words(printer: Printer, hours: Sequence[OpeningHours]) -> list[str]:
    """What a booking of the machine has to keep, before anybody tries."""
    said = [
        _("Times in steps of %(length)s.") % {"length": duration(timedelta(minutes=printer.step_minutes))},
        _("From %(shortest)s to %(longest)s long.")
        % {
            "shortest": duration(timedelta(minutes=printer.min_minutes)),
            "longest": duration(timedelta(minutes=printer.max_minutes)),
        },
        _("Bookable up to %(length)s ahead.") % {"length": duration(timedelta(days=printer.horizon_days))},
    ]
    if printer.notice_minutes:
        notice = duration(timedelta(minutes=printer.notice_minutes))
        said.append(_("At least %(length)s between booking and start.") % {"length": notice})
    if printer.buffer_minutes:
        buffer = duration(timedelta(minutes=printer.buffer_minutes))
        said.append(_("%(length)s stay free after each booking.") % {"length": buffer})
    if hours:
        said.append(_("Starts inside the opening hours: %(hours)s.") % {"hours": hours_in_words(hours)})
        said.append(
            _("May run on after closing time.")
            if printer.is_open_at_night
            else _("Has to end before closing time.")
        )
    if printer.needs_approval:
        said.append(_("A trainer approves each booking."))
    return said


def hours_in_words(hours: Sequence[OpeningHours]) -> str:
    """ "Mon–Fri 08:00–18:00, Sat 09:00–13:00": neighbouring days with the same hours together."""
    by_day = [
        (weekday, " + ".join(f"{row.opens:%H:%M}–{row.closes:%H:%M}" for row in rows))
        for weekday, rows in groupby(
            sorted(hours, key=lambda r: (r.weekday, r.opens)), key=lambda r: r.weekday
        )
    ]
    runs = groupby(enumerate(by_day), key=lambda numbered: (numbered[1][1], numbered[1][0] - numbered[0]))
    parts = []
    for (times, _gap), members in runs:
        days = [str(WEEKDAYS_ABBR[weekday - 1]) for _n, (weekday, _times) in members]
        span = days[0] if len(days) == 1 else f"{days[0]}–{days[-1]}"
        parts.append(f"{span} {times}")
    return ", ".join(parts)


def taken_rows(printer: Printer, viewer: User, now: datetime) -> list[Taken]:
    """The machine's next bookings: times for everybody, who and what only for the owner and trainers."""
    rows = calendar(now, now + timedelta(days=DAYS), printer_ids=[printer.pk])
    return [_taken(row, viewer, now) for row in rows if row["ends_at"] > now and row["state"] in OCCUPYING]


def _taken(row: dict[str, object], viewer: User, now: datetime) -> Taken:
    is_mine = row["owner_id"] == viewer.pk
    may_know = is_mine or viewer.is_trainer
    starts_at, ends_at, job_id = row["starts_at"], row["ends_at"], row["id"]
    assert isinstance(starts_at, datetime)
    assert isinstance(ends_at, datetime)
    assert isinstance(job_id, int)
    return Taken(
        job_id=job_id if may_know else None,
        window=words.window(starts_at, ends_at, now),
        who=_("you")
        if is_mine
        else str(row["owner__first_name"] or _("booked"))
        if may_know
        else _("booked"),
        is_mine=is_mine,
    )
