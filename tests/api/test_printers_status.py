"""How machines stand, and when they can be had; whose the jobs are stays between the owner and the trainers."""

from datetime import datetime, timedelta

import pytest

from core.actor import Actor, Channel
from plugs.models import PlugState
from printers.models import Printer
from reservations.domain import booking
from reservations.domain.booking import Wish
from tests import factories
from tests.api.asking import is_problem

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def in_autumn(noon, bearer, people):
    """Alice, on the eve of the night in which two o'clock comes twice."""
    noon.move_to(datetime.fromisoformat("2026-10-24T12:00:00+02:00"))
    return bearer(people.alice)


@pytest.fixture
def of_charlie(printer, charlie, now):
    """Charlie has the machine from now to 12:00, and its buffer lasts until 12:15."""
    Printer.objects.update(buffer_minutes=15)
    return booking.book(Wish(printer.pk, charlie.user_id, now + 2 * HOUR), actor=charlie, now=now)


def status(client, printer):
    return client.get(f"/api/printers/{printer.pk}/status").json()


# ------------------------------------------------------------------ status


def test_a_free_machine(printer, as_alice, alice, now):
    booking.book(Wish(printer.pk, alice.user_id, now + 6 * HOUR, now + 5 * HOUR), actor=alice, now=now)
    PlugState.objects.update(observed=True, power_w=8.5, wanted=False, last_contact_at=now)

    assert status(as_alice, printer) == {
        "id": printer.pk,
        "name": printer.name,
        "state": "free",
        "activity": "idle",
        "power_w": 8.5,
        "wanted": False,
        "observed": True,
        "job": None,
        "next": {"starts_at": "2026-02-04T15:00:00+01:00"},
        "free_until": "2026-02-04T15:00:00+01:00",
        "outage": None,
        "last_contact_at": "2026-02-04T10:00:00+01:00",
    }


def test_a_machine_without_a_plug(as_alice):
    told = status(as_alice, factories.PrinterFactory(plug=None))

    assert (told["activity"], told["power_w"], told["wanted"], told["observed"]) == (
        "unknown",
        None,
        None,
        None,
    )
    assert told["last_contact_at"] is told["free_until"] is told["next"] is None


def test_whose_job_it_is(printer, of_charlie, as_alice, as_bob, as_charlie):
    until = "2026-02-04T12:15:00+01:00"

    assert status(as_alice, printer)["job"] == {"id": None, "owner": None, "until": until}
    for client in (as_bob, as_charlie):
        assert status(client, printer)["job"] == {"id": of_charlie.pk, "owner": "Charlie", "until": until}
    assert "Charlie" not in as_alice.get("/api/printers/status").content.decode()
    assert status(as_alice, printer)["state"] == "in_use"
    assert status(as_alice, printer)["free_until"] is None


def test_an_outage_says_why_and_until_when(printer, as_alice, now):
    outage = factories.OutageFactory(printer=printer, starts_at=now, ends_at=now + HOUR, reason="New belt")

    told = status(as_alice, printer)
    assert told["state"] == "maintenance"
    assert told["outage"] == {
        "id": outage.pk,
        "reason": "New belt",
        "starts_at": "2026-02-04T10:00:00+01:00",
        "ends_at": "2026-02-04T11:00:00+01:00",
    }


def test_all_of_them_by_name(as_alice, as_bob):
    for name in ("B", "A"):
        factories.PrinterFactory(name=name)

    rows = as_alice.get("/api/printers/status/").json()["results"]

    assert [row["name"] for row in rows] == ["A", "B"]
    assert rows == [status(as_alice, printer) for printer in Printer.objects.order_by("name")]
    assert is_problem(as_bob.post("/api/printers/status"), 405)


# ------------------------------------------------------------------ availability


def availability(client, printer, **query):
    return client.get(f"/api/printers/{printer.pk}/availability", query)


def test_a_week_from_now_on(printer, of_charlie, as_alice, now):
    room = factories.LocationFactory()
    Printer.objects.update(location=room)
    factories.OpeningHoursFactory(location=room, weekday=3, opens="08:00", closes="18:00")
    factories.OpeningHoursFactory(location=room, weekday=4, opens="08:00", closes="18:00")
    outage = factories.OutageFactory(location=room, starts_at=now + 25 * HOUR, ends_at=now + 26 * HOUR)

    answer = availability(as_alice, printer)

    assert answer.json() == {
        "printer": printer.pk,
        "from": "2026-02-04T10:00:00+01:00",
        "to": "2026-02-11T10:00:00+01:00",
        "free": [
            {"starts_at": "2026-02-04T12:15:00+01:00", "ends_at": "2026-02-04T18:00:00+01:00"},
            {"starts_at": "2026-02-05T08:00:00+01:00", "ends_at": "2026-02-05T11:00:00+01:00"},
            {"starts_at": "2026-02-05T12:00:00+01:00", "ends_at": "2026-02-05T18:00:00+01:00"},
            {"starts_at": "2026-02-11T08:00:00+01:00", "ends_at": "2026-02-11T10:00:00+01:00"},
        ],
        "taken": [
            {"starts_at": "2026-02-04T10:00:00+01:00", "ends_at": "2026-02-04T12:15:00+01:00", "job": None}
        ],
        "closed": [
            {
                "id": outage.pk,
                "reason": "Repair",
                "starts_at": "2026-02-05T11:00:00+01:00",
                "ends_at": "2026-02-05T12:00:00+01:00",
            }
        ],
    }


def test_only_the_owner_and_trainers_learn_which_job(printer, of_charlie, as_alice, as_bob, as_charlie):
    told = [
        availability(client, printer).json()["taken"][0]["job"] for client in (as_alice, as_bob, as_charlie)
    ]

    assert told == [None, of_charlie.pk, of_charlie.pk]


def test_other_days(printer, as_alice):
    answer = availability(
        as_alice, printer, **{"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T06:00:00+00:00"}
    )

    assert answer.json()["free"] == [
        {"starts_at": "2026-03-01T01:00:00+01:00", "ends_at": "2026-03-01T07:00:00+01:00"}
    ]
    assert availability(as_alice, printer, **{"from": "2027-01-01T00:00:00Z"}).json()["free"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-02-05T00:00:00Z", "to": "2026-02-05T00:00:00Z"},
        {"to": "2026-02-03T00:00:00Z"},
        {"from": "2026-02-05T00:00:00Z", "to": "2026-05-05T00:00:00Z"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"from": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_days_that_make_no_sense(printer, as_alice, query):
    answer = availability(as_alice, printer, **query)

    assert is_problem(answer, 400)
    assert {error["field"] for error in answer.json()["errors"]} <= {"from", "to"}


# ------------------------------------------------------------------ next free


def offers(client, path, **query):
    return client.get(f"/api/printers/{path}next-free", query).json()["results"]


def test_the_next_windows_of_a_machine(printer, of_charlie, as_alice, as_bob):
    skill = factories.QualificationFactory()
    printer.qualifications.add(skill)

    found = offers(as_alice, f"{printer.pk}/", minutes=50, count=2)

    assert found == [
        {
            "printer": printer.pk,
            "name": printer.name,
            "starts_at": "2026-02-04T12:15:00+01:00",
            "ends_at": "2026-02-04T13:15:00+01:00",
            "is_qualified": False,
        },
        {
            "printer": printer.pk,
            "name": printer.name,
            "starts_at": "2026-02-04T13:15:00+01:00",
            "ends_at": "2026-02-04T14:15:00+01:00",
            "is_qualified": False,
        },
    ]
    assert len(offers(as_alice, f"{printer.pk}/")) == 3


def test_what_is_offered_can_be_booked(printer, of_charlie, as_alice):
    (offer,) = offers(as_alice, f"{printer.pk}/", minutes=90, count=1)

    order = {name: offer[name] for name in ("printer", "starts_at", "ends_at")}
    assert offer["is_qualified"] is True
    assert as_alice.post("/api/jobs", order).status_code == 201
    assert offers(as_alice, f"{printer.pk}/", minutes=90, count=1) != [offer]


def test_from_an_instant_on_in_the_night_of_the_changed_clocks(printer, in_autumn):
    found = offers(in_autumn, f"{printer.pk}/", minutes=60, after="2026-10-25T02:00:00+02:00")

    assert [offer["starts_at"] for offer in found] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_an_hour_booked_in_that_night_is_an_hour(printer, in_autumn):
    """Adding an hour to a local time is adding it to the wall's clock, which that night shows two o'clock twice."""
    job = in_autumn.post(
        "/api/jobs", {"printer": printer.pk, "starts_at": "2026-10-25T02:30:00+02:00", "minutes": 60}
    ).json()

    assert (job["starts_at"], job["ends_at"]) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")


def test_across_machines_the_soonest_first_and_one_each(of_charlie, printer, as_alice, now):
    free = factories.PrinterFactory(name="Free")
    factories.PrinterFactory(name="Broken", service="out_of_order")
    factories.PrinterFactory(name="Short", max_minutes=30)
    bob = factories.TrainerFactory()
    later = factories.PrinterFactory(name="Later")
    booking.book(Wish(later.pk, bob.pk, now + HOUR), actor=Actor(bob.pk, Channel.WEB), now=now)

    found = offers(as_alice, "", minutes=60)

    assert [(offer["name"], offer["starts_at"][11:16]) for offer in found] == [
        ("Free", "10:00"),
        ("Later", "11:00"),
        (printer.name, "12:15"),
    ]
    assert offers(as_alice, "", minutes=60, after="2026-02-04T14:00:00Z")[0]["starts_at"][11:16] == "15:00"
    assert [offer["printer"] for offer in offers(as_alice, "", name="free")] == [free.pk]


@pytest.mark.parametrize(
    "query",
    [{"minutes": 0}, {"minutes": "x"}, {"minutes": 10**9}, {"count": 0}, {"count": 51}, {"after": "soon"}],
)
def test_questions_that_make_no_sense(printer, as_alice, query):
    answer = as_alice.get(f"/api/printers/{printer.pk}/next-free", query)

    assert is_problem(answer, 400)
    assert {error["field"] for error in answer.json()["errors"]} == set(query)
