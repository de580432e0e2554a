"""Each rule, with both clock-change days of 2026 in Berlin: 29 March and 25 October."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from reservations.domain import rules
from reservations.domain.rules import Closure, Facts, Hours, MachineFacts, OwnerFacts, Window

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """A local time in Berlin, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def facts(start: datetime = NOW + HOUR, end: datetime | None = None, **changes: object) -> Facts:
    machine = MachineFacts(**changes.pop("machine", {}))
    owner = OwnerFacts(**changes.pop("owner", {}))
    window = Window(start, end or start + HOUR)
    return Facts(now=NOW, zone=BERLIN, window=window, machine=machine, owner=owner, **changes)


def codes(subject: Facts) -> list[str]:
    return [finding.code for finding in rules.judge(subject)]


def test_a_plain_booking_breaks_no_rule():
    assert codes(facts()) == []


def test_an_inverted_window_is_all_that_is_said():
    assert codes(facts(NOW + HOUR, NOW + HOUR, owner={"is_active": False})) == ["window_inverted"]


def test_a_start_in_the_past_is_refused_but_a_walk_up_is_not():
    assert codes(facts(NOW - HOUR, NOW + HOUR)) == ["window_past"]
    assert codes(facts(NOW, NOW + HOUR, is_start_given=False)) == []


def test_an_end_in_the_past_is_refused_for_a_running_job():
    subject = facts(NOW - HOUR, NOW - HOUR / 2, is_start_given=False, is_running=True)
    assert codes(subject) == ["window_past"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-02-04 12:15", "2026-02-04 13:00", []),
        ("2026-02-04 12:07", "2026-02-04 13:00", ["window_off_step"]),
        ("2026-02-04 12:15", "2026-02-04 13:05", ["window_off_step"]),
        ("2026-02-04 12:15:30", "2026-02-04 13:00", ["window_off_step"]),
    ],
)
def test_times_lie_on_the_step(start, end, expected):
    assert codes(facts(at(start), at(end))) == expected


def test_a_walk_up_may_have_a_length_on_the_step_instead_of_an_end():
    seven_past = NOW + timedelta(minutes=7)
    subject = replace(facts(seven_past, seven_past + HOUR, is_start_given=False), now=seven_past)
    assert codes(subject) == []
    assert codes(replace(subject, window=Window(seven_past, seven_past + timedelta(minutes=20)))) == [
        "window_off_step"
    ]
    assert codes(replace(subject, window=Window(seven_past, seven_past + HOUR - timedelta(seconds=59)))) == []
    assert codes(replace(subject, window=Window(seven_past, seven_past + HOUR - timedelta(seconds=61)))) == [
        "window_off_step"
    ]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_step_of_four_hours_is_counted_on_the_wall_clock_across_a_clock_change(day):
    machine = {"step": timedelta(hours=4), "longest": timedelta(days=2)}
    good = replace(
        facts(at(f"{day} 00:00"), at(f"{day} 08:00"), machine=machine), now=at(f"{day} 00:00") - HOUR
    )
    assert codes(good) == []
    assert codes(replace(good, window=Window(at(f"{day} 00:00"), at(f"{day} 06:00")))) == ["window_off_step"]


def test_lengths_are_real_time_across_the_clock_change():
    """From 1:00 to 4:00 on the wall is two hours in March and four in October."""
    for day, length in (("2026-03-29", 2), ("2026-10-25", 4)):
        window = Window(at(f"{day} 01:00"), at(f"{day} 04:00"))
        assert window.length == length * HOUR
        subject = replace(facts(machine={"longest": 3 * HOUR}), now=window.starts_at - HOUR, window=window)
        assert codes(subject) == ([] if length == 2 else ["window_too_long"])


def test_shortest_and_longest_are_kept_and_a_month_is_the_end():
    machine = {"shortest": HOUR, "longest": 2 * HOUR}
    start = NOW + HOUR
    assert codes(facts(start, start + HOUR / 2, machine=machine)) == ["window_too_short"]
    assert codes(facts(start, start + 3 * HOUR, machine=machine)) == ["window_too_long"]
    endless = rules.judge(facts(start, start + timedelta(days=32), machine=machine))
    assert [(finding.code, finding.overridable) for finding in endless] == [("window_endless", False)]


def test_a_running_job_may_keep_less_than_the_shortest():
    assert (
        codes(facts(NOW, NOW + HOUR / 4, machine={"shortest": HOUR}, is_start_given=False, is_running=True))
        == []
    )


def test_horizon_and_notice_bound_the_start():
    machine = {"horizon": timedelta(days=1), "notice": 2 * HOUR}
    assert codes(facts(NOW + HOUR, machine=machine)) == ["notice_too_short"]
    assert codes(facts(NOW + 2 * HOUR, machine=machine)) == []
    assert codes(facts(NOW + timedelta(days=1), machine=machine)) == []
    assert codes(facts(NOW + timedelta(days=1, minutes=15), machine=machine)) == ["beyond_horizon"]


DAYTIME = (Hours(3, time(8), time(12)), Hours(3, time(13), time(18)))


@pytest.mark.parametrize(
    ("start", "end", "at_night", "expected"),
    [
        ("2026-02-04 14:00", "2026-02-04 17:00", False, []),
        ("2026-02-04 14:00", "2026-02-04 18:00", False, []),
        ("2026-02-04 14:00", "2026-02-04 19:00", False, ["outside_hours"]),
        ("2026-02-04 14:00", "2026-02-05 09:00", True, []),
        ("2026-02-04 12:00", "2026-02-04 14:00", True, ["outside_hours"]),
        ("2026-02-05 10:00", "2026-02-05 11:00", True, ["outside_hours"]),
        ("2026-02-04 11:00", "2026-02-04 14:00", False, ["outside_hours"]),
    ],
)
def test_opening_hours_hold_the_start_and_by_day_the_end(start, end, at_night, expected):
    machine = {"hours": DAYTIME, "is_open_at_night": at_night}
    assert codes(facts(at(start), at(end), machine=machine)) == expected


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_opening_hours_are_read_on_the_wall_clock_on_clock_change_days(day):
    machine = {"hours": (Hours(7, time(8), time(18)),), "is_open_at_night": False}
    subject = facts(at(f"{day} 08:00"), at(f"{day} 18:00"), machine=machine)
    subject = replace(subject, now=at(f"{day} 07:00"))
    assert codes(subject) == []
    assert codes(replace(subject, window=Window(at(f"{day} 07:45"), at(f"{day} 09:00")))) == ["outside_hours"]


def test_a_running_job_is_not_asked_where_it_started():
    machine = {"hours": DAYTIME, "is_open_at_night": True}
    assert (
        codes(
            facts(
                at("2026-02-04 06:00"),
                at("2026-02-04 11:00"),
                machine=machine,
                is_start_given=False,
                is_running=True,
            )
        )
        == []
    )


def test_service_and_closures_refuse_for_everybody():
    assert codes(facts(machine={"is_in_service": False})) == ["machine_out_of_service"]
    shut = Closure(Window(NOW, NOW + 2 * HOUR), "Repair")
    assert codes(facts(closures=(shut,))) == ["machine_closed"]
    assert codes(facts(NOW + 2 * HOUR, closures=(shut,))) == []
    assert not any(
        f.overridable for f in rules.judge(facts(machine={"is_in_service": False}, closures=(shut,)))
    )


def test_windows_that_touch_are_free_and_the_buffer_is_not():
    before = Window(NOW, NOW + HOUR)
    after = Window(NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert codes(facts(taken=(before, after))) == []
    assert codes(facts(taken=(after,), machine={"buffer": timedelta(minutes=1)})) == ["window_taken"]
    assert codes(facts(taken=(Window(NOW, NOW + HOUR + timedelta(seconds=1)),))) == ["window_taken"]


def test_an_inactive_or_unqualified_owner_is_refused():
    machine = {"qualifications": {1: "Laser", 2: "CNC"}}
    assert codes(facts(owner={"is_active": False})) == ["owner_inactive"]
    assert codes(facts(machine=machine, owner={"qualifications": frozenset({1})})) == ["owner_unqualified"]
    assert codes(facts(machine=machine, owner={"qualifications": frozenset({1, 2})})) == []


def test_the_number_of_open_jobs_is_limited_for_new_ones_only():
    owner = {"open_jobs": 2, "open_jobs_limit": 2}
    assert codes(facts(owner=owner)) == ["too_many_open_jobs"]
    assert codes(facts(owner=owner, is_new=False)) == []
    assert codes(facts(owner={"open_jobs": 3, "open_jobs_limit": 2})) == ["too_many_open_jobs"]
    assert codes(facts(owner={"open_jobs": 1, "open_jobs_limit": 2})) == []


def test_the_hours_of_a_week_are_limited():
    owner = {"week_booked": 3 * HOUR, "week_limit": 4 * HOUR}
    assert codes(facts(owner=owner)) == []
    assert codes(facts(NOW + HOUR, NOW + 2 * HOUR + HOUR / 4, owner=owner)) == ["too_many_hours"]


def test_everything_wrong_is_said_at_once():
    subject = facts(
        NOW - HOUR,
        NOW + timedelta(days=8),
        machine={"is_in_service": False, "qualifications": {1: "Laser"}},
        owner={"is_active": False},
        taken=(Window(NOW, NOW + HOUR),),
    )
    assert codes(subject) == [
        "window_past",
        "window_too_long",
        "machine_out_of_service",
        "window_taken",
        "owner_inactive",
        "owner_unqualified",
    ]
