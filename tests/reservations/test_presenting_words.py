"""Times and lengths as people say them, in the workshop's zone."""

from datetime import datetime, timedelta

import pytest
from django.utils import translation

from reservations.presenting import words
from reservations.presenting.slots import next_step


@pytest.fixture(autouse=True)
def _german() -> object:
    with translation.override("de"):
        yield


@pytest.mark.parametrize(
    ("starts_in", "lasts", "said"),
    [
        (0, 2.5, "heute 10:00–12:30 (2 h 30 min)"),
        (-24, 1, "gestern 10:00–11:00 (1 h)"),
        (24, 24, "morgen 10:00 – Fr 6.2. 10:00 (1 Tag)"),
        (-24 * 365, 0.5, "Di 4.2. 2025 10:00–10:30 (30 min)"),
    ],
)
def test_window(now: datetime, starts_in: float, lasts: float, said: str) -> None:
    starts_at = now + timedelta(hours=starts_in)
    assert words.window(starts_at, starts_at + timedelta(hours=lasts), now) == said


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (timedelta(seconds=30), "noch weniger als eine Minute"),
        (timedelta(minutes=80), "noch 1 h 20 min"),
        (timedelta(hours=30, minutes=20), "noch 30 h"),
        (timedelta(days=3, hours=2), "noch 3 Tage"),
    ],
)
def test_left(now: datetime, rest: timedelta, said: str) -> None:
    assert words.left(now + rest, now) == said


def test_seconds_name_the_day_when_it_is_not_today(now: datetime) -> None:
    assert words.seconds(now, now) == "10:00:00"
    assert words.seconds(now - timedelta(days=1), now) == "gestern 10:00:00"


@pytest.mark.parametrize(
    ("watts", "said"), [(86.4, "86 W"), (4.32, "4,3 W"), (0.0, "0,0 W"), (1234.0, "1234 W")]
)
def test_watts(watts: float, said: str) -> None:
    assert words.watts(watts) == said


@pytest.mark.parametrize(
    ("late", "steps", "expected"),
    [
        (timedelta(0), 15, 0),
        (timedelta(seconds=1), 15, 15),
        (timedelta(minutes=16), 15, 30),
        (timedelta(minutes=1), 240, 120),
    ],
)
def test_next_step_counts_from_local_midnight(
    now: datetime, late: timedelta, steps: int, expected: int
) -> None:
    assert next_step(now + late, steps) == now + timedelta(minutes=expected)
