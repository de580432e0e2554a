"""Machines and rooms in the admin."""

from types import SimpleNamespace

import pytest
from django.forms import model_to_dict
from django.test import Client
from django.urls import reverse

from journal.models import Entry
from printers.choices import Service
from printers.models import Location, OpeningHours, Printer
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "admin:printers_printer_changelist"


@pytest.fixture
def trainer(people: SimpleNamespace, client: Client) -> Client:
    client.force_login(people.bob)
    return client


def page(printer: Printer, name: str = "change", *more: str) -> str:
    return reverse(f"admin:printers_printer_{name}", args=[printer.pk, *more])


def filled(printer: Printer, **more: object) -> dict[str, object]:
    data = {
        k: v
        for k, v in model_to_dict(printer).items()
        if v is not None and v is not False and v != "" and k != "picture"
    }
    return data | more


def test_a_change_goes_through_the_door_with_its_qualifications(trainer, people, printer):
    course = factories.QualificationFactory()

    answer = trainer.post(page(printer), filled(printer, maker="Prusa", qualifications=[course.pk]))

    assert answer.status_code == 302
    printer.refresh_from_db()
    assert (printer.maker, list(printer.qualifications.all())) == ("Prusa", [course])
    entry = Entry.objects.get(kind="printer.changed")
    assert (entry.actor, entry.data) == (people.bob, {"fields": ["maker", "qualifications"]})


def test_add(trainer, printer):
    data = filled(printer, name="Neu")
    del data["plug"], data["id"]

    assert trainer.post(reverse("admin:printers_printer_add"), data).status_code == 302

    new = Printer.objects.get(name="Neu")
    assert hasattr(new, "power_plan")


def test_nothing_changed_writes_nothing(trainer, printer):
    trainer.post(page(printer), filled(printer))

    assert not Entry.objects.filter(kind="printer.changed").exists()


def test_service_is_set_by_its_verbs_with_a_reason(trainer, printer):
    assert (
        "reason" in trainer.post(page(printer, "do", "out-of-order"), {"reason": ""}).context["form"].errors
    )
    trainer.post(page(printer, "do", "out-of-order"), {"reason": "Düse"})
    printer.refresh_from_db()
    assert (printer.service, printer.service_note) == (Service.OUT_OF_ORDER, "Düse")

    trainer.post(page(printer, "do", "maintenance"), {"reason": ""})
    printer.refresh_from_db()
    assert printer.service == Service.MAINTENANCE
    trainer.post(page(printer, "do", "in-service"))
    printer.refresh_from_db()
    assert (printer.service, printer.service_note) == (Service.IN_SERVICE, "")
    assert Entry.objects.filter(kind="printer.service_set").count() == 3


def test_service_is_no_field_of_the_form(trainer, printer):
    trainer.post(page(printer), filled(printer, service="out_of_order"))

    printer.refresh_from_db()
    assert printer.service == Service.IN_SERVICE


def test_many_at_once(trainer):
    rows = [factories.PrinterFactory() for _ in range(3)]
    chosen = {"action": "out-of-order", "_selected_action": [row.pk for row in rows]}

    assert trainer.post(reverse(LIST), {**chosen, "index": "0"}).status_code == 200
    trainer.post(reverse(LIST), {**chosen, "_asked": "1", "reason": "Umbau"})

    assert set(Printer.objects.values_list("service", flat=True)) == {Service.OUT_OF_ORDER}


def test_trainers_do_not_delete_machines(trainer, printer):
    assert trainer.post(page(printer, "delete"), {"post": "yes"}).status_code == 403


def test_a_room_and_its_hours(trainer):
    data = {
        "name": "Halle", "hours-TOTAL_FORMS": "1", "hours-INITIAL_FORMS": "0",
        "hours-0-weekday": "1", "hours-0-opens": "08:00", "hours-0-closes": "18:00",
    }  # fmt: skip

    assert trainer.post(reverse("admin:printers_location_add"), data).status_code == 302

    assert OpeningHours.objects.get().location == Location.objects.get(name="Halle")
    assert Entry.objects.filter(kind="location.added").exists()
    assert "08:00" in trainer.get(reverse("admin:printers_location_changelist")).content.decode()
