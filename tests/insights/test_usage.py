"""Uses and hours by hand: edges of the period, midnight, the days when the clocks change, and what never ran."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from insights.domain import usage
from insights.domain.usage import Period, Share, Span, Usage
from reservations.choices import State
from reservations.models import Job
from tests import factories

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def berlin(*parts: int, fold: int = 0) -> datetime:
    """An instant by the workshop's clock."""
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)


def ran(printer, owner, begin: datetime, end: datetime | None, state: State = State.FINISHED) -> Job:
    """A job as it really ran: history, for which there is no door."""
    state = State.RUNNING if end is None else state
    last = end or begin + HOUR
    return Job.objects.bulk_create(
        [
            Job(
                printer=printer,
                owner=owner,
                state=state,
                started_at=begin,
                finished_at=end,
                starts_at=begin,
                ends_at=max(last, begin + timedelta(minutes=1)),
                occupied_until=max(last, begin + timedelta(minutes=1)),
                channel="web",
                created_at=begin,
                changed_at=begin,
            )
        ]
    )[0]


def day(*parts: int) -> Period:
    """A whole day by the workshop's clock."""
    on = date(*parts)
    after = on + timedelta(days=1)
    return Period(berlin(on.year, on.month, on.day), berlin(after.year, after.month, after.day))


def test_uses_and_hours_by_machine_and_person(people, printer):
    lathe = factories.PrinterFactory(name="A lathe")
    ran(printer, people.alice, berlin(2026, 2, 4, 8), berlin(2026, 2, 4, 9, 30))
    ran(printer, people.charlie, berlin(2026, 2, 4, 10), berlin(2026, 2, 4, 11), State.ABORTED)
    ran(lathe, people.alice, berlin(2026, 2, 4, 10), berlin(2026, 2, 4, 10, 15))
    period = day(2026, 2, 4)
    assert usage.total(period, NOW) == Usage(3, 2.75 * HOUR)
    assert usage.by_printer(period, NOW) == [
        Share(lathe.pk, "A lathe", Usage(1, HOUR / 4)),
        Share(printer.pk, printer.name, Usage(2, 2.5 * HOUR)),
    ]
    assert usage.by_user(period, NOW) == [
        Share(people.alice.pk, "Alice", Usage(2, 1.75 * HOUR)),
        Share(people.charlie.pk, "Charlie", Usage(1, HOUR)),
    ]
    assert usage.by_user(period, NOW, user_id=people.charlie.pk)[0].pk == people.charlie.pk
    assert usage.total(period, NOW, printer_id=lathe.pk) == Usage(1, HOUR / 4)


@pytest.mark.parametrize("state", [State.BOOKED, State.PENDING, State.MISSED, State.CANCELLED, State.REFUSED])
def test_what_never_ran_is_no_use(people, printer, state):
    job = ran(printer, people.alice, berlin(2026, 2, 4, 8), berlin(2026, 2, 4, 9))
    Job.objects.filter(pk=job.pk).update(state=state, started_at=None, finished_at=None)
    assert usage.total(day(2026, 2, 4), NOW) == Usage()


@pytest.mark.parametrize(
    ("begin", "end", "uses", "hours"),
    [
        ((2026, 2, 3, 22), (2026, 2, 4, 1), 1, 1),  # in from the day before
        ((2026, 2, 4, 23), (2026, 2, 5, 2), 1, 1),  # out into the next
        ((2026, 2, 3, 12), (2026, 2, 5, 12), 1, 24),  # all day and longer
        ((2026, 2, 3, 22), (2026, 2, 4, 0), 0, 0),  # over as the day began
        ((2026, 2, 5, 0), (2026, 2, 5, 1), 0, 0),  # began as it was over
        ((2026, 2, 4, 8), (2026, 2, 4, 8), 1, 0),  # stopped at once
    ],
)
def test_only_the_part_inside_counts(people, printer, begin, end, uses, hours):
    ran(printer, people.alice, berlin(*begin), berlin(*end))
    expected = Usage(uses, hours * HOUR)
    assert usage.total(day(2026, 2, 4), NOW) == expected
    [stretch] = usage.over_time(day(2026, 2, 4), NOW, Span.DAY)
    assert stretch.usage == expected


def test_running_job_counts_until_now_and_no_further(people, printer):
    ran(printer, people.alice, berlin(2026, 2, 4, 8), None)
    assert usage.total(day(2026, 2, 4), berlin(2026, 2, 4, 10)) == Usage(1, 2 * HOUR)
    assert usage.total(day(2026, 2, 4), berlin(2026, 2, 5, 10)) == Usage(1, 16 * HOUR)
    assert usage.total(day(2026, 2, 5), berlin(2026, 2, 4, 10)) == Usage()


@pytest.mark.parametrize(
    ("on", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 3, 28), 24), ((2026, 10, 26), 24)]
)
def test_day_has_as_many_hours_as_the_clock_change_leaves_it(people, printer, on, hours):
    whole = day(*on)
    ran(printer, people.alice, whole.starts_at - 5 * HOUR, whole.ends_at + 5 * HOUR)
    wide = Period(whole.starts_at - 24 * HOUR, whole.ends_at + 24 * HOUR)
    found = {stretch.period: stretch.usage for stretch in usage.over_time(wide, NOW, Span.DAY)}
    assert found[whole] == Usage(1, hours * HOUR)
    assert usage.total(whole, NOW) == Usage(1, hours * HOUR)


def test_hour_that_comes_twice_counts_twice(people, printer):
    ran(printer, people.alice, berlin(2026, 10, 25, 2, 30), berlin(2026, 10, 25, 2, 30, fold=1))
    [stretch] = usage.over_time(day(2026, 10, 25), NOW, Span.DAY)
    assert stretch.usage == Usage(1, HOUR)


def test_night_before_the_clock_change_is_split_at_midnight_of_the_workshop(people, printer):
    ran(printer, people.alice, berlin(2026, 3, 28, 22), berlin(2026, 3, 29, 6))
    period = Period(berlin(2026, 3, 28), berlin(2026, 3, 30))
    assert [s.usage.time / HOUR for s in usage.over_time(period, NOW, Span.DAY)] == [2, 5]


def test_weeks_begin_on_monday_and_months_on_the_first(people, printer):
    ran(printer, people.alice, berlin(2026, 2, 1, 22), berlin(2026, 2, 2, 3))  # Sunday to Monday
    ran(printer, people.alice, berlin(2026, 2, 28, 23), berlin(2026, 3, 1, 1))
    period = Period(berlin(2026, 1, 30), berlin(2026, 3, 3))
    weeks = usage.over_time(period, NOW, Span.WEEK)
    assert [(w.period.starts_at, w.usage.uses, w.usage.hours) for w in weeks if w.usage.uses] == [
        (berlin(2026, 1, 30), 1, 2),
        (berlin(2026, 2, 2), 1, 3),
        (berlin(2026, 2, 23), 1, 2),
    ]
    months = usage.over_time(period, NOW, Span.MONTH)
    assert [(m.period.starts_at, m.usage.uses, m.usage.hours) for m in months] == [
        (berlin(2026, 1, 30), 0, 0),
        (berlin(2026, 2, 1), 2, 6),
        (berlin(2026, 3, 1), 1, 1),
    ]


def test_use_that_ends_at_midnight_is_none_of_the_next_day(people, printer):
    ran(printer, people.alice, berlin(2026, 2, 4, 22), berlin(2026, 2, 5))
    period = Period(berlin(2026, 2, 4), berlin(2026, 2, 6))
    for span, expected in ((Span.DAY, [Usage(1, 2 * HOUR), Usage()]), (Span.MONTH, [Usage(1, 2 * HOUR)])):
        assert [stretch.usage for stretch in usage.over_time(period, NOW, span)] == expected


@pytest.mark.parametrize(
    ("month", "days", "hours"), [(3, (28, 29, 30), [12, 23, 12]), (10, (24, 25, 26), [12, 25, 12])]
)
def test_period_may_be_told_by_the_workshops_clock(people, printer, month, days, hours):
    """Two instants of that zone differ by what their clocks say, unless somebody takes care."""
    begin, end = (datetime(2026, month, day, 12, tzinfo=BERLIN) for day in (days[0], days[-1]))
    ran(printer, people.alice, begin.astimezone(UTC) - HOUR, end.astimezone(UTC) + HOUR)
    period = Period(begin, end)
    assert [s.usage.hours for s in usage.over_time(period, NOW, Span.DAY)] == hours
    assert usage.total(period, NOW).hours == sum(hours)


def test_period_within_the_hour_that_comes_twice(people, printer):
    first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1))
    ran(printer, people.alice, berlin(2026, 10, 25), berlin(2026, 10, 25, 12))
    assert usage.total(Period(first, second), NOW) == Usage(1, HOUR)


def test_empty_days_are_named_too(db):
    found = usage.over_time(Period(berlin(2026, 2, 1), berlin(2026, 2, 4)), NOW, Span.DAY)
    assert [stretch.usage for stretch in found] == [Usage()] * 3


def test_period_has_to_have_a_length():
    with pytest.raises(ValueError, match="ends after"):
        Period(NOW, NOW)


@pytest.mark.parametrize(
    "ask",
    [
        lambda period: usage.total(period, NOW),
        lambda period: usage.by_printer(period, NOW),
        lambda period: usage.by_user(period, NOW),
        *[lambda period, span=span: usage.over_time(period, NOW, span) for span in Span],
    ],
)
def test_each_question_is_one_query_however_many_jobs(people, printer, ask):
    period = Period(berlin(2026, 1, 1), berlin(2026, 3, 1))
    for n in range(30):
        ran(
            printer,
            people.alice,
            berlin(2026, 1, 1) + n * 30 * HOUR,
            berlin(2026, 1, 1) + (n * 30 + 20) * HOUR,
        )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(period)
    assert len(queries) == 1


# Microseconds, the clock changes of 2026, jobs of days, and the instant of midnight itself.
INSTANTS = st.one_of(
    st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 31), timezones=st.just(UTC)),
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 10, 27), timezones=st.just(UTC)),
    st.sampled_from([berlin(2026, 3, 29), berlin(2026, 10, 25), berlin(2026, 10, 26), berlin(2026, 10, 24)]),
)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=3))


def plainly(period: Period, jobs: list[tuple[datetime, datetime]]) -> Usage:
    """The same without a database."""
    found = Usage()
    for begin, end in jobs:
        inside = min(end, period.ends_at) - max(begin, period.starts_at)
        is_instant = begin == end and period.starts_at <= begin < period.ends_at
        if inside > timedelta(0) or is_instant:
            found += Usage(1, max(inside, timedelta(0)))
    return found


class TestSums(TestCase):
    """Whatever the jobs and the period: every sum agrees with the plain reckoning, and the days add up."""

    @settings(max_examples=60, deadline=None)
    @given(
        jobs=st.lists(st.tuples(INSTANTS, LENGTHS), max_size=6),
        begin=INSTANTS,
        length=st.timedeltas(timedelta(microseconds=1), timedelta(days=9)),
        span=st.sampled_from(list(Span)),
    )
    def test_parts_add_up(self, jobs, begin, length, span):
        owner, windows = factories.TraineeFactory(), []
        for start, lasting in jobs:
            windows.append((start, start + lasting))
            ran(factories.PrinterFactory(), owner, start, start + lasting)
        period = Period(begin, begin + length)
        whole = usage.total(period, NOW)
        assert whole == plainly(period, windows)
        parts = usage.over_time(period, NOW, span)
        assert [part.usage for part in parts] == [plainly(part.period, windows) for part in parts]
        assert sum((part.usage.time for part in parts), timedelta(0)) == whole.time
        assert sum((s.usage for s in usage.by_printer(period, NOW)), Usage()) == whole
        assert sum((s.usage for s in usage.by_user(period, NOW)), Usage()) == whole
