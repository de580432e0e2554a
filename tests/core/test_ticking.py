"""The scheduler's loop: it does what is due, in order, and survives what goes wrong."""

from datetime import datetime, timedelta

import pytest
from django.db import OperationalError, connections

from core import clock, registry
from core.actor import SYSTEM
from core.domain import beating, scheduling, ticking
from core.models import Heartbeat, PeriodicTask

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_mine")]
SECOND = timedelta(seconds=1)


class Source:
    """A due source with one instant at a time; runs are written down."""

    def __init__(self, name, order=1, due=None, while_stopped=False, log=None):
        self.due: datetime | None = due
        self.runs: list[bool] = []
        self.error: Exception | None = None
        self.asking_error: Exception | None = None
        self.asked = 0
        self.name, self.log = name, log if log is not None else []
        registry.on_due(name=name, order=order, next_due=self.next_due, while_stopped=while_stopped)(self.run)

    def next_due(self, now):
        self.asked += 1
        if self.asking_error:
            raise self.asking_error
        return self.due

    def run(self, now, *, is_running):
        self.runs.append(is_running)
        self.log.append(self.name)
        if self.error:
            raise self.error
        self.due = None


def ticker(wait=lambda seconds: True):
    return ticking.Ticker(wait)


@pytest.fixture
def monotonic(monkeypatch):
    """A clock for durations that a test can turn."""

    class Clock:
        at = 1000.0

    monkeypatch.setattr(ticking, "monotonic", lambda: Clock.at)
    return Clock


def test_due_sources_run_in_order_and_not_before_their_time():
    now, log = clock.now(), []
    Source("second", order=2, due=now, log=log)
    Source("first", order=1, due=now, log=log)
    later = Source("later", due=now + SECOND, log=log)
    loop = ticker()
    loop.tick(now)
    assert log == ["first", "second"]
    loop.tick(now + SECOND)
    assert log == ["first", "second", "later"]
    assert later.runs == [True]


def test_what_runs_first_may_make_the_next_due_in_the_same_pass():
    now = clock.now()
    plugs = Source("plugs", order=2)

    def plan(at, *, is_running):
        plugs.due = at

    registry.on_due(name="plan", order=1, next_due=lambda at: now)(plan)
    ticker().tick(now)
    assert plugs.runs == [True]


def test_it_sleeps_to_the_next_due_instant_at_most_the_set_time(settings):
    settings.TICKER_MAX_SLEEP = 0.1
    now = clock.now()
    source = Source("soon", due=now + timedelta(milliseconds=60))
    assert 0.01 <= ticker().tick(now) <= 0.06
    source.due = now + timedelta(hours=1)
    assert ticker().tick(now) == 0.1


def test_source_that_stays_due_does_not_make_a_furnace():
    now = clock.now()
    source = Source("greedy", due=now - SECOND)
    source.run = lambda at, is_running: None
    registry.forget("greedy")
    registry.on_due(name="greedy", order=1, next_due=source.next_due)(source.run)
    assert ticker().tick(now) == ticking.SHORTEST_SLEEP


def test_failing_source_is_left_alone_for_longer_and_longer_and_stops_nobody(monotonic, caplog):
    now = clock.now()
    broken = Source("broken", order=1, due=now)
    broken.error = RuntimeError("no")
    loop = ticker()
    for wait, expected in [(0, 1), (0.9, 1), (0.2, 2), (1.9, 2), (0.2, 3), (3.9, 3), (0.2, 4)]:
        monotonic.at += wait
        loop.tick(now)
        assert len(broken.runs) == expected
    well = Source("well", order=2, due=now)
    ticker().tick(now)
    assert well.runs == [True]
    assert "broken failed; again in 1 s" in caplog.text
    assert "broken failed; again in 2 s" in caplog.text


def test_failing_source_is_named_in_the_sign_of_life_until_it_works_again(monotonic):
    now = clock.now()
    broken = Source("broken", due=now)
    broken.error = RuntimeError("no")
    loop = ticker()
    loop.tick(now)
    assert Heartbeat.objects.get(name=beating.SCHEDULER).detail == {"state": "running", "failing": ["broken"]}
    broken.error = None
    monotonic.at += 5
    loop.tick(now)
    assert Heartbeat.objects.get(name=beating.SCHEDULER).detail["failing"] == []


def test_source_that_cannot_say_when_is_left_alone_and_tried_again(monotonic):
    now = clock.now()
    source = Source("mute", due=now)
    source.asking_error = RuntimeError("no")
    loop = ticker()
    loop.tick(now)
    assert source.runs == []
    source.asking_error = None
    monotonic.at += 1.5
    loop.tick(now)
    assert source.runs == [True]


def test_source_that_ran_but_cannot_say_when_next_stays_failed(monotonic):
    now = clock.now()
    source = Source("mute", due=now)

    def run(at, *, is_running):
        source.runs.append(is_running)
        source.asking_error = RuntimeError("no")

    registry.forget("mute")
    registry.on_due(name="mute", order=1, next_due=source.next_due)(run)
    loop = ticker()
    loop.tick(now)
    assert source.runs == [True]
    assert loop._watched[0].failures == 1


def test_stopped_scheduler_runs_only_what_may_go_on_and_catches_up_after_the_start():
    now = clock.now()
    plan, reads = Source("plan", due=now), Source("reads", due=now, while_stopped=True)
    scheduling.stop(SYSTEM, "drill", now=now)
    loop = ticker()
    loop.tick(now)
    assert (plan.runs, reads.runs) == ([], [False])
    assert Heartbeat.objects.get().detail["state"] == "stopped"
    scheduling.start(SYSTEM, now=now)
    loop._mark = None  # another process' change moves the mark; this test has one connection only
    loop.tick(now + SECOND)
    assert (plan.runs, reads.runs) == ([True], [False])
    assert Heartbeat.objects.get().detail["state"] == "running", "told at once, not two seconds later"


def test_sign_of_life_is_written_every_two_seconds_at_most(monotonic):
    now = clock.now()
    loop = ticker()
    instants = []
    for step in range(5):
        loop.tick(now + step * SECOND)
        instants.append((Heartbeat.objects.get().at - now).total_seconds())
        monotonic.at += 1.0
    assert instants == [0, 0, 2, 2, 4]


def test_nobody_is_asked_again_while_the_database_says_that_nothing_changed(settings):
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3":
        pytest.skip("only SQLite knows")
    now = clock.now()
    source = Source("far", due=now + timedelta(hours=1))
    loop = ticker()
    for _time in range(5):
        loop.tick(now)
    assert source.asked == 1


def test_other_databases_are_asked_every_time(monkeypatch):
    now = clock.now()
    source = Source("far", due=now + timedelta(hours=1))
    loop = ticker()
    monkeypatch.setattr(connections["default"], "vendor", "other")
    loop.tick(now)
    loop.tick(now)
    assert source.asked == 2


def test_periodic_functions_are_the_last_due_source():
    now = clock.now()
    registry.periodic(every=timedelta(minutes=1), name="core.sweep")(lambda at: None)
    scheduling.synchronise(now)
    ticker().tick(now)
    assert PeriodicTask.objects.get().last_queued_at == now


def test_loop_makes_the_rows_then_ticks_until_told_to_stop():
    registry.periodic(every=timedelta(minutes=1), name="core.sweep")(lambda at: None)
    pauses = []

    def wait(seconds):
        pauses.append(seconds)
        return len(pauses) > 3

    ticker(wait).run()
    assert pauses[0] == 0
    assert PeriodicTask.objects.get().last_queued_at is not None


def test_loop_backs_off_while_the_database_is_away_and_goes_on_afterwards(monkeypatch, caplog):
    answers = iter([OperationalError("gone"), OperationalError("gone"), 0.1, OperationalError("gone")])
    pauses = []

    def tick(self, now):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(seconds):
        pauses.append(seconds)
        return len(pauses) > 4

    monkeypatch.setattr(ticking.Ticker, "tick", tick)
    monkeypatch.setattr(ticking, "close_old_connections", lambda: None)
    ticker(wait).run()
    assert pauses == [0.0, 1.0, 2.0, 0.1, 1.0]
    assert "the database failed" in caplog.text
    assert connections["default"].connection is not None


def test_database_error_of_an_answer_is_the_loop_s_business():
    source = Source("any")
    source.asking_error = OperationalError("gone")
    with pytest.raises(OperationalError):
        ticker().tick(clock.now())
