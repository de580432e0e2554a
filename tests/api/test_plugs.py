"""Plugs: trainers keep, test and switch them; secrets go in and never come out."""

import json
import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import Scope
from api.models import GivenAnswer
from journal.models import Entry
from plugs.choices import CommandResult
from plugs.models import PlugCommand, PlugReading, PlugState, SmartPlug
from tests import factories
from tests.api.asking import codes, is_problem

SECRET = "correct horse battery staple"
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db
FIELDS = [
    "id", "name", "driver", "address", "username", "wanted", "observed", "power_w", "last_contact_at", "health",
    "energy_today_wh", "energy_total_wh", "device_id", "generation", "firmware", "rssi", "wanted_reason",
    "override_until", "override_reason", "last_error",
]  # fmt: skip


@pytest.fixture
def plug(db):
    return factories.PlugFactory(name="Ender", address="10.0.0.7", username="u@x.org", password=SECRET)


def url(plug, *more):
    return "/".join(["/api/plugs", str(plug.pk), *more])


def fields_of(answer):
    return {error["field"] for error in answer.json()["errors"]}


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "plugs", None),
        ("post", "plugs", {"name": "New", "driver": "simulated", "address": "sim"}),
        ("get", "plugs/{id}", None),
        ("patch", "plugs/{id}", {"name": "New"}),
        ("delete", "plugs/{id}", None),
        ("post", "plugs/{id}/test", None),
        ("post", "plugs/{id}/trust", None),
        ("post", "plugs/{id}/switch", {"on": True, "reason": "Test"}),
        ("post", "plugs/{id}/release", None),
        ("get", "plugs/{id}/commands", None),
        ("get", "plugs/{id}/readings", None),
        ("get", "commands", None),
        ("get", "readings", None),
    ],
)
def test_trainers_only(plug, anonymous, as_alice, as_bob, bearer, people, method, path, body):
    path = "/api/" + path.format(id=plug.pk)

    assert is_problem(getattr(anonymous, method)(path, body), 401)
    assert is_problem(getattr(as_alice, method)(path, body), 403)
    reads = getattr(bearer(people.bob, Scope.READ), method)(path, body)
    assert reads.status_code == (200 if method == "get" else 403)
    assert not Entry.objects.exclude(kind__startswith="token.").exists()
    assert getattr(as_bob, method)(path, body).status_code in {200, 201, 202, 204}


def test_a_change_needs_the_csrf_token(plug, as_bob):
    as_bob.forget_csrf()

    assert codes(as_bob.post(url(plug, "switch"), {"on": False, "reason": "Smoke", "cut": True})) == {
        "csrf_failed"
    }
    assert PlugState.objects.get().override_on is None


@pytest.mark.parametrize("path", ["999999", "x", "99999999999999999999"])
def test_what_is_not_there(as_bob, path):
    for more in ("", "/commands", "/readings"):
        assert is_problem(as_bob.get(f"/api/plugs/{path}{more}"), 404)
    for more in ("test", "trust", "switch", "release"):
        assert is_problem(as_bob.post(f"/api/plugs/{path}/{more}", {"on": True, "reason": "x"}), 404)
    assert is_problem(as_bob.delete(f"/api/plugs/{path}"), 404)


# ------------------------------------------------------------------ keeping


def test_a_name_a_driver_and_an_address_are_enough(as_bob, now):
    answer = as_bob.post("/api/plugs", {"name": "Ender", "driver": "tapo", "address": "10.0.0.7"})

    assert answer.status_code == 201
    told = answer.json()
    assert answer["Location"].endswith(f"/api/plugs/{told['id']}")
    assert list(told) == FIELDS
    assert (told["name"], told["driver"], told["address"], told["username"]) == (
        "Ender",
        "tapo",
        "10.0.0.7",
        "",
    )
    assert (told["wanted"], told["observed"], told["health"], told["last_error"]) == (
        None,
        None,
        "unknown",
        None,
    )
    assert PlugState.objects.get().next_poll_at == now  # a worker asks it at once
    assert Entry.objects.get().channel == "api"


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        ({}, {"name", "driver", "address"}),
        ({"name": "Ender"}, {"name"}),
        ({"address": "10.0.0.7"}, {"address"}),
        ({"driver": "toaster"}, {"driver"}),
        ({"name": "n" * 101}, {"name"}),
        ({"address": "a" * 256}, {"address"}),
        ({"password": "p" * 1001}, {"password"}),
    ],
)
def test_a_wrong_order_says_where(plug, as_bob, order, fields):
    whole = {"name": "New", "driver": "simulated", "address": "sim", **order} if order else {}

    answer = as_bob.post("/api/plugs", whole)

    assert is_problem(answer, 400)
    assert fields_of(answer) == fields
    assert SmartPlug.objects.count() == 1


def test_what_machines_write_cannot_be_set(as_bob):
    order = {
        "name": "New",
        "driver": "simulated",
        "address": "sim",
        "wanted": True,
        "observed": True,
        "device_id": "X",
    }

    told = as_bob.post("/api/plugs", order).json()

    assert (told["wanted"], told["observed"], told["device_id"]) == (None, None, "")


def test_the_same_order_twice_is_one_plug_and_the_key_does_not_remember_the_password(as_bob):
    order = {"name": "New", "driver": "simulated", "address": "sim", "password": SECRET}
    key = {"headers": {"Idempotency-Key": "new-plug"}}

    first, again = as_bob.post("/api/plugs", order, **key), as_bob.post("/api/plugs", order, **key)
    other = as_bob.post("/api/plugs", {**order, "password": SECRET + "!"}, **key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert is_problem(other, 422)
    assert SmartPlug.objects.count() == 1
    assert SECRET not in GivenAnswer.objects.get().body


def test_only_what_is_named_changes(plug, as_bob):
    PlugState.objects.update(device_id="A", next_poll_at=None)

    assert as_bob.patch(url(plug), {"name": "Prusa"}).json()["name"] == "Prusa"
    state, row = PlugState.objects.get(), SmartPlug.objects.get()
    assert (row.address, row.password, state.device_id, state.next_poll_at) == ("10.0.0.7", SECRET, "A", None)
    assert Entry.objects.get().data == {"fields": ["name"]}


def test_another_address_may_be_another_device(plug, as_bob, now):
    PlugState.objects.update(device_id="A", failures=3, is_suspended=True, next_poll_at=None)

    told = as_bob.patch(url(plug), {"address": "10.0.0.8"}).json()

    assert (told["device_id"], told["health"]) == ("", "unknown")
    assert PlugState.objects.get().next_poll_at == now


def test_what_does_not_differ_is_not_written(plug, as_bob):
    same = {"name": plug.name, "driver": plug.driver, "address": plug.address, "password": SECRET}

    assert as_bob.patch(url(plug), same).status_code == 200
    assert not Entry.objects.exists()


def test_a_plug_goes_with_all_it_said_but_not_while_it_is_needed(plug, as_bob, now):
    PlugReading.objects.create(plug=plug, at=now, on=True)
    PlugCommand.objects.create(plug=plug, on=True, reason="job", planned_at=now, created_at=now)
    printer = factories.PrinterFactory(plug=plug)

    refused = as_bob.delete(url(plug))
    assert is_problem(refused, 409) and codes(refused) == {"in_use"}
    assert PlugReading.objects.exists() and not Entry.objects.exists()
    printer.delete()
    assert as_bob.delete(url(plug)).status_code == 204
    assert not SmartPlug.objects.exists() and not PlugReading.objects.exists()
    assert Entry.objects.get(kind="plug.removed").subject == f"smartplug:{plug.pk}"


def test_of_two_who_read_the_same_the_second_is_told(plug, as_bob, bearer, people):
    other = bearer(people.bob)
    seen = other.get(url(plug))["ETag"]
    assert as_bob.patch(url(plug), {"name": "First"}, headers={"If-Match": seen}).status_code == 200

    late = {"headers": {"If-Match": seen}}
    assert is_problem(other.patch(url(plug), {"name": "Second"}, **late), 412)
    assert is_problem(other.delete(url(plug), **late), 412)
    assert is_problem(other.post(url(plug, "switch"), {"on": True, "reason": "x"}, **late), 412)
    assert SmartPlug.objects.get().name == "First"
    assert PlugState.objects.get().override_on is None


def test_what_machines_write_does_not_run_over_an_edit(plug, as_bob, now):
    seen = as_bob.get(url(plug))
    PlugState.objects.update(
        observed=True,
        power_w=90,
        last_contact_at=now,
        rssi=-50,
        wanted=True,
        wanted_reason="job",
        device_id="A",
    )

    now_seen = as_bob.get(url(plug))
    assert now_seen["ETag"] != seen["ETag"]
    assert as_bob.patch(url(plug), {"name": "X"}, headers={"If-Match": seen["ETag"]}).status_code == 200


# ------------------------------------------------------------------ secrets


def test_the_password_goes_in_and_never_comes_out(as_bob, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    order = {
        "name": "Ender",
        "driver": "simulated",
        "address": "sim",
        "username": "u@x.org",
        "password": f" {SECRET} ",
    }
    said = [as_bob.post("/api/plugs", order)]
    plug = SmartPlug.objects.get()
    assert plug.password == f" {SECRET} "  # spaces belong to it

    said += [
        as_bob.patch(url(plug), {"password": SECRET + "2"}),
        as_bob.patch(url(plug), {"password": SECRET * 99}),
    ]
    said += [as_bob.get(url(plug)), as_bob.get("/api/plugs"), as_bob.get(url(plug) + "?fields=password")]
    said += [
        as_bob.post("/api/plugs", order),
        as_bob.get("/api/plugs?password=" + SECRET.split(maxsplit=1)[0]),
    ]
    said += [
        as_bob.post(url(plug, verb), {"on": True, "reason": "x"})
        for verb in ("test", "trust", "switch", "release")
    ]

    assert SmartPlug.objects.get().password == SECRET + "2"
    assert [answer.status_code for answer in said[:6]] == [201, 200, 400, 200, 200, 400]
    texts = [answer.content.decode() for answer in said] + [caplog.text, *capsys.readouterr()]
    texts += [json.dumps(entry.data) + entry.subject_label for entry in Entry.objects.all()]
    assert not [text for text in texts if SECRET in text]
    assert "password" not in said[3].json()
    assert Entry.objects.filter(kind="plug.changed").get().data == {"fields": ["password"]}


def test_the_password_can_be_emptied(plug, as_bob):
    assert as_bob.patch(url(plug), {"password": ""}).status_code == 200
    assert SmartPlug.objects.get().password == ""


# ------------------------------------------------------------------ test and trust


def test_a_test_is_handed_to_a_worker(plug, as_bob, now):
    PlugState.objects.update(
        is_suspended=True, failures=1, error_code="auth_failed", error_at=now, next_poll_at=None
    )
    told = as_bob.get(url(plug)).json()
    assert told["health"] == "suspended"
    assert told["last_error"] == {
        "code": "auth_failed",
        "message": "The plug refused the login. Check user name and password, then test.",
        "at": "2026-02-04T10:00:00+01:00",
    }

    answer = as_bob.post(url(plug, "test"))

    assert answer.status_code == 202
    assert answer.json()["health"] == "trouble"
    state = PlugState.objects.get()
    assert (state.is_suspended, state.next_poll_at) == (False, now)


def test_another_device_is_trusted(plug, as_bob, now):
    PlugState.objects.update(device_id="A", error_code="identity_mismatch", next_poll_at=None)

    told = as_bob.post(url(plug, "trust")).json()

    assert (told["device_id"], told["last_error"]) == ("", None)
    assert PlugState.objects.get().next_poll_at == now
    assert Entry.objects.get().kind == "plug.trusted_anew"


# ------------------------------------------------------------------ switching


def test_switched_by_hand_for_a_while_and_released(plug, as_bob, people, now):
    answer = as_bob.post(url(plug, "switch"), {"on": True, "minutes": 30, "reason": " Cleaning "})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["wanted"], told["observed"], told["wanted_reason"]) == (True, None, "override")
    assert (told["override_until"], told["override_reason"]) == ("2026-02-04T10:30:00+01:00", "Cleaning")
    command = PlugCommand.objects.get()
    assert (command.on, command.actor_id, command.result) == (True, people.bob.pk, "pending")
    entry = Entry.objects.get(kind="plug.overridden")
    assert (entry.channel, entry.actor_id, entry.data["on"], entry.data["cut"]) == (
        "api",
        people.bob.pk,
        True,
        False,
    )

    told = as_bob.post(url(plug, "release")).json()
    assert (told["wanted"], told["override_until"], told["override_reason"]) == (None, None, "")


def test_an_hour_unless_told_and_open_ended_when_told(plug, as_bob):
    told = as_bob.post(url(plug, "switch"), {"on": False, "reason": "Smoke", "cut": True}).json()
    assert (told["wanted"], told["override_until"]) == (False, "2026-02-04T11:00:00+01:00")
    assert PlugState.objects.get().override_is_cut is True
    told = as_bob.post(url(plug, "switch"), {"on": False, "reason": "Smoke", "minutes": None}).json()
    assert told["override_until"] is None
    assert PlugState.objects.get().override_on is False


def test_the_machines_plan_gives_way_and_comes_back(as_bob, printer):
    as_bob.patch(f"/api/printers/{printer.pk}", {"note": "planned"})

    assert as_bob.post(url(printer.plug, "switch"), {"on": True, "reason": "Test"}).json()["wanted"] is True
    assert as_bob.post(url(printer.plug, "release")).json()["wanted"] is False


def test_a_word_without_a_reason_does_not_count(plug, as_bob):
    answer = as_bob.post(url(plug, "switch"), {"on": True})

    assert is_problem(answer, 409) and codes(answer) == {"reason_missing"}
    assert PlugState.objects.get().override_on is None


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"on": "maybe"},
        {"on": None},
        {"on": True, "minutes": 0},
        {"on": True, "minutes": -5},
        {"on": True, "minutes": 10**12},
        {"on": True, "reason": "r" * 201},
        {"on": True, "cut": "perhaps"},
    ],
)
def test_a_wrong_word(plug, as_bob, order):
    assert is_problem(as_bob.post(url(plug, "switch"), {"reason": "Test", **order}), 400)
    assert PlugState.objects.get().override_on is None


# ------------------------------------------------------------------ lists


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ender", "Laser"]),
        ("ordering=-address", ["Ender", "Laser"]),
        ("ordering=-name", ["Laser", "Ender"]),
        ("name=END", ["Ender"]),
        ("driver=tapo", ["Laser"]),
        ("address=0.7", ["Ender"]),
        ("wanted=true", ["Laser"]),
        ("observed=false", ["Ender"]),
        ("in_use=true", ["Laser"]),
        ("in_use=false", ["Ender"]),
    ],
)
def test_filters_and_order(plug, as_bob, query, expected):
    PlugState.objects.update(observed=False)
    laser = factories.PlugFactory(name="Laser", driver="tapo", address="10.0.0.1", state__wanted=True)
    factories.PrinterFactory(plug=laser)

    assert [row["name"] for row in as_bob.get(f"/api/plugs/?{query}").json()["results"]] == expected


@pytest.mark.parametrize(
    "query", ["driver=toaster", "ordering=password", "ordering=power_w", "fields=password"]
)
def test_questions_that_make_no_sense(plug, as_bob, query):
    assert is_problem(as_bob.get(f"/api/plugs?{query}"), 400)


# ------------------------------------------------------------------ commands and readings


@pytest.fixture
def history(plug, people, now):
    other = factories.PlugFactory(name="Laser")
    results = [CommandResult.CONFIRMED, CommandResult.SUPERSEDED, CommandResult.PENDING]
    for number, result in enumerate(results):
        for each in (plug, other):
            at = now + number * MINUTE
            PlugCommand.objects.create(
                plug=each,
                on=not number % 2,
                reason="job" if number else "override",
                actor=people.bob,
                planned_at=at,
                created_at=at,
                result=result,
            )
            PlugReading.objects.create(plug=each, at=at, on=not number % 2, power_w=number * 10)
    return other


def commands(client, path):
    return [(row["plug"], row["result"]) for row in client.get(path).json()["results"]]


def test_what_a_plug_was_told(plug, history, as_bob, people):
    (newest, *_rest) = as_bob.get(url(plug, "commands")).json()["results"]

    assert newest == {
        "id": PlugCommand.objects.filter(plug=plug).last().pk,
        "plug": plug.pk,
        "on": True,
        "reason": "job",
        "actor": people.bob.pk,
        "planned_at": "2026-02-04T10:02:00+01:00",
        "created_at": "2026-02-04T10:02:00+01:00",
        "sent_at": None,
        "confirmed_at": None,
        "attempts": 0,
        "result": "pending",
        "error_code": "",
    }
    assert as_bob.get(f"/api/commands/{newest['id']}").json() == newest
    assert is_problem(as_bob.get(url(history, "commands", str(newest["id"]))), 404)
    assert commands(as_bob, url(plug, "commands")) == [
        (plug.pk, "pending"),
        (plug.pk, "superseded"),
        (plug.pk, "confirmed"),
    ]
    assert len(commands(as_bob, "/api/commands")) == 6


@pytest.mark.parametrize(
    ("query", "results"),
    [
        ("result=pending", ["pending"]),
        ("result=pending&result=confirmed", ["pending", "confirmed"]),
        ("reason=override", ["confirmed"]),
        ("on=false", ["superseded"]),
        ("from=2026-02-04T09:01:00Z", ["pending", "superseded"]),
        ("to=2026-02-04T10:01:00%2B01:00", ["confirmed"]),
        ("from=2026-02-04T09:01:00Z&to=2026-02-04T09:02:00Z", ["superseded"]),
        ("ordering=planned_at", ["confirmed", "superseded", "pending"]),
    ],
)
def test_commands_by(plug, history, as_bob, query, results):
    expected = [(plug.pk, result) for result in results]

    assert commands(as_bob, url(plug, "commands") + f"?{query}") == expected
    assert commands(as_bob, f"/api/commands?plug={plug.pk}&{query}") == expected


def test_what_a_plug_said(plug, history, as_bob):
    rows = as_bob.get(url(plug, "readings")).json()["results"]

    assert [row["power_w"] for row in rows] == [20, 10, 0]
    assert rows[0] == {
        "id": PlugReading.objects.filter(plug=plug).last().pk,
        "plug": plug.pk,
        "at": "2026-02-04T10:02:00+01:00",
        "on": True,
        "power_w": 20.0,
        "energy_today_wh": None,
        "energy_month_wh": None,
    }
    assert as_bob.get(f"/api/readings?plug={plug.pk}").json()["results"] == rows
    assert len(as_bob.get("/api/readings").json()["results"]) == 6
    late = as_bob.get(url(plug, "readings") + "?from=2026-02-04T09:01:00Z&on=true").json()["results"]
    assert late == rows[:1]


@pytest.mark.parametrize(
    "query", ["plug=999", "plug=1e999999999", "from=soon", "from=0001-01-01T00:00:00%2B14:00"]
)
def test_records_that_make_no_sense(plug, as_bob, query):
    for path in ("/api/commands", "/api/readings", url(plug, "readings")):
        assert is_problem(as_bob.get(f"{path}?{query}"), 400)


def test_nobody_writes_what_happened(plug, history, as_bob):
    for path in ("/api/commands", "/api/readings", url(plug, "commands"), "/api/commands/1"):
        for method in (as_bob.post, as_bob.patch, as_bob.put, as_bob.delete):
            assert is_problem(method(path, {"on": True}), 405)


def test_pages_of_readings_follow_each_other_while_rows_come(plug, as_bob, now):
    for number in range(5):
        PlugReading.objects.create(plug=plug, at=now + number * MINUTE, on=True, power_w=number)
    first = as_bob.get(url(plug, "readings") + "?limit=2").json()
    PlugReading.objects.create(plug=plug, at=now + 9 * MINUTE, on=True, power_w=9)

    second = as_bob.get(first["next"]).json()

    assert [row["power_w"] for row in first["results"] + second["results"]] == [4, 3, 2, 1]


def test_readings_of_one_plug_come_from_their_index(plug, as_bob, now):
    """There are millions: sorting all of them for fifty would take seconds."""
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plans")
    for path in (url(plug, "readings"), f"/api/readings?plug={plug.pk}", "/api/readings"):
        with CaptureQueriesContext(connection) as found:
            as_bob.get(path)
        (query,) = [q["sql"] for q in found if 'FROM "plugs_plugreading"' in q["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query)
            plan = " ".join(row[-1] for row in cursor.fetchall())
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, path


@pytest.mark.parametrize("path", ["/api/plugs", "/api/commands", "/api/readings"])
def test_the_number_of_queries_does_not_grow(as_bob, people, now, path):
    def furnish(count):
        for plug in factories.PlugFactory.create_batch(count):
            PlugCommand.objects.create(
                plug=plug, on=True, reason="job", actor=people.bob, planned_at=now, created_at=now
            )
            PlugReading.objects.create(plug=plug, at=now, on=True)

    def queries():
        with CaptureQueriesContext(connection) as found:
            assert as_bob.get(path).status_code == 200
        return len(found)

    furnish(1)
    queries()
    with_one = queries()
    furnish(29)
    assert queries() == with_one <= 7
