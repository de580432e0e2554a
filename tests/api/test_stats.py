"""Statistics over the API: who sees what, which lists are filled, and questions that are none."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reservations.choices import State
from tests import factories
from tests.api.asking import codes, is_problem
from tests.conftest import NOON
from tests.insights.test_usage import ran

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
WEEK = "?from=2026-02-02T00:00:00%2B01:00&to=2026-02-09T00:00:00%2B01:00"


@pytest.fixture
def used(people, printer):
    """Alice printed for two hours and over midnight, Charlie on the lathe for half an hour."""
    lathe = factories.PrinterFactory(name="A lathe")
    ran(printer, people.alice, NOON - 2 * HOUR, NOON)
    ran(printer, people.alice, datetime(2026, 2, 2, 22, tzinfo=UTC), datetime(2026, 2, 3, 1, tzinfo=UTC))
    ran(lathe, people.charlie, NOON - HOUR, NOON - HOUR / 2, State.ABORTED)
    return printer, lathe


def test_trainer_sees_machines_and_everybody(as_bob, people, used):
    printer, lathe = used
    answer = as_bob.get(f"/api/stats{WEEK}")
    assert answer.json() == {
        "from": "2026-02-02T00:00:00+01:00",
        "to": "2026-02-09T00:00:00+01:00",
        "uses": 3,
        "hours": 5.5,
        "printers": [
            {"printer": lathe.pk, "name": "A lathe", "uses": 1, "hours": 0.5},
            {"printer": printer.pk, "name": printer.name, "uses": 2, "hours": 5.0},
        ],
        "users": [
            {"user": people.alice.pk, "name": "Alice", "uses": 2, "hours": 5.0},
            {"user": people.charlie.pk, "name": "Charlie", "uses": 1, "hours": 0.5},
        ],
        "periods": [],
    }


def test_trainee_sees_machines_and_herself(as_alice, as_bob, people, used):
    mine, all_ = as_alice.get(f"/api/stats{WEEK}").json(), as_bob.get(f"/api/stats{WEEK}").json()
    assert mine["printers"] == all_["printers"]
    assert [row["user"] for row in mine["users"]] == [people.alice.pk]
    assert "Charlie" not in str(mine)
    grouped = as_alice.get(f"/api/stats{WEEK}&group_by=user").json()
    assert [row["user"] for row in grouped["users"]] == [people.alice.pk]


@pytest.mark.parametrize(
    ("group", "printers", "users", "periods"),
    [("printer", 2, 0, 0), ("user", 0, 2, 0), ("day", 0, 0, 7), ("week", 0, 0, 1), ("month", 0, 0, 1)],
)
def test_group_fills_one_list(as_bob, used, group, printers, users, periods):
    answer = as_bob.get(f"/api/stats{WEEK}&group_by={group}").json()
    assert [len(answer[name]) for name in ("printers", "users", "periods")] == [printers, users, periods]
    assert (answer["uses"], answer["hours"]) == (3, 5.5)


def test_days_are_the_workshops(as_bob, used):
    """From 23:00 to 02:00 in Berlin: an hour before midnight, two after."""
    answer = as_bob.get(f"/api/stats{WEEK}&group_by=day").json()["periods"]
    assert [(day["starts_at"], day["uses"], day["hours"]) for day in answer[:3]] == [
        ("2026-02-02T00:00:00+01:00", 1, 1.0),
        ("2026-02-03T00:00:00+01:00", 1, 2.0),
        ("2026-02-04T00:00:00+01:00", 2, 2.5),
    ]


@pytest.mark.parametrize(
    ("edges", "hours"),
    [
        ("from=2026-03-28T12:00:00%2B01:00&to=2026-03-30T12:00:00%2B02:00", [12, 23, 12]),
        ("from=2026-10-24T12:00:00%2B02:00&to=2026-10-26T12:00:00%2B01:00", [12, 25, 12]),
        ("from=2026-10-25T02:30:00%2B02:00&to=2026-10-25T02:30:00%2B01:00", [1]),
    ],
)
def test_days_on_which_the_clock_changes(as_bob, people, printer, noon, edges, hours):
    ran(printer, people.alice, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    answer = as_bob.get(f"/api/stats?{edges}&group_by=day").json()
    assert [day["hours"] for day in answer["periods"]] == hours
    assert answer["hours"] == sum(hours)


def test_one_machine_alone(as_bob, used):
    answer = as_bob.get(f"/api/stats{WEEK}&printer={used[1].pk}").json()
    assert (answer["hours"], len(answer["printers"]), len(answer["users"])) == (0.5, 1, 1)


def test_usual_period_is_the_last_thirty_days(as_bob, people, printer):
    ran(printer, people.alice, NOON - timedelta(days=30) - HOUR, NOON - timedelta(days=30) + HOUR)
    ran(printer, people.alice, NOON - HOUR, None)
    answer = as_bob.get("/api/stats").json()
    assert (answer["to"], answer["uses"], answer["hours"]) == ("2026-02-04T10:00:00+01:00", 2, 2.0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=soon", "from"),
        ("to=1999-12-31T00:00:00Z", "to"),
        ("from=2026-02-04T00:00:00Z&to=2026-02-04T00:00:00Z", "from"),
        ("from=2026-02-05T00:00:00Z", "from"),
        ("printer=0", "printer"),
        ("printer=" + "9" * 30, "printer"),
        ("printer=%00", "printer"),
        ("group_by=hour", "group_by"),
        ("from=2000-01-01T00:00:00Z&group_by=day", "from"),
    ],
)
def test_question_that_is_none_is_400(as_bob, query, field):
    answer = as_bob.get(f"/api/stats?{query}")
    assert is_problem(answer, 400)
    assert {error["field"] for error in answer.json()["errors"]} == {field}


def test_long_period_in_long_parts_is_answered(as_bob):
    answer = as_bob.get("/api/stats?from=2000-01-01T00:00:00Z&group_by=month")
    assert len(answer.json()["periods"]) == 26 * 12 + 2


def test_strangers_see_nothing_and_nobody_writes(anonymous, as_bob):
    assert is_problem(anonymous.get("/api/stats"), 401)
    assert codes(as_bob.post("/api/stats")) == {"method_not_allowed"}


@pytest.mark.parametrize("query", ["", "&group_by=day"])
def test_queries_do_not_grow_with_jobs(as_bob, people, printer, query):
    counts = []
    for number in (1, 29):
        for n in range(number):
            owner, machine = factories.TraineeFactory(), factories.PrinterFactory()
            ran(machine, owner, NOON - n * HOUR, NOON - (n - 1) * HOUR)
        with CaptureQueriesContext(connection) as queries:
            assert as_bob.get(f"/api/stats{WEEK}{query}").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 9
