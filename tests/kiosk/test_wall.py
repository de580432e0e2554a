"""The wall: every machine for everybody, nobody's name, and off means off until it is on again."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.actor import Actor, Channel
from core.errors import Refused
from journal.models import Entry
from kiosk.domain import displaying
from kiosk.models import Display
from kiosk.presenting import wall
from printers.choices import Service
from reservations.domain import booking
from reservations.domain.booking import Wish
from tests import factories
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def screen(people, client: Client) -> Client:
    """Alice has signed the display in."""
    client.force_login(people.alice)
    return client


def book(printer, owner, start, hours=1):
    return booking.book(
        Wish(printer.pk, owner.pk, start + hours * HOUR, start), actor=Actor(owner.pk, Channel.WEB), now=NOON
    )


def test_machines_with_state_until_and_next(screen, people):
    laser = factories.PrinterFactory(name="Laser", location=factories.LocationFactory(name="Hall"))
    book(laser, people.charlie, NOON)
    book(laser, people.alice, NOON + 2 * HOUR)
    book(laser, people.alice, NOON + 26 * HOUR)
    page = screen.get("/kiosk", headers={"Accept-Language": "en"}).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "Laser Hall" in text
    assert "until 11:00 next: 12:00–13:00" in text


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_no_name_of_anybody_and_no_way_out(client, people, printer, who):
    people.charlie.first_name, people.charlie.last_name = "Zebedee", "Quux"
    people.charlie.save()
    book(printer, people.charlie, NOON)
    book(printer, people.charlie, NOON + 2 * HOUR)
    client.force_login(getattr(people, who))
    for url in (reverse("kiosk"), reverse("kiosk_live")):
        page = client.get(url).content.decode()
        assert printer.name in page
        assert not re.search(r"Zebedee|Quux|charlie|Alice|Bob", page, re.IGNORECASE)
        assert not re.search(r"<a\b|<form|<button|<dialog", page)


def test_part_is_sent_again_only_when_it_has_changed(screen, people, printer):
    seen = re.search(r"seen=(\w+)", screen.get("/kiosk").content.decode())[1]
    answer = screen.get("/kiosk/_live", {"seen": seen}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["X-As-Of"] == "10:00:00"
    assert answer["X-Now"] == str(int(NOON.timestamp() * 1000))
    book(printer, people.alice, NOON)
    assert screen.get("/kiosk/_live", {"seen": seen}).status_code == 200


def test_off_shows_no_machine_and_comes_back_by_itself(screen, people, printer, bob):
    displaying.deactivate(actor=bob, now=NOON)
    page = screen.get("/kiosk", headers={"Accept-Language": "en"}).content.decode()
    assert "The display is switched off." in page
    assert printer.name not in page
    seen = re.search(r"seen=(\w+)", page)[1]
    assert screen.get("/kiosk/_live", {"seen": seen}).status_code == 204
    displaying.activate(actor=bob, now=NOON)
    assert printer.name in screen.get("/kiosk/_live", {"seen": seen}).content.decode()


def test_strangers_are_sent_to_the_log_in(client, db):
    assert client.get("/kiosk").url == "/accounts/login/?next=/kiosk"
    assert client.get("/kiosk/_live", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert client.post("/kiosk").status_code == 405


def test_asking_by_itself_keeps_nobody_signed_in(screen):
    screen.get("/kiosk")
    before = screen.session.get_expiry_date()
    with CaptureQueriesContext(connection) as queries:
        screen.get("/kiosk/_live")
    assert not [q for q in queries if q["sql"].startswith(("UPDATE", "INSERT"))]
    assert screen.session.get_expiry_date() == before


@pytest.mark.parametrize("path", ["/kiosk", "/kiosk/_live"])
def test_queries_do_not_grow_with_machines(screen, people, path):
    counts = []
    for number in (1, 29):
        for machine in factories.PrinterFactory.create_batch(number):
            book(machine, people.alice, NOON)
        with CaptureQueriesContext(connection) as queries:
            screen.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def card(printer, now=NOON):
    [found] = [c for c in wall(True, now).cards if c.pk == printer.pk]
    return found


def test_until_is_said_only_where_it_is_known(people, printer):
    assert card(printer).until
    factories.OutageFactory(printer=printer, starts_at=NOON, ends_at=NOON + HOUR)
    assert "11:00" in card(printer).until
    printer.service = Service.OUT_OF_ORDER
    printer.save()
    assert card(printer).until == ""


def test_end_that_has_passed_is_not_said(people, printer):
    book(printer, people.alice, NOON)
    assert "11:00" in card(printer, NOON + HOUR - timedelta(seconds=1)).until
    assert "11:00" not in card(printer, NOON + HOUR).until


class TestDoors:
    def test_off_and_on_keep_who_and_when_and_tell_it_once(self, people, bob):
        assert displaying.status().is_active
        displaying.deactivate(actor=bob, now=NOON)
        display = displaying.deactivate(actor=bob, now=NOON + HOUR)
        assert (display.is_active, display.changed_at, display.changed_by_id) == (False, NOON, people.bob.pk)
        displaying.activate(actor=bob, now=NOON + HOUR)
        assert displaying.status().changed_at == NOON + HOUR
        kinds = Entry.objects.filter(kind__startswith="display").order_by("pk").values_list("kind", flat=True)
        assert list(kinds) == ["display.deactivated", "display.activated"]

    @pytest.mark.parametrize("door", [displaying.activate, displaying.deactivate])
    def test_trainees_are_refused(self, alice, door):
        with pytest.raises(Refused) as no:
            door(actor=alice, now=NOON)
        assert no.value.codes == ("not_allowed",)
        assert not Display.objects.exists()


class TestAdmin:
    def test_page_opens_and_switches(self, client, people):
        client.force_login(people.bob)
        page = client.get(reverse("admin:kiosk_display_changelist"), follow=True)
        assert page.status_code == 200
        client.post(reverse("admin:kiosk_display_do", args=[1, "deactivate"]))
        assert not displaying.status().is_active
        assert (
            b"/display/1/do/activate" in client.get(reverse("admin:kiosk_display_change", args=[1])).content
        )
        client.post(reverse("admin:kiosk_display_do", args=[1, "activate"]))
        assert displaying.status().is_active

    def test_get_switches_nothing_and_trainees_may_not(self, client, people):
        client.force_login(people.bob)
        client.get(reverse("admin:kiosk_display_do", args=[1, "deactivate"]))
        client.force_login(people.alice)
        assert client.post(reverse("admin:kiosk_display_do", args=[1, "deactivate"])).status_code in {
            302,
            403,
        }
        assert displaying.status().is_active
        client.force_login(people.bob)
        assert client.get(reverse("admin:kiosk_display_change", args=[2])).status_code == 302
