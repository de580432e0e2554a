"""Machines come and change, go out of service and back; what they do is read from the draw."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from core.actor import SYSTEM
from journal.models import Entry
from plugs.domain.switching import override
from plugs.models import PlugState
from printers.choices import Activity, Service
from printers.domain import queries
from printers.domain.activity import judge
from printers.domain.keeping import remove_printer, save_outage, save_printer, set_service
from printers.models import OpeningHours, Outage, Printer
from printers.signals import printer_changed
from reservations.models import PowerPlan
from tests import factories

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("is_on", "power_w", "activity"),
    [
        (None, None, Activity.UNKNOWN),
        (None, 90.0, Activity.UNKNOWN),
        (False, 0.0, Activity.UNPOWERED),
        (False, None, Activity.UNPOWERED),
        (True, None, Activity.UNKNOWN),
        (True, 8.0, Activity.IDLE),
        (True, 40.0, Activity.IDLE),
        (True, 40.1, Activity.BUSY),
    ],
)
def test_the_draw_says_what_a_machine_does(is_on, power_w, activity):
    assert judge(is_on=is_on, power_w=power_w, busy_above_w=40.0) is activity


def test_a_new_machine_is_planned_and_on_record(bob, now):
    plug = factories.PlugFactory()
    printer = save_printer(Printer(name="Ender", plug=plug), changed=["plug", "name"], actor=bob, now=now)
    assert PowerPlan.objects.get().printer_id == printer.pk
    assert PlugState.objects.get().wanted is False
    entry = Entry.objects.get()
    assert (entry.kind, entry.actor_id, entry.data) == (
        "printer.added",
        bob.user_id,
        {"fields": ["name", "plug"]},
    )


def test_only_the_named_fields_of_a_machine_are_written(printer, bob, now):
    Printer.objects.filter(pk=printer.pk).update(note="Fresh nozzle")  # somebody else was faster
    printer.name, printer.idle_below_w = "Prusa", 20
    save_printer(printer, changed={"name", "qualifications"}, actor=bob, now=now)
    kept = Printer.objects.get()
    assert (kept.name, kept.note, kept.idle_below_w) == ("Prusa", "Fresh nozzle", 15)
    assert Entry.objects.get().data == {"fields": ["name", "qualifications"]}


def test_another_plug_is_planned_at_once(printer, bob, now):
    printer.plug = factories.PlugFactory()
    save_printer(printer, changed=["plug"], actor=bob, now=now)
    assert PlugState.objects.get(plug=printer.plug).wanted is False


def test_a_machine_without_a_plug_can_be_kept_too(now):
    printer = save_printer(Printer(name="Ender"), changed=["name"], actor=SYSTEM, now=now)
    assert (printer.plug, str(printer)) == (None, "Ender")


def test_out_of_service_is_for_many_at_once_and_on_record(bob, now):
    printers = factories.PrinterFactory.create_batch(3)
    heard = []

    def listen(sender, *, printer_ids, **_kwargs):
        heard.append(printer_ids)

    printer_changed.connect(listen)
    try:
        set_service(printers, Service.MAINTENANCE, note="Oil", actor=bob, now=now)
    finally:
        printer_changed.disconnect(listen)
    assert heard == [{printer.pk for printer in printers}]
    assert set(Printer.objects.values_list("service", "service_note")) == {("maintenance", "Oil")}
    assert Entry.objects.filter(kind="printer.service_set", actor_id=bob.user_id).count() == 3
    assert set(PlugState.objects.values_list("wanted_reason", flat=True)) == {"out_of_service"}


def test_an_outage_is_set_and_changed(printer, bob, now):
    outage = Outage(printer=printer, starts_at=now, ends_at=now + HOUR, reason="Repair")
    save_outage(outage, actor=bob, now=now)
    outage.ends_at = now + 2 * HOUR
    save_outage(outage, actor=bob, now=now)
    assert list(Entry.objects.order_by("pk").values_list("kind", flat=True)) == [
        "outage.set",
        "outage.changed",
    ]
    assert Outage.objects.get().ends_at == now + 2 * HOUR
    assert Entry.objects.last().data["until"] == (now + 2 * HOUR).isoformat()
    assert str(outage) == f"{printer.name}: Repair"


def test_outages_of_the_machine_and_of_its_room_touch_the_window(now):
    room = factories.LocationFactory()
    printer, other = factories.PrinterFactory(location=room), factories.PrinterFactory()
    of_room = factories.OutageFactory(location=room, starts_at=now, ends_at=now + HOUR)
    of_machine = factories.OutageFactory(printer=printer, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    factories.OutageFactory(printer=other, starts_at=now, ends_at=now + HOUR)
    assert queries.outages_between([printer], now, now + 3 * HOUR) == [of_room, of_machine]
    assert queries.outages_between([printer], now + HOUR, now + 3 * HOUR) == [of_machine]
    assert queries.outages_between([printer], now - HOUR, now) == []


def test_opening_hours_by_room(db):
    room, other = factories.LocationFactory.create_batch(2)
    monday = factories.OpeningHoursFactory(location=room, weekday=1, opens="08:00", closes="18:00")
    hours = queries.hours_of([room.pk, other.pk])
    assert hours[room.pk] == [monday]
    assert hours[other.pk] == []


@pytest.mark.parametrize(
    "changes",
    [{"min_minutes": 60, "max_minutes": 30}, {"idle_below_w": 50, "busy_above_w": 40}],
    ids=["lengths", "limits"],
)
def test_the_database_refuses_rules_that_contradict_each_other(printer, changes):
    with pytest.raises(IntegrityError), transaction.atomic():
        Printer.objects.filter(pk=printer.pk).update(**changes)


def test_the_database_refuses_hours_and_outages_that_make_no_sense(printer, now):
    room = factories.LocationFactory()
    for bad in (
        OpeningHours(location=room, weekday=1, opens="18:00", closes="08:00"),
        Outage(printer=printer, starts_at=now, ends_at=now, reason="x"),
        Outage(printer=printer, location=room, starts_at=now, ends_at=now + HOUR, reason="x"),
        Outage(starts_at=now, ends_at=now + HOUR, reason="x"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            bad.save()


def test_one_plug_serves_one_machine(printer):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.PrinterFactory(plug=printer.plug)


# ------------------------------------------------------------------ plugs that leave, machines that go


def test_a_plug_that_leaves_its_machine_keeps_no_order_of_it(printer, bob, now):
    save_printer(printer, changed=["name"], actor=bob, now=now)
    old, new = printer.plug, factories.PlugFactory()
    PlugState.objects.filter(plug=old).update(wanted=True, wanted_reason="job")
    printer.plug = new
    save_printer(printer, changed=["plug"], actor=bob, now=now)
    assert list(PlugState.objects.filter(plug=old).values_list("wanted", "wanted_reason")) == [(None, "")]
    assert PlugState.objects.get(plug=new).wanted is False


def test_a_plug_that_somebody_holds_by_hand_stays_held_when_its_machine_goes(printer, bob, now):
    override(printer.plug, on=True, until=None, reason="Cleaning", actor=bob, now=now)
    remove_printer(printer, actor=bob, now=now)
    assert list(PlugState.objects.values_list("wanted", "wanted_reason")) == [(True, "override")]
    assert not Printer.objects.exists()


def test_qualifications_are_set_with_the_machine(bob, now):
    skill = factories.QualificationFactory()
    printer = save_printer(
        Printer(name="Laser"), changed=["name"], qualifications=[skill], actor=bob, now=now
    )
    assert list(printer.qualifications.all()) == [skill]
    save_printer(printer, changed=[], actor=bob, now=now)
    assert list(printer.qualifications.all()) == [skill]


@pytest.mark.parametrize(
    "rules",
    [
        {"horizon_days": 10**9},
        {"notice_minutes": 2**31 - 1},
        {"buffer_minutes": 2**31 - 1},
        {"cool_down_minutes": 2**31 - 1},
        {"hard_limit_minutes": 2**31 - 1},
        {"min_minutes": 10**6, "max_minutes": 10**6},
    ],
)
def test_rules_beyond_the_calendar_are_refused(rules):
    """Else every booking of the machine would run over the end of the calendar and crash."""
    with pytest.raises(ValidationError):
        Printer(name="Ender", **rules).full_clean()
