"""A lost race is a clean refusal, and the transaction around it can go on."""

import pytest
from django.db import transaction

from core.domain import saving
from core.errors import Refused
from printers.models import Location
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_name_that_was_taken_meanwhile(db):
    room = factories.LocationFactory(name="Hall")
    with transaction.atomic():
        with pytest.raises(Refused, match="changed_meanwhile"):
            saving.save(Location(name="Hall"), ["name"])
        assert saving.save(Location(name="Cellar"), ["name"]) is True
        room.name = "Cellar"
        with pytest.raises(Refused, match="changed_meanwhile"):
            saving.save(room, ["name"])
    assert sorted(Location.objects.values_list("name", flat=True)) == ["Cellar", "Hall"]


def test_only_the_named_columns_are_written_and_no_others_are_asked_for(db, django_assert_num_queries):
    machine = factories.PrinterFactory()
    machine.name, machine.note = "Prusa", "never written"

    assert saving.save(machine, ["name", "qualifications"]) is False

    machine.refresh_from_db()
    assert (machine.name, machine.note) == ("Prusa", "")
    with django_assert_num_queries(2):  # a savepoint and its release: nothing to write
        saving.save(machine, ["qualifications"])


def test_what_others_need_stays_and_what_goes_keeps_its_key(db):
    room = factories.LocationFactory()
    machine = factories.PrinterFactory(location=room)
    with transaction.atomic(), pytest.raises(Refused) as caught:
        saving.remove(room, why_not="Machines stand there.")
    assert (caught.value.codes, caught.value.violations[0].message) == (("in_use",), "Machines stand there.")
    machine.delete()
    key = room.pk
    saving.remove(room, why_not="")
    assert not Location.objects.exists()
    assert room.pk == key
