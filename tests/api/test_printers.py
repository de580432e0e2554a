"""Machines: kept by trainers, seen by everybody, and never by strangers."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import Scope
from core.actor import Actor, Channel
from journal.models import Entry
from plugs.models import PlugState
from printers.models import Printer
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import PowerPlan
from tests import factories
from tests.api.asking import codes, is_problem

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db
FIELDS = [
    "id", "name", "kind", "maker", "model", "location", "state", "plug", "rules", "service", "service_note", "note",
    "network_address", "picture",
]  # fmt: skip


def fields_of(answer):
    return {error["field"] for error in answer.json()["errors"]}


def url(printer, *more):
    return "/".join(["/api/printers", str(printer.pk), *more])


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "", None),
        ("post", "", {"name": "New"}),
        ("get", "/{id}", None),
        ("patch", "/{id}", {"name": "New"}),
        ("delete", "/{id}", None),
        ("post", "/{id}/service", {"service": "maintenance"}),
        ("get", "/status", None),
        ("get", "/{id}/status", None),
        ("get", "/{id}/availability", None),
        ("get", "/next-free", None),
        ("get", "/{id}/next-free", None),
    ],
)
def test_who_may_what(printer, anonymous, as_alice, as_bob, bearer, people, method, path, body):
    path = "/api/printers" + path.format(id=printer.pk)
    is_change = method != "get"

    assert is_problem(getattr(anonymous, method)(path, body), 401)
    refused = getattr(as_alice, method)(path, body)
    assert refused.status_code == (403 if is_change else 200)
    reader = getattr(bearer(people.bob, Scope.READ), method)(path, body)
    assert reader.status_code == (403 if is_change else 200)
    if is_change:
        assert codes(reader) == {"token_is_read_only"}
        assert Printer.objects.values_list("name", "service").get() == (printer.name, "in_service")
    assert getattr(as_bob, method)(path, body).status_code in {200, 201, 204}


def test_a_change_needs_the_csrf_token(printer, as_bob):
    as_bob.forget_csrf()

    assert codes(as_bob.patch(url(printer), {"name": "Forged"})) == {"csrf_failed"}
    assert codes(as_bob.post("/api/printers", {"name": "Forged"})) == {"csrf_failed"}
    assert codes(as_bob.delete(url(printer))) == {"csrf_failed"}
    assert not Printer.objects.filter(name="Forged").exists()


@pytest.mark.parametrize("path", ["999999", "0", "999999999999999999", "9999999999999999999999", "x", "-1"])
def test_what_is_not_there(as_alice, as_bob, path):
    for more in ("", "/status", "/availability", "/next-free"):
        assert is_problem(as_alice.get(f"/api/printers/{path}{more}"), 404)
    assert is_problem(as_bob.patch(f"/api/printers/{path}", {"name": "x"}), 404)
    assert is_problem(as_bob.delete(f"/api/printers/{path}"), 404)


def test_put_is_not_offered(printer, as_bob):
    assert is_problem(as_bob.put(url(printer), {"name": "x"}), 405)


# ------------------------------------------------------------------ what it is


def test_a_machine_as_everybody_sees_it(as_alice):
    room = factories.LocationFactory(name="Hall")
    skill = factories.QualificationFactory()
    printer = factories.PrinterFactory(name="Ender", location=room, maker="Creality", max_minutes=600)
    printer.qualifications.add(skill)

    told = as_alice.get(url(printer)).json()

    assert list(told) == FIELDS
    assert (told["name"], told["location"], told["plug"]) == ("Ender", "Hall", printer.plug_id)
    assert (told["state"], told["kind"], told["picture"]) == ("free", "printer", None)
    assert told["rules"] == {
        "step_minutes": 15,
        "min_minutes": 15,
        "max_minutes": 600,
        "horizon_days": 60,
        "notice_minutes": 0,
        "buffer_minutes": 0,
        "is_open_at_night": True,
        "needs_approval": False,
        "qualifications": [skill.pk],
        "lead_minutes": 0,
        "cool_down_minutes": 5,
        "idle_below_w": 15.0,
        "busy_above_w": 40.0,
        "hard_limit_minutes": None,
    }


def test_a_picture_is_an_address(printer, as_alice):
    Printer.objects.update(picture="printers/ender.png")

    assert as_alice.get(url(printer)).json()["picture"] == "http://testserver/media/printers/ender.png"


def test_the_state_is_the_overviews(as_alice, alice, now):
    def state(machine):
        return as_alice.get(url(machine)).json()["state"]

    free, booked, broken, closed = factories.PrinterFactory.create_batch(4)
    booking.book(Wish(booked.pk, alice.user_id, now + HOUR), actor=alice, now=now)
    Printer.objects.filter(pk=broken.pk).update(service="out_of_order")
    factories.OutageFactory(printer=closed, starts_at=now, ends_at=now + HOUR)

    assert [state(m) for m in (free, booked, broken, closed)] == [
        "free",
        "in_use",
        "out_of_order",
        "maintenance",
    ]
    PlugState.objects.filter(plug=booked.plug).update(observed=True, power_w=90)
    assert state(booked) == "printing"
    PlugState.objects.filter(plug=free.plug).update(failures=9)
    assert state(free) == "attention"
    listed = {row["id"]: row["state"] for row in as_alice.get("/api/printers").json()["results"]}
    assert listed[booked.pk] == "printing" and listed[closed.pk] == "maintenance"


# ------------------------------------------------------------------ adding


def test_a_name_is_enough_and_it_can_be_booked_at_once(as_bob, as_alice, now):
    answer = as_bob.post("/api/printers", {"name": " Ender 3 "})

    assert answer.status_code == 201
    told = answer.json()
    assert answer["Location"].endswith(f"/api/printers/{told['id']}")
    assert (told["name"], told["location"], told["plug"], told["state"]) == ("Ender 3", None, None, "free")
    assert told["rules"]["horizon_days"] == 60
    assert PowerPlan.objects.filter(printer_id=told["id"]).exists()
    entry = Entry.objects.get(kind="printer.added")
    assert (entry.channel, entry.data) == ("api", {"fields": ["name"]})
    for hours in (11, 59 * 24):  # by night, and far ahead
        window = {"starts_at": (now + hours * HOUR).isoformat(), "minutes": 60}
        assert as_alice.post("/api/jobs", {"printer": told["id"], **window}).status_code == 201


def test_everything_at_once(as_bob):
    room, skill, plug = (
        factories.LocationFactory(name="Hall"),
        factories.QualificationFactory(),
        factories.PlugFactory(),
    )
    order = {
        "name": "Laser",
        "kind": "laser",
        "maker": "Trotec",
        "model": "Speedy",
        "location": "Hall",
        "plug": plug.pk,
        "note": "Goggles!",
        "network_address": "10.0.0.9",
        "rules": {
            "step_minutes": 30,
            "min_minutes": 30,
            "needs_approval": True,
            "qualifications": [skill.pk],
            "hard_limit_minutes": 20,
        },
    }

    told = as_bob.post("/api/printers", order).json()

    assert {name: told[name] for name in order if name != "rules"} == {
        k: v for k, v in order.items() if k != "rules"
    }
    assert order["rules"].items() <= told["rules"].items()
    printer = Printer.objects.get()
    assert (printer.location, printer.plug, list(printer.qualifications.all())) == (room, plug, [skill])
    assert PlugState.objects.get().wanted is False  # planned at once


def test_what_cannot_be_set_is_left_alone(as_bob):
    told = as_bob.post(
        "/api/printers",
        {"name": "Ender", "id": 77, "state": "printing", "service": "out_of_order", "jobs": [1]},
    ).json()

    assert (told["state"], told["service"]) == ("free", "in_service")
    assert told["id"] != 77


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": "Taken"}, "name"),
        ({"kind": "toaster"}, "kind"),
        ({"location": "Nowhere"}, "location"),
        ({"plug": 999}, "plug"),
        ({"plug": "x"}, "plug"),
        ({"rules": {"step_minutes": 4}}, "rules.step_minutes"),
        ({"rules": {"max_minutes": 10**6}}, "rules.max_minutes"),
        ({"rules": {"horizon_days": 10**9}}, "rules.horizon_days"),
        ({"rules": {"notice_minutes": 2**31}}, "rules.notice_minutes"),
        ({"rules": {"buffer_minutes": 2**31 - 1}}, "rules.buffer_minutes"),
        ({"rules": {"cool_down_minutes": -1}}, "rules.cool_down_minutes"),
        ({"rules": {"idle_below_w": "nan"}}, "rules.idle_below_w"),
        ({"rules": {"busy_above_w": 10**400}}, "rules.busy_above_w"),
        ({"rules": {"qualifications": [999]}}, "rules.qualifications"),
        ({"rules": {"qualifications": "x"}}, "rules.qualifications"),
        ({"rules": 5}, "rules"),
        ({"rules": {"min_minutes": 60, "max_minutes": 30}}, ""),
        ({"rules": {"idle_below_w": 50}}, ""),
    ],
)
def test_a_wrong_order_says_where(as_bob, order, field):
    factories.PrinterFactory(name="Taken")
    before = Printer.objects.count()

    answer = as_bob.post("/api/printers", {"name": "New", **order} if order else {})

    assert is_problem(answer, 400)
    assert field in fields_of(answer)
    assert Printer.objects.count() == before


def test_a_wrong_location_names_where_to_look_and_a_taken_plug_its_machine(as_bob, printer):
    room = as_bob.post("/api/printers", {"name": "New", "location": "Hal"}).json()
    plug = as_bob.post("/api/printers", {"name": "New", "plug": printer.plug_id}).json()

    assert (
        "“Hal”" in room["detail"] + room["errors"][0]["message"]
        and "/api/locations" in room["errors"][0]["message"]
    )
    assert [(e["field"], e["code"]) for e in plug["errors"]] == [("plug", "unique")]
    assert printer.name in plug["errors"][0]["message"]


def test_the_same_order_twice_is_one_machine(as_bob):
    key = {"headers": {"Idempotency-Key": "new-ender"}}

    first = as_bob.post("/api/printers", {"name": "Ender"}, **key)
    again = as_bob.post("/api/printers", {"name": "Ender"}, **key)
    other = as_bob.post("/api/printers", {"name": "Prusa"}, **key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (again["Idempotency-Replayed"], again["Location"], again["ETag"]) == (
        "true",
        first["Location"],
        first["ETag"],
    )
    assert is_problem(other, 422) and codes(other) == {"idempotency_key_reused"}
    assert Printer.objects.count() == 1
    assert Entry.objects.filter(kind="printer.added").count() == 1


# ------------------------------------------------------------------ changing


def test_only_what_is_named_changes(as_bob, printer):
    answer = as_bob.patch(url(printer), {"note": "Fresh nozzle", "rules": {"buffer_minutes": 10}})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["note"], told["rules"]["buffer_minutes"], told["rules"]["step_minutes"]) == (
        "Fresh nozzle",
        10,
        15,
    )
    assert (told["name"], told["plug"]) == (printer.name, printer.plug_id)
    assert Entry.objects.get(kind="printer.changed").data == {"fields": ["buffer_minutes", "note"]}


def test_what_does_not_differ_is_not_written(as_bob, printer):
    skill = factories.QualificationFactory()
    printer.qualifications.add(skill)
    same = {"name": printer.name, "rules": {"step_minutes": 15, "qualifications": [skill.pk]}}

    assert as_bob.patch(url(printer), same).status_code == 200
    assert not Entry.objects.exists()


def test_qualifications_are_put_and_taken(as_bob, printer):
    one, other = factories.QualificationFactory.create_batch(2)
    printer.qualifications.add(one)

    told = as_bob.patch(url(printer), {"rules": {"qualifications": [other.pk]}}).json()
    assert told["rules"]["qualifications"] == [other.pk]
    assert Entry.objects.get(kind="printer.changed").data == {"fields": ["qualifications"]}
    told = as_bob.patch(url(printer), {"rules": {"qualifications": []}}).json()
    assert told["rules"]["qualifications"] == []


def test_a_plug_that_leaves_is_left_alone_and_the_new_one_is_planned(as_bob, printer, bob, now):
    old, new = printer.plug, factories.PlugFactory()
    as_bob.patch(url(printer), {"note": "planned"})
    PlugState.objects.filter(plug=old).update(wanted=True)

    assert as_bob.patch(url(printer), {"plug": new.pk}).json()["plug"] == new.pk

    assert PlugState.objects.get(plug=old).wanted is None
    assert PlugState.objects.get(plug=new).wanted is False
    assert as_bob.patch(url(printer), {"plug": None}).json()["plug"] is None
    assert PlugState.objects.get(plug=new).wanted is None


def test_the_same_plug_again_is_no_conflict(as_bob, printer):
    assert as_bob.patch(url(printer), {"plug": printer.plug_id, "note": "x"}).status_code == 200


@pytest.mark.parametrize(
    "change", [{"rules": {"max_minutes": 10}}, {"rules": {"busy_above_w": 1}}], ids=["lengths", "limits"]
)
def test_a_change_is_judged_with_what_stays(as_bob, printer, change):
    assert is_problem(as_bob.patch(url(printer), change), 400)
    assert not Entry.objects.exists()


def test_of_two_who_read_the_same_the_second_is_told(as_bob, bearer, people, printer):
    other = bearer(people.bob)
    seen = other.get(url(printer))["ETag"]
    first = as_bob.patch(
        url(printer), {"note": "First"}, headers={"If-Match": as_bob.get(url(printer))["ETag"]}
    )

    second = other.patch(url(printer), {"note": "Second"}, headers={"If-Match": seen})

    assert first.status_code == 200
    assert is_problem(second, 412)
    assert Printer.objects.get().note == "First"
    again = other.patch(url(printer), {"note": "Second"}, headers={"If-Match": first["ETag"]})
    assert again.status_code == 200
    assert is_problem(other.delete(url(printer), headers={"If-Match": seen}), 412)
    assert is_problem(
        other.post(url(printer, "service"), {"service": "maintenance"}, headers={"If-Match": seen}), 412
    )


def test_a_machine_at_work_does_not_run_over_an_edit(as_bob, as_alice, printer, alice, now):
    seen = as_bob.get(url(printer))
    booking.book(Wish(printer.pk, alice.user_id, now + HOUR), actor=alice, now=now)

    assert as_bob.get(url(printer)).json()["state"] != seen.json()["state"]
    assert as_bob.patch(url(printer), {"note": "x"}, headers={"If-Match": seen["ETag"]}).status_code == 200


def test_what_has_not_changed_is_not_sent_again(as_alice, printer):
    for path in (url(printer), "/api/printers", "/api/printers/status", url(printer, "status")):
        etag = as_alice.get(path)["ETag"]
        assert as_alice.get(path, headers={"If-None-Match": etag}).status_code == HTTPStatus.NOT_MODIFIED


# ------------------------------------------------------------------ removing


def test_a_machine_without_jobs_goes_and_its_plug_is_left_alone(as_bob, printer):
    as_bob.patch(url(printer), {"note": "planned"})
    assert PlugState.objects.get().wanted is False

    answer = as_bob.delete(url(printer))

    assert (answer.status_code, answer.content) == (204, b"")
    assert not Printer.objects.exists()
    assert PlugState.objects.get().wanted is None
    assert Entry.objects.get(kind="printer.removed").subject == f"printer:{printer.pk}"
    assert is_problem(as_bob.get(url(printer)), 404)


def test_a_machine_with_jobs_stays(as_bob, printer, alice, now):
    job = booking.book(Wish(printer.pk, alice.user_id, now + HOUR), actor=alice, now=now)
    booking_over = as_bob.post(f"/api/jobs/{job.pk}/finish")
    assert booking_over.status_code == 200

    answer = as_bob.delete(url(printer))

    assert is_problem(answer, 409) and codes(answer) == {"in_use"}
    assert Printer.objects.exists()
    assert not Entry.objects.filter(kind="printer.removed").exists()


# ------------------------------------------------------------------ service


def test_out_of_service_and_back(as_bob, as_alice, printer):
    answer = as_bob.post(url(printer, "service"), {"service": "out_of_order", "note": "Belt torn"})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["service"], told["service_note"], told["state"]) == (
        "out_of_order",
        "Belt torn",
        "out_of_order",
    )
    refused = as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60})
    assert refused.status_code == 409 and "machine_out_of_service" in codes(refused)
    told = as_bob.post(url(printer, "service"), {"service": "in_service"}).json()
    assert (told["service_note"], told["state"]) == ("", "free")
    assert Entry.objects.filter(kind="printer.service_set", channel="api").count() == 2


@pytest.mark.parametrize("order", [{}, {"service": "broken"}, {"service": "maintenance", "note": "n" * 201}])
def test_a_wrong_service_order(as_bob, printer, order):
    assert is_problem(as_bob.post(url(printer, "service"), order), 400)


# ------------------------------------------------------------------ lists


def test_lists_come_by_name_or_as_asked(as_alice):
    for name, kind in (("B", "laser"), ("A", "printer"), ("C", "cnc")):
        factories.PrinterFactory(name=name, kind=kind)

    def names(query=""):
        return [row["name"] for row in as_alice.get(f"/api/printers{query}").json()["results"]]

    assert names() == ["A", "B", "C"]
    assert names("?ordering=-name") == ["C", "B", "A"]
    assert names("?ordering=kind") == ["C", "B", "A"]
    assert names("/?ordering=-id") == ["C", "A", "B"]
    assert is_problem(as_alice.get("/api/printers?ordering=location"), 400)


def test_pages_follow_each_other(as_alice):
    for number in range(5):
        factories.PrinterFactory(name=f"Ender {number}")

    first = as_alice.get("/api/printers?limit=2").json()
    second = as_alice.get(first["next"]).json()

    assert [row["name"] for row in first["results"] + second["results"]] == [f"Ender {n}" for n in range(4)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=ender", {"Ender"}),
        ("kind=laser", {"Laser"}),
        ("kind=laser&kind=printer", {"Laser", "Ender"}),
        ("maker=CREALITY", {"Ender"}),
        ("location=hall", {"Laser"}),
        ("service=maintenance", {"Laser"}),
        ("state=maintenance", {"Laser"}),
        ("state=free&state=booked", {"Ender"}),
        ("state=printing", set()),
        ("has_plug=true", {"Ender"}),
        ("has_plug=false", {"Laser"}),
        ("needs_approval=true", {"Laser"}),
        ("name=%27%20OR%201=1--", set()),
    ],
)
def test_filters(as_alice, query, expected):
    factories.PrinterFactory(name="Ender", maker="Creality")
    factories.PrinterFactory(
        name="Laser",
        kind="laser",
        service="maintenance",
        needs_approval=True,
        plug=None,
        location=factories.LocationFactory(name="Hall"),
    )

    for path in ("/api/printers", "/api/printers/status"):
        assert {row["name"] for row in as_alice.get(f"{path}?{query}").json()["results"]} == expected


@pytest.mark.parametrize("query", ["kind=toaster", "state=asleep", "plug=999", "qualifications=x", "limit=x"])
def test_filters_that_make_no_sense(as_alice, printer, query):
    answer = as_alice.get(f"/api/printers?{query}")
    assert answer.status_code == 200 if query == "limit=x" else is_problem(answer, 400)


def test_only_the_fields_asked_for(as_alice, printer):
    assert as_alice.get(url(printer) + "?fields=id,state").json() == {"id": printer.pk, "state": "free"}
    (row,) = as_alice.get("/api/printers?fields=rules").json()["results"]
    assert list(row) == ["rules"]
    assert is_problem(as_alice.get("/api/printers?fields=name,secret"), 400)


@pytest.mark.parametrize(
    "path", ["/api/printers", "/api/printers/status", "/api/printers/next-free?minutes=60"]
)
def test_the_number_of_queries_does_not_grow(as_alice, people, now, path):
    bob = Actor(people.bob.pk, Channel.WEB)

    def furnish(count):
        for _number in range(count):
            machine = factories.PrinterFactory(location=factories.LocationFactory())
            factories.OpeningHoursFactory(location=machine.location, weekday=3, opens="08:00", closes="20:00")
            factories.OutageFactory(printer=machine, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
            booking.book(Wish(machine.pk, people.bob.pk, now + HOUR), actor=bob, now=now)
            machine.qualifications.add(factories.QualificationFactory())

    def queries():
        with CaptureQueriesContext(connection) as found:
            assert as_alice.get(path).status_code == 200
        return len(found)

    furnish(1)
    queries()
    with_one = queries()
    furnish(29)
    assert queries() == with_one <= 12
