"""What is said to be free is free, and what is not said to be free is not."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from printers.choices import Service
from reservations.domain import booking
from reservations.domain.availability import availability
from reservations.domain.booking import Wish
from reservations.domain.rules import Window
from tests import factories
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def spans(windows):
    return [
        f"{w.starts_at.astimezone(BERLIN):%a %H:%M}–{w.ends_at.astimezone(BERLIN):%a %H:%M}" for w in windows
    ]


def put_into_room(printer, *hours):
    printer.location = factories.LocationFactory()
    printer.save()
    for weekday, opens, closes in hours:
        factories.OpeningHoursFactory(
            location=printer.location, weekday=weekday, opens=time(opens), closes=time(closes)
        )


def book(printer, alice, starts_at, length=HOUR):
    wish = Wish(printer.pk, alice.user_id, starts_at + length, starts_at)
    return booking.book(wish, actor=alice, now=NOON)


def test_a_machine_without_hours_is_free_around_what_is_taken(printer, alice, now):
    printer.buffer_minutes = 15
    printer.save()
    job = book(printer, alice, now + 2 * HOUR)

    found = availability(printer, now, now + 6 * HOUR, now=now)

    assert spans(found.free) == ["Wed 10:00–Wed 11:45", "Wed 13:15–Wed 16:00"]
    assert (found.taken, found.closed) == ([job], [])


def test_opening_hours_outages_and_the_first_step(printer, now):
    put_into_room(printer, (3, 8, 18), (4, 8, 18))
    outage = factories.OutageFactory(
        location=printer.location, starts_at=now + 2 * HOUR, ends_at=now + 3 * HOUR + MINUTE
    )

    found = availability(printer, now, now + DAY, now=now)

    assert spans(found.free) == ["Wed 10:00–Wed 12:00", "Wed 13:15–Wed 18:00", "Thu 08:00–Thu 10:00"]
    assert found.closed == [outage]


def test_before_closing_time_a_start_needs_its_room_unless_the_machine_may_run_on(printer, alice, now):
    put_into_room(printer, (3, 8, 18))
    printer.min_minutes = 240
    book(printer, alice, now, 5 * HOUR)  # until 15:00

    assert spans(availability(printer, now, now + DAY, now=now).free) == ["Wed 15:00–Wed 18:00"]
    printer.is_open_at_night = False
    assert availability(printer, now, now + DAY, now=now).free == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"service": Service.OUT_OF_ORDER}, []),
        ({"notice_minutes": 90}, ["Wed 11:30–Thu 10:00"]),
        ({"horizon_days": 0}, []),
        ({"min_minutes": 15}, ["Wed 10:00–Thu 10:00"]),
    ],
)
def test_the_machines_own_rules_are_applied(printer, now, rules, expected):
    for name, value in rules.items():
        setattr(printer, name, value)

    assert spans(availability(printer, now - DAY, now + DAY, now=now).free) == expected


def test_the_number_of_queries_does_not_grow(printer, alice, now, django_assert_max_num_queries):
    put_into_room(printer)
    for hours in range(0, 60, 2):
        book(printer, alice, now + hours * HOUR)

    with django_assert_max_num_queries(6):
        assert len(availability(printer, now, now + 5 * DAY, now=now).free) == 30


NIGHTS = [
    datetime(2026, 2, 4, 9, tzinfo=UTC),
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 21, tzinfo=UTC),
]
HOURS = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 22), st.integers(1, 8)), max_size=9, unique_by=lambda h: h[0]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_the_door_agrees_about_every_half_hour(people, alice, data):
    """The shortest booking is accepted where a span is offered, and nowhere else."""
    now = data.draw(st.sampled_from(NIGHTS))
    printer = factories.PrinterFactory(
        plug=None,
        location=factories.LocationFactory(),
        step_minutes=30,
        min_minutes=data.draw(st.sampled_from([30, 120])),
        horizon_days=data.draw(st.sampled_from([1, 60])),
        notice_minutes=data.draw(st.sampled_from([0, 7, 600])),
        buffer_minutes=data.draw(st.sampled_from([0, 10, 45])),
        is_open_at_night=data.draw(st.booleans()),
    )
    for weekday, opens, hours in data.draw(HOURS):
        factories.OpeningHoursFactory(
            location=printer.location,
            weekday=weekday,
            opens=time(opens),
            closes=time(min(opens + hours, 23), 30),
        )
    for begin in data.draw(st.lists(st.integers(1, 60), max_size=3)):
        factories.OutageFactory(
            printer=printer, starts_at=now + begin * HOUR / 2, ends_at=now + (begin + 3) * HOUR / 2
        )

    found = availability(printer, now, now + 36 * HOUR, now=now)

    for half_hours in range(1, 72, 3):
        start = now + half_hours * HOUR / 2
        window = Window(start, start + printer.min_minutes * MINUTE)
        wish = Wish(printer.pk, alice.user_id, window.ends_at, window.starts_at)
        is_said_free = any(fits(window, span, found.closed, printer) for span in found.free)
        assert (booking.check(wish, actor=alice, now=now) == []) == is_said_free, start


def fits(window, span, closed, printer):
    """A machine that must not run at night has to be done within the span; of others the end may lie behind it."""
    if not span.starts_at <= window.starts_at < span.ends_at:
        return False
    if printer.location.hours.exists() and not printer.is_open_at_night:
        return window.ends_at <= span.ends_at
    return not any(window.overlaps(Window(o.starts_at, o.ends_at)) for o in closed)
