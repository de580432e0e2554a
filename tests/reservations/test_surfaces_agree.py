"""Every surface, every rule, the same verdict: what the door says, the web form, the admin and the API say too.

Bob asks, for himself: a trainer is the one person who may use all surfaces.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from core.actor import Actor, Channel
from core.errors import Refused
from printers.choices import Service
from reservations.domain import booking, rules
from reservations.domain.booking import Wish
from reservations.models import BookingLimits
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass
class Case:
    """A wish that breaks rules, in hours from now, and what has to stand before."""

    codes: set[str]
    start: float = 2
    hours: float = 1
    machine: dict[str, object] = field(default_factory=dict)
    before: Callable[..., object] = lambda **_: None


def busy(*, printer, bob, now):
    booking.book(
        Wish(printer.pk, bob.pk, now + 3 * HOUR, now + 2 * HOUR), actor=Actor(bob.pk, Channel.WEB), now=now
    )


def closed(*, printer, bob, now):
    factories.OutageFactory(printer=printer, starts_at=now + HOUR, ends_at=now + 9 * HOUR)


def at_lunch(*, printer, bob, now):
    printer.location = factories.LocationFactory()
    printer.save()
    factories.OpeningHoursFactory(location=printer.location, weekday=3, opens=time(8), closes=time(11))


def laser(*, printer, bob, now):
    printer.qualifications.add(factories.QualificationFactory(name="Laser"))


def one_job(*, printer, bob, now):
    BookingLimits.objects.create(pk=1, open_jobs=1)
    other = factories.PrinterFactory()
    booking.book(
        Wish(other.pk, bob.pk, now + 9 * HOUR, now + 8 * HOUR), actor=Actor(bob.pk, Channel.WEB), now=now
    )


def two_hours(*, printer, bob, now):
    BookingLimits.objects.create(pk=1, week_hours=2)


CASES = {
    "inverted": Case({"window_inverted"}, hours=-1),
    "past": Case({"window_past"}, start=-3),
    "off the step": Case({"window_off_step"}, start=2.1),
    "too short": Case({"window_too_short"}, machine={"min_minutes": 120}),
    "too long": Case({"window_too_long"}, machine={"max_minutes": 30}),
    "endless": Case({"window_endless"}, hours=24 * 40),
    "too far ahead": Case({"beyond_horizon"}, start=50, machine={"horizon_days": 1}),
    "no notice": Case({"notice_too_short"}, machine={"notice_minutes": 600}),
    "closed hours": Case({"outside_hours"}, before=at_lunch),
    "out of service": Case({"machine_out_of_service"}, machine={"service": Service.MAINTENANCE}),
    "closure": Case({"machine_closed"}, before=closed),
    "taken": Case({"window_taken"}, before=busy),
    "unqualified": Case({"owner_unqualified"}, before=laser),
    "too many jobs": Case({"too_many_open_jobs"}, before=one_job),
    "too many hours": Case({"too_many_hours"}, hours=3, before=two_hours),
    "several at once": Case(
        {"window_off_step", "window_too_long", "owner_unqualified"},
        start=2.1,
        machine={"max_minutes": 30},
        before=laser,
    ),
}


@pytest.fixture(autouse=True)
def _at_noon(now: datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


def by_the_door(printer, bob, start, end):
    with pytest.raises(Refused) as caught:
        booking.book(Wish(printer.pk, bob.pk, end, start), actor=Actor(bob.pk, Channel.WEB))
    return set(caught.value.codes)


def _codes(form):
    return {str(error.code) for errors in form.errors.as_data().values() for error in errors}


def by_the_web(client, printer, start, end):
    local = [at.astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M") for at in (start, end)]
    answer = client.post(
        reverse("book", args=[printer.pk]),
        {"begin": "at", "starts_at": local[0], "ends_at": local[1], "length": ""},
    )
    assert answer.status_code == 409
    return _codes(answer.context["form"])


def by_the_admin(client, printer, bob, start, end):
    data = {"printer": printer.pk, "owner": bob.pk, "title": "", "note": "", "waive_reason": ""}
    for name, instant in (("starts_at", start), ("ends_at", end)):
        local = instant.astimezone(BERLIN)
        data |= {f"{name}_0": local.strftime("%d.%m.%Y"), f"{name}_1": local.strftime("%H:%M:%S")}
    answer = client.post(reverse("admin:reservations_job_add"), data)
    assert answer.status_code == 200
    return _codes(answer.context["adminform"].form)


def by_the_api(client, printer, start, end):
    body = {"printer": printer.pk, "starts_at": start.isoformat(), "ends_at": end.isoformat()}
    answer = client.post("/api/jobs", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    return {error["code"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("name", CASES)
def test_door_web_admin_and_api_give_the_same_codes(name, people, printer, now, client: Client):
    case, bob = CASES[name], people.bob
    client.force_login(bob)
    for column, value in case.machine.items():
        setattr(printer, column, value)
    printer.save()
    case.before(printer=printer, bob=bob, now=now)
    start = now + case.start * HOUR
    end = start + case.hours * HOUR
    assert by_the_door(printer, bob, start, end) == case.codes
    assert by_the_web(client, printer, start, end) == case.codes
    assert by_the_admin(client, printer, bob, start, end) == case.codes
    assert by_the_api(client, printer, start, end) == case.codes


def test_no_rule_is_left_out():
    """An inactive owner cannot log in to ask; every other rule has its case."""
    covered = {code for case in CASES.values() for code in case.codes} | {"owner_inactive"}
    named = set()
    for rule in (rules.window_is_forward, *rules.RULES):
        named |= {const for const in rule.__code__.co_consts if isinstance(const, str) and const in covered}
        assert named & {const for const in rule.__code__.co_consts if isinstance(const, str)}, rule.__name__
    assert named == covered
