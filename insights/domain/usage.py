"""How much the machines were used: uses and hours, from the jobs as they really ran.

A use is a job that was started; it lasts from its start to its end, or until now while it runs. Of a use that reaches
beyond the period only the part inside counts. Everything is added up by the database, in one statement for each of
the answer's parts, whatever the number of jobs.

Energy is not told: the plugs count it per day and month, with no mark at the start and end of a job, and a plug may
have moved to another machine since. What is not measured is not shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from django.db.models import Count, DateField, DateTimeField, DurationField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Greatest, Least, Trunc
from django.utils import timezone

from reservations.choices import State
from reservations.models import Job

# Whatever else became of it, a job in one of these was at work.
USED = (State.RUNNING, State.FINISHED, State.ABORTED)
TICK = timedelta(microseconds=1)
NOTHING = timedelta(0)


class Span(StrEnum):
    """Stretches of the workshop's calendar; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant to another, which is no longer part of it. Raises ValueError when it is empty.

    Kept in UTC: Python compares and subtracts two instants of the same other zone by their clocks alone.
    """

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts_at", self.starts_at.astimezone(UTC))
        object.__setattr__(self, "ends_at", self.ends_at.astimezone(UTC))
        if self.starts_at >= self.ends_at:
            raise ValueError("A period ends after it begins")


@dataclass(frozen=True, slots=True)
class Usage:
    """How often, and for how long altogether."""

    uses: int = 0
    time: timedelta = NOTHING

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.uses + other.uses, self.time + other.time)

    @property
    def hours(self) -> float:
        """To a ten-thousandth, which is less than a second."""
        return round(self.time / timedelta(hours=1), 4)


@dataclass(frozen=True, slots=True)
class Share:
    """What one machine or one person has of it."""

    pk: int
    name: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Stretch:
    """What fell into one day, week or month, as far as the period reaches."""

    period: Period
    usage: Usage


# ------------------------------------------------------------------ questions


def total(period: Period, now: datetime, *, printer_id: int | None = None) -> Usage:
    """All of it; one query."""
    return _usage(_uses(period, now, printer_id).aggregate(**_sums()))


def by_printer(period: Period, now: datetime, *, printer_id: int | None = None) -> list[Share]:
    """The machines that were used, by name; one query."""
    rows = _uses(period, now, printer_id).values("printer_id", "printer__name").annotate(**_sums())
    ordered = rows.order_by("printer__name", "printer_id")
    return [Share(row["printer_id"], row["printer__name"], _usage(row)) for row in ordered]


def by_user(
    period: Period, now: datetime, *, printer_id: int | None = None, user_id: int | None = None
) -> list[Share]:
    """The people who used machines, by name, or one of them alone; one query."""
    uses = _uses(period, now, printer_id)
    if user_id is not None:
        uses = uses.filter(owner_id=user_id)
    names = ("owner__first_name", "owner__last_name", "owner__username")
    rows = uses.values("owner_id", *names).annotate(**_sums()).order_by(*names)
    return [Share(row["owner_id"], _name(*(row[name] for name in names)), _usage(row)) for row in rows]


def over_time(period: Period, now: datetime, span: Span, *, printer_id: int | None = None) -> list[Stretch]:
    """Day by day, week by week or month by month in the workshop's time zone, the empty ones too; one query.

    A use that reaches over midnight counts on both days, with its part of each. The database puts uses together that
    begin in the same stretch and end in the same one; of such a group its number and two sums say all.
    """
    zone = timezone.get_default_timezone()
    parts = list(stretches(period, span, zone))
    found = dict.fromkeys((day for day, _part in parts), Usage())
    for group in _groups(_uses(period, now, printer_id), period, span, zone):
        within = [pair for pair in parts if group["first"] <= pair[0] <= group["last"]]
        for day, part in within:
            found[day] += Usage(group["uses"], _time_in(part, day, group, period))
    return [Stretch(part, found[day]) for day, part in parts]


def stretches(period: Period, span: Span, zone: tzinfo) -> Iterator[tuple[date, Period]]:
    """The days, weeks or months that the period touches: the first day of each, and its part of the period."""
    day = _first_day(period.starts_at.astimezone(zone).date(), span)
    while (begin := _midnight(day, zone)) < period.ends_at:
        following = _next(day, span)
        end = _midnight(following, zone)
        yield day, Period(max(begin, period.starts_at), min(end, period.ends_at))
        day = following


# ------------------------------------------------------------------ steps


def _uses(period: Period, now: datetime, printer_id: int | None) -> QuerySet[Job]:
    """The uses that touch the period, each cut to its part inside: ``begin`` and ``end``.

    No job starts before its window opens, so the window's index narrows the search.
    """
    jobs = Job.objects.filter(state__in=USED, starts_at__lt=period.ends_at, started_at__lt=period.ends_at)
    if printer_id is not None:
        jobs = jobs.filter(printer_id=printer_id)
    cut = jobs.annotate(
        begin=Greatest(F("started_at"), _instant(period.starts_at)),
        end=Least(Coalesce(F("finished_at"), _instant(now)), _instant(period.ends_at)),
    )
    return cut.filter(Q(end__gt=F("begin")) | Q(end=F("begin"), started_at__gte=period.starts_at)).order_by()


def _instant(at: datetime) -> Value:
    return Value(at, output_field=DateTimeField())


def _sums() -> dict[str, Any]:
    return {"uses": Count("pk"), "time": Sum(F("end") - F("begin"), output_field=DurationField())}


def _usage(row: Mapping[str, Any]) -> Usage:
    return Usage(row["uses"], row["time"] or NOTHING)


def _name(first: str, last: str, username: str) -> str:
    return f"{first} {last}".strip() or username


def _groups(uses: QuerySet[Job], period: Period, span: Span, zone: tzinfo) -> Iterable[Mapping[str, Any]]:
    """Uses with the same first and last stretch: how many, and the sums of their begins and ends since the period's."""

    def stretch_of(instant: Any) -> Trunc:
        return Trunc(instant, span.value, output_field=DateField(), tzinfo=zone)

    origin = _instant(period.starts_at)
    last_instant = Greatest(
        F("begin"), F("end") - Value(TICK, output_field=DurationField()), output_field=DateTimeField()
    )
    return (
        uses.annotate(first=stretch_of(F("begin")), last=stretch_of(last_instant))
        .values("first", "last")
        .annotate(
            uses=Count("pk"),
            begins=Sum(F("begin") - origin, output_field=DurationField()),
            ends=Sum(F("end") - origin, output_field=DurationField()),
        )
    )


def _time_in(part: Period, day: date, group: Mapping[str, Any], period: Period) -> timedelta:
    """What the uses of a group have together of one stretch."""
    uses: int = group["uses"]
    begins: timedelta = group["begins"]
    ends: timedelta = group["ends"]
    if day != group["first"]:
        begins = uses * (part.starts_at - period.starts_at)
    if day != group["last"]:
        ends = uses * (part.ends_at - period.starts_at)
    return ends - begins


def _midnight(day: date, zone: tzinfo) -> datetime:
    """The instant at which the day begins."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _first_day(day: date, span: Span) -> date:
    if span is Span.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if span is Span.MONTH else day


def _next(day: date, span: Span) -> date:
    if span is Span.MONTH:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if span is Span.WEEK else 1)
