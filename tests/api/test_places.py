"""Rooms, closures, qualifications and who holds them: everybody reads, trainers keep them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Grant, Qualification
from journal.models import Entry
from printers.models import Location, OpeningHours, Outage
from tests import factories
from tests.api.asking import codes, is_problem

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
pytestmark = pytest.mark.django_db
WEDNESDAY = {"weekday": 3, "opens": "08:00", "closes": "18:00"}


def fields_of(answer):
    return {error["field"] for error in answer.json()["errors"]}


def results(client, path):
    return client.get(f"/api/{path}").json()["results"]


@pytest.fixture
def things(people, now):
    """One of each, by its path."""
    room = factories.LocationFactory(name="Hall")
    skill = factories.QualificationFactory(name="Laser")
    grant = factories.GrantFactory(user=people.charlie, qualification=skill, granted_at=now)
    outage = factories.OutageFactory(location=room, starts_at=now, ends_at=now + HOUR)
    return {"locations": room, "qualifications": skill, "grants": grant, "outages": outage}


@pytest.fixture
def orders(things, people):
    """What makes another of each."""
    return {
        "locations": {"name": "Cellar"},
        "qualifications": {"name": "Mill"},
        "grants": {"user": people.dora.pk, "qualification": things["qualifications"].pk},
        "outages": {
            "location": "Hall",
            "starts_at": "2026-02-05T08:00:00+01:00",
            "ends_at": "2026-02-05T09:00:00+01:00",
            "reason": "Painting",
        },
    }


PATHS = ["locations", "qualifications", "grants", "outages"]


# ------------------------------------------------------------------ what all have in common


@pytest.mark.parametrize("path", PATHS)
def test_who_may(things, orders, anonymous, as_alice, as_bob, path):
    one = f"/api/{path}/{things[path].pk}"
    is_others_own = path == "grants"
    assert is_problem(anonymous.get(f"/api/{path}"), 401) and is_problem(anonymous.get(one), 401)
    assert is_problem(anonymous.post(f"/api/{path}", orders[path]), 401)

    assert as_alice.get(f"/api/{path}").status_code == 200
    assert as_alice.get(one).status_code == (404 if is_others_own else 200)
    assert is_problem(as_alice.post(f"/api/{path}", orders[path]), 403)
    assert is_problem(as_alice.patch(one, orders[path]), 403)
    assert is_problem(as_alice.delete(one), 403)
    assert not Entry.objects.exists()

    assert as_bob.post(f"/api/{path}/", orders[path]).status_code == 201
    assert as_bob.patch(one, {}).status_code == (405 if path == "grants" else 200)
    assert as_bob.delete(one).status_code == 204
    assert is_problem(as_bob.get(one), 404) and is_problem(as_bob.delete(one), 404)


@pytest.mark.parametrize("path", PATHS)
def test_a_change_needs_the_csrf_token(things, orders, as_bob, path):
    as_bob.forget_csrf()

    assert codes(as_bob.post(f"/api/{path}", orders[path])) == {"csrf_failed"}
    assert codes(as_bob.delete(f"/api/{path}/{things[path].pk}")) == {"csrf_failed"}
    assert not Entry.objects.exists()


@pytest.mark.parametrize("path", PATHS)
def test_the_same_order_twice_is_done_once(things, orders, as_bob, path):
    key = {"headers": {"Idempotency-Key": "k"}}
    first, again = (as_bob.post(f"/api/{path}", orders[path], **key) for _time in range(2))
    other = as_bob.post(f"/api/{path}", {**orders[path], "name": "Other", "reason": "Other"}, **key)

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert first["Location"].endswith(f"/api/{path}/{first.json()['id']}")
    assert again["Idempotency-Replayed"] == "true"
    assert is_problem(other, 422)
    assert len(results(as_bob, path)) == 2
    assert Entry.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        ("locations", {"name": "First"}, {"name": "Second"}),
        ("locations", {"opening_hours": [WEDNESDAY]}, {"opening_hours": []}),
        ("qualifications", {"description": "First"}, {"description": "Second"}),
        ("outages", {"reason": "First"}, {"reason": "Second"}),
    ],
)
def test_of_two_who_read_the_same_the_second_is_told(things, as_bob, bearer, people, path, first, second):
    other, one = bearer(people.bob), f"/api/{path}/{things[path].pk}"
    late = {"headers": {"If-Match": other.get(one)["ETag"]}}
    assert as_bob.patch(one, first, headers={"If-Match": as_bob.get(one)["ETag"]}).status_code == 200

    assert is_problem(other.patch(one, second, **late), 412)
    assert is_problem(other.delete(one, **late), 412)
    assert first.items() <= as_bob.get(one).json().items()


@pytest.mark.parametrize("path", PATHS)
def test_the_number_of_queries_does_not_grow(as_bob, people, now, path):
    def furnish(count):
        for _number in range(count):
            room, skill = factories.LocationFactory(), factories.QualificationFactory()
            factories.OpeningHoursFactory(location=room, weekday=1, opens="08:00", closes="18:00")
            factories.OutageFactory(location=room, starts_at=now, ends_at=now + HOUR)
            factories.GrantFactory(
                user=people.alice, qualification=skill, granted_at=now, granted_by=people.bob
            )

    def queries():
        with CaptureQueriesContext(connection) as found:
            assert as_bob.get(f"/api/{path}").status_code == 200
        return len(found)

    furnish(1)
    queries()
    with_one = queries()
    furnish(29)
    assert queries() == with_one <= 8


# ------------------------------------------------------------------ rooms


def test_a_room_and_when_it_is_open(as_bob, as_alice):
    hours = [
        {"weekday": 5, "opens": "08:00", "closes": "12:30"},
        {"weekday": 5, "opens": "12:30", "closes": "18:00"},
    ]

    told = as_bob.post("/api/locations", {"name": " Hall ", "opening_hours": hours}).json()

    assert told == {"id": told["id"], "name": "Hall", "opening_hours": hours}
    assert results(as_alice, "locations") == [told]
    assert Entry.objects.get().data == {"fields": ["name", "opening_hours"]}
    one = f"/api/locations/{told['id']}"
    assert as_bob.patch(one, {"opening_hours": hours[::-1], "name": "Hall"}).json() == told
    assert Entry.objects.count() == 1  # nothing differs
    assert as_bob.patch(one, {"name": "Cellar"}).json() == {**told, "name": "Cellar"}
    assert as_bob.patch(one, {"opening_hours": []}).json()["opening_hours"] == []
    assert [
        entry.data["fields"] for entry in Entry.objects.filter(kind="location.changed").order_by("pk")
    ] == [
        ["name"],
        ["opening_hours"],
    ]


def test_bookings_follow_the_hours(as_bob, as_alice, printer):
    as_bob.post("/api/locations", {"name": "Hall", "opening_hours": [{**WEDNESDAY, "opens": "11:00"}]})
    as_bob.patch(f"/api/printers/{printer.pk}", {"location": "Hall"})

    assert codes(as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60})) == {"outside_hours"}


@pytest.mark.parametrize(
    ("order", "status", "field"),
    [
        ({}, 400, "name"),
        ({"name": "Hall"}, 400, "name"),
        ({"name": "C", "opening_hours": [{**WEDNESDAY, "weekday": 8}]}, 400, "opening_hours.0.weekday"),
        ({"name": "C", "opening_hours": [{**WEDNESDAY, "weekday": 0}]}, 400, "opening_hours.0.weekday"),
        ({"name": "C", "opening_hours": [{**WEDNESDAY, "closes": "24:00"}]}, 400, "opening_hours.0.closes"),
        ({"name": "C", "opening_hours": [{**WEDNESDAY, "closes": "08:00"}]}, 400, "opening_hours.0"),
        ({"name": "C", "opening_hours": [{"weekday": 1}]}, 400, "opening_hours.0.opens"),
        ({"name": "C", "opening_hours": "always"}, 400, "opening_hours"),
        ({"name": "C", "opening_hours": [WEDNESDAY] * 51}, 400, "opening_hours"),
        ({"name": "C", "opening_hours": [WEDNESDAY, WEDNESDAY]}, 409, "opening_hours"),
        ({"name": "C", "opening_hours": [WEDNESDAY, {**WEDNESDAY, "opens": "17:00"}]}, 409, "opening_hours"),
    ],
)
def test_a_wrong_room_says_where(things, as_bob, order, status, field):
    answer = as_bob.post("/api/locations", order)

    assert is_problem(answer, status)
    assert field in fields_of(answer)
    assert Location.objects.count() == 1 and not OpeningHours.objects.exists()


def test_refused_hours_leave_the_old_ones(things, as_bob):
    one = f"/api/locations/{things['locations'].pk}"
    as_bob.patch(one, {"opening_hours": [WEDNESDAY]})

    assert as_bob.patch(one, {"name": "X", "opening_hours": [WEDNESDAY, WEDNESDAY]}).status_code == 409
    assert (as_bob.get(one).json()["name"], as_bob.get(one).json()["opening_hours"]) == ("Hall", [WEDNESDAY])


def test_a_room_with_machines_stays(things, as_bob):
    machine = factories.PrinterFactory(location=things["locations"])
    one = f"/api/locations/{things['locations'].pk}"

    assert codes(as_bob.delete(one)) == {"in_use"}
    assert Outage.objects.exists() and not Entry.objects.exists()
    machine.delete()
    assert as_bob.delete(one).status_code == 204
    assert not Outage.objects.exists()
    assert Entry.objects.get().kind == "location.removed"


# ------------------------------------------------------------------ closures


def test_an_outage_of_a_machine_comes_changes_and_is_lifted(as_bob, as_alice, printer, now):
    order = {
        "printer": printer.pk,
        "starts_at": "2026-02-04T09:00:00Z",
        "ends_at": "2026-02-04T12:00:00+01:00",
        "reason": "New belt",
    }
    told = as_bob.post("/api/outages", order).json()
    assert told == {**order, "id": told["id"], "location": None, "starts_at": "2026-02-04T10:00:00+01:00"}
    assert "machine_closed" in codes(as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60}))

    one = f"/api/outages/{told['id']}"
    assert as_bob.patch(one, {"reason": "New bed"}).json() == {**told, "reason": "New bed"}
    assert as_bob.patch(one, {"reason": "New bed"}).status_code == 200
    assert as_bob.delete(one).status_code == 204
    assert as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60}).status_code == 201
    entries = Entry.objects.filter(kind__startswith="outage.").order_by("pk")
    assert [entry.kind for entry in entries] == ["outage.set", "outage.changed", "outage.lifted"]
    assert entries.last().subject == f"outage:{told['id']}" and entries.last().data["reason"] == "New bed"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"printer": None, "location": None}, ""),
        ({"location": "Hall"}, ""),  # and the machine
        ({"printer": 999}, "printer"),
        ({"location": "Nowhere"}, "location"),
        ({"ends_at": "2026-02-05T08:00:00Z"}, ""),
        ({"ends_at": "tomorrow"}, "ends_at"),
        ({"starts_at": "0001-01-01T00:00:00Z"}, "starts_at"),
        ({"reason": ""}, "reason"),
        ({"reason": "r" * 201}, "reason"),
    ],
)
def test_a_wrong_outage_says_where(things, as_bob, printer, change, field):
    order = {
        "printer": printer.pk,
        "starts_at": "2026-02-05T08:00:00Z",
        "ends_at": "2026-02-05T09:00:00Z",
        "reason": "Painting",
    }
    answer = as_bob.post("/api/outages", {**order, **change})

    assert is_problem(answer, 400)
    assert fields_of(answer) == {field}
    assert Outage.objects.count() == 1


def test_outages_by(things, as_alice, printer, now):
    factories.OutageFactory(printer=printer, starts_at=now + DAY, ends_at=now + 2 * DAY, reason="Belt")

    def reasons(query=""):
        return [row["reason"] for row in results(as_alice, f"outages?{query}")]

    assert reasons() == ["Belt", "Repair"]
    assert reasons("ordering=ends_at") == ["Repair", "Belt"]
    assert reasons(f"printer={printer.pk}") == ["Belt"]
    assert reasons("location=hall") == ["Repair"]
    assert reasons("ends_after=2026-02-04T12:00:00Z") == ["Belt"]
    assert reasons("starts_before=2026-02-04T12:00:00Z") == ["Repair"]
    assert reasons("starts_after=2026-02-05T09:00:00Z&ends_before=2026-02-06T09:00:00Z") == ["Belt"]
    assert is_problem(as_alice.get("/api/outages?starts_after=soon"), 400)


# ------------------------------------------------------------------ qualifications


def test_a_qualification_that_machines_ask_for_stays(things, as_bob, printer):
    skill = things["qualifications"]
    printer.qualifications.add(skill)
    one = f"/api/qualifications/{skill.pk}"

    assert codes(as_bob.delete(one)) == {"in_use"}
    assert Grant.objects.exists() and not Entry.objects.exists()
    as_bob.patch(f"/api/printers/{printer.pk}", {"rules": {"qualifications": []}})
    assert as_bob.delete(one).status_code == 204
    assert not Qualification.objects.exists() and not Grant.objects.exists()
    assert Entry.objects.last().kind == "qualification.removed"


def test_qualifications_by(things, as_alice):
    factories.QualificationFactory(name="CNC", description="Mill")

    assert [row["name"] for row in results(as_alice, "qualifications")] == ["CNC", "Laser"]
    assert [row["name"] for row in results(as_alice, "qualifications?ordering=-name")] == ["Laser", "CNC"]
    assert results(as_alice, "qualifications?name=cn&fields=description") == [{"description": "Mill"}]


@pytest.mark.parametrize("order", [{}, {"name": "Laser"}, {"name": ""}, {"name": "n" * 101}])
def test_a_wrong_qualification_says_where(things, as_bob, order):
    answer = as_bob.post("/api/qualifications", order)

    assert is_problem(answer, 400) and fields_of(answer) == {"name"}


# ------------------------------------------------------------------ who holds them


def test_given_the_machine_can_be_booked_and_taken_back_it_cannot(as_bob, as_alice, people, printer, now):
    skill = factories.QualificationFactory()
    printer.qualifications.add(skill)
    order = {"printer": printer.pk, "minutes": 60}
    assert codes(as_alice.post("/api/jobs", order)) == {"owner_unqualified"}

    answer = as_bob.post("/api/grants", {"user": people.alice.pk, "qualification": skill.pk})

    told = answer.json()
    assert told == {
        "id": told["id"],
        "user": people.alice.pk,
        "qualification": skill.pk,
        "granted_at": "2026-02-04T10:00:00+01:00",
        "expires_at": None,
        "granted_by": people.bob.pk,
    }
    assert results(as_alice, "grants") == [told]
    job = as_alice.post("/api/jobs", order).json()
    assert as_bob.delete(f"/api/grants/{told['id']}").status_code == 204
    assert as_alice.get(f"/api/jobs/{job['id']}").json()["state"] == "running"  # what is booked stands
    assert codes(as_alice.post("/api/jobs", {**order, "starts_at": "2026-02-05T10:00:00Z"})) == {
        "owner_unqualified"
    }
    given, taken = Entry.objects.filter(kind__startswith="grant.").order_by("pk")
    assert (given.kind, taken.kind, taken.subject) == ("grant.given", "grant.taken", f"grant:{told['id']}")
    assert given.data == {"user": people.alice.pk, "qualification": skill.pk, "until": None}


def test_trainees_see_their_own_only(things, as_alice, as_charlie, as_bob, people):
    one = f"/api/grants/{things['grants'].pk}"

    assert results(as_alice, "grants") == results(as_alice, f"grants?user={people.charlie.pk}") == []
    assert is_problem(as_alice.get(one), 404)
    assert as_charlie.get(one).status_code == 200
    assert results(as_charlie, "grants") == results(as_bob, "grants")
    assert is_problem(as_charlie.delete(one), 403)


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"user": 999}, 400, "user"),
        ({"qualification": 999}, 400, "qualification"),
        ({"user": None}, 400, "user"),
        ({"expires_at": "never"}, 400, "expires_at"),
        ({"expires_at": "2026-02-04T09:00:00Z"}, 409, "expires_at"),
    ],
)
def test_a_wrong_grant_says_where(things, orders, as_bob, change, status, field):
    answer = as_bob.post("/api/grants", {**orders["grants"], **change})

    assert is_problem(answer, status) and fields_of(answer) == {field}
    assert Grant.objects.count() == 1


def test_nobody_is_given_the_same_twice(things, as_bob, people):
    answer = as_bob.post(
        "/api/grants", {"user": people.charlie.pk, "qualification": things["qualifications"].pk}
    )

    assert is_problem(answer, 400)
    assert Grant.objects.count() == 1


def test_who_gave_it_and_when_cannot_be_forged(orders, as_bob, people):
    order = {**orders["grants"], "granted_by": people.alice.pk, "granted_at": "2020-01-01T00:00:00Z"}

    told = as_bob.post("/api/grants", order).json()

    assert (told["granted_by"], told["granted_at"]) == (people.bob.pk, "2026-02-04T10:00:00+01:00")


def test_grants_by(things, as_bob, people, now):
    other = factories.GrantFactory(
        user=people.dora,
        qualification=factories.QualificationFactory(),
        granted_at=now - DAY,
        expires_at=now + DAY,
    )

    def ids(query):
        return [row["id"] for row in results(as_bob, f"grants?{query}")]

    mine = things["grants"].pk
    assert ids("") == ids("ordering=-id") == [other.pk, mine]
    assert ids("ordering=granted_at") == [other.pk, mine]
    assert ids(f"user={people.dora.pk}") == ids("is_for_good=false") == [other.pk]
    assert ids(f"qualification={things['qualifications'].pk}") == ids("is_for_good=true") == [mine]
    assert ids("expires_before=2026-02-05T09:00:00Z") == [other.pk]
    assert ids("expires_after=2026-02-05T09:00:00Z") == []
