"""The scheduler over the API: everybody looks, trainers stop and start, and nothing is told that helps an attacker."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import Scope
from core.actor import Actor, Channel
from core.domain import beating, scheduling
from core.models import PeriodicTask, SchedulerState
from journal.models import Entry
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from tests import factories
from tests.api.asking import codes, is_problem
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
STATUS, START, STOP = (f"/api/scheduler/{name}" for name in ("status", "start", "stop"))


def test_everybody_signed_in_sees_the_state(as_alice, anonymous):
    answer = as_alice.get(STATUS)
    assert answer.status_code == 200
    expected = {"state": "running", "since": None, "by": "", "reason": "", "heartbeats": []}
    assert expected.items() <= answer.json().items()
    assert is_problem(anonymous.get(STATUS), 401)


def test_tasks_and_signs_of_life(as_alice, noon):
    scheduling.synchronise(NOON)
    PeriodicTask.objects.filter(name="api.forget_answers").update(
        last_finished_at=NOON - HOUR, last_error="Traceback: /srv/secret/path"
    )
    beating.beat("worker:pi:4711", at=NOON - timedelta(seconds=21), detail={"queue": 3})
    beating.beat(beating.SCHEDULER, at=NOON, detail={"state": "running", "failing": ["x"]})
    answer = as_alice.get(STATUS)
    told = answer.json()
    [task] = [task for task in told["tasks"] if task["name"] == "api.forget_answers"]
    assert task == {
        "name": "api.forget_answers",
        "every_seconds": 3600,
        "is_enabled": True,
        "last_run_at": "2026-02-04T09:00:00+01:00",
        "next_run_at": "2026-02-04T10:00:00+01:00",
        "last_result": "failed",
        "runs_while_stopped": True,
    }
    assert {task["last_result"] for task in told["tasks"]} == {"failed", None}
    assert {task["runs_while_stopped"] for task in told["tasks"]} == {True, False}
    assert [(beat["process"], beat["is_alive"]) for beat in told["heartbeats"]] == [
        ("scheduler", True),
        ("worker", False),
    ]
    for inner in ("secret", "4711", "pi:"):
        assert inner not in answer.content.decode()


def test_next_due_is_the_earliest_of_what_may_be_done(as_bob, people):
    scheduling.synchronise(NOON)
    PeriodicTask.objects.update(next_run_at=NOON + 5 * HOUR)
    machine = factories.PrinterFactory(plug=None)
    wish = Wish(machine.pk, people.alice.pk, NOON + 3 * HOUR, NOON + 2 * HOUR)
    booking.book(wish, actor=Actor(people.alice.pk, Channel.WEB), now=NOON)
    due = lifecycle.next_due(NOON)
    assert due is not None and NOON < due < NOON + 5 * HOUR
    assert datetime.fromisoformat(as_bob.get(STATUS).json()["next_due_at"]) == due
    stopped = as_bob.post(STOP).json()
    assert datetime.fromisoformat(stopped["next_due_at"]) == NOON + 5 * HOUR


def test_trainer_stops_and_starts_and_it_is_on_record(as_bob, people, noon):
    answer = as_bob.post(STOP, {"reason": "fire drill"})
    assert answer.status_code == 200
    expected = {"state": "stopped", "since": "2026-02-04T10:00:00+01:00", "by": "Bob", "reason": "fire drill"}
    assert expected.items() <= answer.json().items()
    noon.shift(HOUR / 4)
    again = as_bob.post(STOP, {"reason": "another"})
    assert again.status_code == 200
    assert expected.items() <= again.json().items()
    assert as_bob.post(START).json()["state"] == as_bob.post(START).json()["state"] == "running"
    kinds = Entry.objects.order_by("pk").values_list("kind", "actor", "channel")
    assert list(kinds) == [
        ("scheduler.stopped", people.bob.pk, "api"),
        ("scheduler.started", people.bob.pk, "api"),
    ]


def test_program_that_does_not_say_why_stops_it_too(as_bob):
    assert as_bob.post(STOP).json()["reason"] == "API"
    assert is_problem(as_bob.post(STOP, {"reason": "x" * 201}), 400)


@pytest.mark.parametrize("path", [START, STOP])
def test_nobody_else_does(as_alice, as_bob, anonymous, bearer, people, path):
    assert is_problem(anonymous.post(path), 401)
    assert is_problem(as_alice.post(path), 403)
    assert codes(bearer(people.bob, Scope.READ).post(path)) == {"token_is_read_only"}
    assert is_problem(as_bob.get(path), 405)
    as_bob.forget_csrf()
    assert codes(as_bob.post(path)) == {"csrf_failed"}
    assert not SchedulerState.objects.exists()


def test_queries_do_not_grow_with_tasks(as_bob):
    counts = []
    for number in (1, 29):
        for n in range(number):
            PeriodicTask.objects.create(name=f"{number}.{n}", every=5, next_run_at=NOON)
            beating.beat(f"worker:{number}:{n}", at=NOON, detail={})
        with CaptureQueriesContext(connection) as queries:
            assert as_bob.get(STATUS).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 13
