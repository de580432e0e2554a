"""The one way into the journal, and that nothing leaves it."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.actor import SYSTEM
from core.domain import scheduling
from journal.domain.recording import Event, record, subject_key
from journal.models import Entry
from plugs.models import SmartPlug

pytestmark = pytest.mark.django_db


def test_an_entry_says_what_who_how_to_what_and_when(printer, bob, now):
    record([Event("printer.painted", printer, {"colour": "red"})], actor=bob, now=now)
    entry = Entry.objects.get()
    assert (entry.kind, entry.actor_id, entry.channel, entry.at) == (
        "printer.painted",
        bob.user_id,
        "admin",
        now,
    )
    assert (entry.subject, entry.subject_label, entry.data) == (
        f"printer:{printer.pk}",
        printer.name,
        {"colour": "red"},
    )
    assert str(entry) == f"printer.painted {printer.name}"


def test_the_label_is_a_snapshot(printer, now):
    old = printer.name
    record([Event("x", printer)], actor=SYSTEM, now=now)
    printer.name = "Renamed"
    printer.save()
    assert Entry.objects.get().subject_label == old
    assert Entry.objects.get().subject == subject_key(printer)


def test_a_long_name_is_cut_not_refused(now):
    plug = SmartPlug(pk=1, name="x" * 300)
    record([Event("x", plug)], actor=SYSTEM, now=now)
    assert len(Entry.objects.get().subject_label) == 200


def test_nothing_to_say_costs_nothing(now):
    with CaptureQueriesContext(connection) as captured:
        record([], actor=SYSTEM, now=now)
    assert not captured.captured_queries


def test_entries_stand_in_the_order_they_were_told(printer, now):
    record([Event(f"kind.{number}", printer) for number in range(5)], actor=SYSTEM, now=now)
    assert list(Entry.objects.order_by("pk").values_list("kind", flat=True)) == [
        f"kind.{n}" for n in range(5)
    ]


def test_what_is_rolled_back_was_never_told(printer, now):
    with transaction.atomic():
        record([Event("x", printer)], actor=SYSTEM, now=now)
        transaction.set_rollback(True)
    assert not Entry.objects.exists()


def test_the_journal_only_grows(printer, now):
    record([Event("x", printer)], actor=SYSTEM, now=now)
    entry = Entry.objects.get()
    entry.kind = "y"
    with pytest.raises(TypeError, match="append-only"):
        entry.save()
    with pytest.raises(TypeError, match="append-only"):
        entry.delete()
    assert Entry.objects.get().kind == "x"


def test_who_left_stays_in_the_journal_without_a_name(printer, people, bob, now):
    record([Event("x", printer)], actor=bob, now=now)
    people.bob.delete()
    assert Entry.objects.get().actor_id is None


def test_stopping_and_starting_the_scheduler_is_on_record(bob, now):
    scheduling.stop(bob, "Moving the benches", now=now)
    scheduling.stop(bob, "Again", now=now)
    scheduling.start(bob, now=now)
    told = Entry.objects.order_by("pk").values_list("kind", "actor_id", "data")
    assert list(told) == [
        ("scheduler.stopped", bob.user_id, {"reason": "Moving the benches"}),
        ("scheduler.started", bob.user_id, {"reason": ""}),
    ]


def test_on_postgresql_writers_queue_up_before_they_number(printer, now):
    """Else a reader that asks for "id > last" misses the one whose number is lower and who commits later."""
    with CaptureQueriesContext(connection) as captured:
        record([Event("x", printer)], actor=SYSTEM, now=now)
    said = [query["sql"] for query in captured.captured_queries]
    locks = [sql for sql in said if "pg_advisory_xact_lock" in sql]
    assert len(locks) == (connection.vendor == "postgresql")
    assert "INSERT" in said[-1]
