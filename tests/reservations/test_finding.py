"""Every window that is offered can be booked: by the machine's hours, notice, horizon, buffer, outages and grid."""

import sys
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from printers.choices import Service
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.domain.finding import next_step, next_windows, soonest
from reservations.domain.rules import Window, location_is_open
from tests import factories

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str, fold: int = 0) -> datetime:
    """A local time in Berlin, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def starts(windows, *, day="%a %H:%M"):
    return [f"{window.starts_at.astimezone(BERLIN):{day}}" for window in windows]


@pytest.fixture
def open_hours(printer):
    """Puts the machine into a room that is open as told: ``open_hours((3, 8, 18), …)``."""

    def put(*hours):
        printer.location = factories.LocationFactory()
        printer.save()
        for weekday, opens, closes in hours:
            factories.OpeningHoursFactory(
                location=printer.location, weekday=weekday, opens=time(opens), closes=time(closes)
            )

    return put


def book(printer, alice, starts_at, length):
    return booking.book(
        Wish(printer.pk, alice.user_id, starts_at + length, starts_at), actor=alice, now=starts_at - DAY
    )


def test_on_a_free_machine_they_stand_one_behind_the_other(printer, now):
    found = next_windows(printer, HOUR, after=now, now=now)

    assert starts(found) == ["Wed 10:00", "Wed 11:00", "Wed 12:00"]
    assert [window.length for window in found] == [HOUR] * 3
    assert len(next_windows(printer, HOUR, after=now, now=now, count=7)) == 7


def test_the_first_lies_on_the_grid_behind_the_instant_asked_for(printer, now):
    assert starts(next_windows(printer, HOUR, after=now + 1 * MINUTE, now=now, count=1)) == ["Wed 10:15"]
    assert starts(next_windows(printer, HOUR, after=now + timedelta(seconds=1), now=now, count=1)) == [
        "Wed 10:15"
    ]
    assert starts(next_windows(printer, HOUR, after=now - 5 * DAY, now=now, count=1)) == ["Wed 10:00"]


def test_a_length_between_two_steps_is_rounded_up(printer, now, alice):
    (window,) = next_windows(printer, 50 * MINUTE, after=now + HOUR, now=now, count=1)

    assert window.length == HOUR
    wish = Wish(printer.pk, alice.user_id, window.ends_at, window.starts_at)
    assert booking.check(wish, actor=alice, now=now) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"min_minutes": 120},
        {"max_minutes": 45},
        {"service": Service.MAINTENANCE},
        {"service": Service.OUT_OF_ORDER},
        {"horizon_days": 1, "notice_minutes": 2 * 24 * 60},
    ],
    ids=["too-short", "too-long", "maintenance", "out-of-order", "notice-beyond-horizon"],
)
def test_nothing_where_no_booking_of_that_length_would_be_given(now, rules):
    printer = factories.PrinterFactory(**rules)

    assert next_windows(printer, HOUR, after=now, now=now) == []


def test_the_notice_is_kept(printer, now):
    printer.notice_minutes = 100

    assert starts(next_windows(printer, HOUR, after=now, now=now, count=1)) == ["Wed 11:45"]


def test_no_start_beyond_the_horizon_though_the_end_may_be(printer, now):
    printer.horizon_days = 1

    assert starts(next_windows(printer, 20 * HOUR, after=now, now=now)) == ["Wed 10:00", "Thu 06:00"]
    assert starts(next_windows(printer, HOUR, after=now + DAY, now=now)) == ["Thu 10:00"]
    assert next_windows(printer, HOUR, after=now + DAY + MINUTE, now=now) == []


def test_back_to_back_with_what_is_booked(printer, alice, now):
    book(printer, alice, now + 1 * HOUR, HOUR)
    book(printer, alice, now + 3 * HOUR, HOUR)

    assert starts(next_windows(printer, HOUR, after=now, now=now)) == ["Wed 10:00", "Wed 12:00", "Wed 14:00"]
    assert starts(next_windows(printer, 2 * HOUR, after=now, now=now, count=1)) == ["Wed 14:00"]


def test_the_buffer_lies_behind_both_the_booked_and_the_offered(printer, alice, now):
    printer.buffer_minutes = 15
    printer.save()
    book(printer, alice, now + 1 * HOUR, HOUR)
    book(printer, alice, now + 3 * HOUR, HOUR)

    # 10:00 would end at 11:00 and its buffer in the booked hour; 12:15 would end at 13:15.
    assert starts(next_windows(printer, HOUR, after=now, now=now, count=1)) == ["Wed 14:15"]
    assert starts(next_windows(printer, 45 * MINUTE, after=now, now=now, count=1)) == ["Wed 10:00"]


def test_cancelled_jobs_are_not_in_the_way(printer, alice, now):
    job = book(printer, alice, now + HOUR, HOUR)
    booking.cancel(job.pk, actor=alice, now=now)

    assert starts(next_windows(printer, 3 * HOUR, after=now, now=now, count=1)) == ["Wed 10:00"]


def test_outages_of_the_machine_and_closures_of_its_room(printer, open_hours, now):
    open_hours()
    factories.OutageFactory(printer=printer, starts_at=now - HOUR, ends_at=now + 20 * MINUTE)
    factories.OutageFactory(location=printer.location, starts_at=now + 2 * HOUR, ends_at=now + 5 * HOUR)
    factories.OutageFactory(
        printer=factories.PrinterFactory(), starts_at=now + 5 * HOUR, ends_at=now + 9 * HOUR
    )

    assert starts(next_windows(printer, HOUR, after=now, now=now)) == ["Wed 10:30", "Wed 15:00", "Wed 16:00"]


def test_over_a_closed_weekend(printer, open_hours, now):
    open_hours(*((weekday, 8, 18) for weekday in range(1, 6)))
    friday = at("2026-02-06 16:30")

    assert starts(next_windows(printer, HOUR, after=friday, now=now)) == [
        "Fri 16:30",
        "Fri 17:30",
        "Mon 08:00",
    ]


def test_a_machine_that_must_not_run_at_night_is_done_by_closing_time(printer, open_hours, now):
    open_hours((3, 8, 12), (3, 13, 18), (5, 8, 18))
    printer.is_open_at_night = False

    assert starts(next_windows(printer, 2 * HOUR, after=now, now=now)) == [
        "Wed 10:00",
        "Wed 13:00",
        "Wed 15:00",
    ]
    assert starts(next_windows(printer, 6 * HOUR, after=now, now=now, count=2)) == ["Fri 08:00", "Fri 08:00"]
    assert next_windows(printer, 11 * HOUR, after=now, now=now) == []


def test_hours_that_overlap_count_as_the_door_counts_them(printer, open_hours, now, alice):
    open_hours((3, 8, 12), (3, 11, 14))
    printer.is_open_at_night = False
    printer.save()

    (window,) = next_windows(printer, 2 * HOUR, after=now + MINUTE, now=now, count=1)

    assert starts([window]) == ["Wed 12:00"]
    wish = Wish(printer.pk, alice.user_id, window.ends_at, window.starts_at)
    assert booking.check(wish, actor=alice, now=now) == []


def test_the_night_on_which_an_hour_is_missing(printer):
    eve = at("2026-03-28 23:00")
    found = next_windows(printer, HOUR, after=eve + 2 * HOUR, now=eve)

    assert starts(found) == ["Sun 01:00", "Sun 03:00", "Sun 04:00"]
    assert [window.length for window in found] == [HOUR] * 3


def test_the_night_on_which_an_hour_comes_twice(printer):
    eve = at("2026-10-24 23:00")
    found = next_windows(printer, HOUR, after=eve + 2 * HOUR, now=eve, count=4)

    assert starts(found, day="%H:%M%z") == ["01:00+0200", "02:00+0200", "02:00+0100", "03:00+0100"]


def test_an_instant_in_local_time_is_the_same_instant(printer):
    """Arithmetic on a local time is arithmetic on the wall's clock, which that night is off by an hour."""
    eve = at("2026-10-24 23:00")
    after = eve + 3 * HOUR

    local = next_windows(printer, HOUR, after=after.astimezone(BERLIN), now=eve.astimezone(BERLIN))
    assert local == next_windows(printer, HOUR, after=after, now=eve)


@pytest.mark.parametrize(
    ("text", "minutes", "expected"),
    [
        ("2026-02-04 23:50", 15, "2026-02-05 00:00"),
        ("2026-02-04 23:21", 50, "2026-02-05 00:00"),  # the grid of a day is not the next day's
        ("2026-03-29 01:31", 90, "2026-03-29 03:00"),  # 29 minutes later: two o'clock is three o'clock
        ("2026-03-29 01:46", 15, "2026-03-29 03:00"),
        ("2026-10-25 02:59", 60, "2026-10-25 02:00"),  # for the second time
    ],
)
def test_the_next_step_over_midnight_and_changed_clocks(text, minutes, expected):
    fold = 1 if expected == "2026-10-25 02:00" else 0

    assert next_step(at(text), minutes) == at(expected, fold)


def test_a_long_horizon_of_closed_doors_is_walked_by_doors_not_by_steps(printer, open_hours, now):
    """Nothing fits in ten years: the search must not judge a million steps."""
    open_hours((1, 8, 9))
    printer.is_open_at_night, printer.step_minutes, printer.horizon_days = False, 5, 3650
    judged = 0

    def count(frame, event, argument):
        nonlocal judged
        judged += event == "call" and frame.f_code is location_is_open.__code__

    sys.setprofile(count)
    try:
        found = next_windows(printer, 2 * HOUR, after=now, now=now)
    finally:
        sys.setprofile(None)

    assert found == []
    assert 0 < judged < 1200  # two edges a week


def test_the_soonest_of_every_machine_with_few_queries(alice, now, django_assert_max_num_queries):
    machines = [factories.PrinterFactory(name=f"Ender {n:02}") for n in range(30)]
    put_out = factories.PrinterFactory(service=Service.OUT_OF_ORDER)
    for number, machine in enumerate(reversed(machines)):
        book(machine, alice, now, (number + 1) * HOUR)

    with django_assert_max_num_queries(4):
        found = soonest([*machines, put_out], HOUR, after=now, now=now)

    assert [machine for machine, _window in found] == machines[::-1]
    assert starts(window for _machine, window in found)[:2] == ["Wed 11:00", "Wed 12:00"]
    assert soonest([put_out], HOUR, after=now, now=now) == soonest([], HOUR, after=now, now=now) == []


# ------------------------------------------------------------------ whatever the rules are

HOURS = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 22), st.integers(1, 8)), max_size=5, unique_by=lambda h: h[:2]
)
SPANS = st.lists(st.tuples(st.integers(0, 96), st.integers(1, 30)), max_size=5)
NIGHTS = [at("2026-02-04 10:00"), at("2026-03-28 20:13"), at("2026-10-24 21:47"), at("2026-12-31 23:59")]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_the_door_accepts_every_window_that_is_offered(alice, bob, data):
    """And the one a step before the first it would not have accepted."""
    now = data.draw(st.sampled_from(NIGHTS)) + data.draw(st.integers(0, 59)) * timedelta(seconds=1)
    printer = factories.PrinterFactory(
        plug=None,
        location=factories.LocationFactory(),
        step_minutes=data.draw(st.sampled_from([5, 15, 50, 60, 90, 240])),
        min_minutes=data.draw(st.sampled_from([5, 15, 60])),
        max_minutes=data.draw(st.sampled_from([60, 600, 6000])),
        horizon_days=data.draw(st.sampled_from([0, 2, 60])),
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
    for begin, length in data.draw(SPANS):
        factories.OutageFactory(
            printer=printer,
            starts_at=now + begin * HOUR / 2,
            ends_at=now + (begin + length) * HOUR / 2,
        )
    length = data.draw(st.integers(1, 40)) * 5 * MINUTE
    after = now + data.draw(st.integers(-10, 200)) * 13 * MINUTE

    found = next_windows(printer, length, after=after, now=now, count=4)

    other = factories.PrinterFactory(plug=None)
    assert dict(soonest([printer, other], length, after=after, now=now)).get(printer) == next(
        iter(found), None
    )
    for window in found:
        assert window.starts_at >= after
        assert window.length >= length
        assert speaks_against(window, printer, alice, now) == []
    if found:
        before = step_before(found[0], printer)
        if before.starts_at >= max(after, now):
            assert speaks_against(before, printer, alice, now) != []


def speaks_against(window, printer, alice, now):
    wish = Wish(printer.pk, alice.user_id, window.ends_at, window.starts_at)
    return [violation.code for violation in booking.check(wish, actor=alice, now=now)]


def step_before(window, printer):
    """The window one step of the grid earlier."""
    start = window.starts_at - MINUTE
    while next_step(start, printer.step_minutes) != start:
        start -= MINUTE
    return Window(start, start + window.length)
