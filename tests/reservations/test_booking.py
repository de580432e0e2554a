"""The door: book, move, extend, cancel, and who may."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.signals import pre_save

from accounts.models import Grant
from core.actor import SYSTEM
from core.errors import Refused
from journal.models import Entry
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.models import BookingLimits, Job
from tests import factories

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def wish(printer, actor, now, start=1.0, hours=1.0, **kwargs):
    starts_at = None if start is None else now + start * HOUR
    return Wish(printer.pk, actor.user_id, (starts_at or now) + hours * HOUR, starts_at, **kwargs)


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value.codes


def test_a_booking_is_kept_with_who_made_it_and_how(printer, alice, now):
    job = booking.book(wish(printer, alice, now, title=" Bracket "), actor=alice, now=now)
    assert (job.state, job.title, job.created_by_id, job.channel) == (
        "booked",
        "Bracket",
        alice.user_id,
        "web",
    )
    entry = Entry.objects.get(subject=f"job:{job.pk}")
    assert (entry.kind, entry.actor_id, entry.channel, entry.at) == ("job.booked", alice.user_id, "web", now)


def test_check_says_the_same_as_book_and_writes_nothing(printer, alice, now):
    bad = wish(printer, alice, now, start=-1, hours=0.1)
    said = [v.code for v in booking.check(bad, actor=alice, now=now)]
    assert tuple(said) == refused(booking.book, bad, actor=alice, now=now)
    assert said
    assert not Job.objects.exists()
    assert not Entry.objects.filter(kind="job.booked").exists()


def test_an_overlap_is_refused_and_a_touch_is_not(printer, alice, charlie, now):
    booking.book(wish(printer, alice, now), actor=alice, now=now)
    assert refused(booking.book, wish(printer, charlie, now, 1.5), actor=charlie, now=now) == (
        "window_taken",
    )
    booking.book(wish(printer, charlie, now, 2), actor=charlie, now=now)
    booking.book(wish(printer, charlie, now, 0.5, 0.5), actor=charlie, now=now)


def test_the_buffer_is_kept_free_before_and_after(printer, alice, now):
    printer.buffer_minutes = 30
    printer.save()
    booking.book(wish(printer, alice, now, 4), actor=alice, now=now)
    assert refused(booking.book, wish(printer, alice, now, 2.75), actor=alice, now=now) == ("window_taken",)
    assert refused(booking.book, wish(printer, alice, now, 5.25), actor=alice, now=now) == ("window_taken",)
    booking.book(wish(printer, alice, now, 5.5), actor=alice, now=now)
    booking.book(wish(printer, alice, now, 2.5), actor=alice, now=now)


def test_a_walk_up_starts_at_once(printer, alice, now):
    odd = now + timedelta(minutes=7, seconds=3)
    job = booking.book(wish(printer, alice, odd, start=None), actor=alice, now=odd)
    assert (job.starts_at, job.state, job.started_at) == (odd, "running", odd)
    assert printer.plug.state.__class__.objects.get(plug=printer.plug).wanted is True


def test_a_start_in_the_minute_that_just_turned_means_now(printer, alice, now):
    late = now + timedelta(seconds=40)
    job = booking.book(Wish(printer.pk, alice.user_id, now + HOUR, now), actor=alice, now=late)
    assert (job.starts_at, job.state) == (late, "running")


def test_only_trainers_book_for_others(printer, people, alice, bob, now):
    for_charlie = Wish(printer.pk, people.charlie.pk, now + 2 * HOUR, now + HOUR)
    assert refused(booking.book, for_charlie, actor=alice, now=now) == ("not_allowed",)
    job = booking.book(for_charlie, actor=bob, now=now)
    assert (job.owner_id, job.created_by_id, job.channel) == (people.charlie.pk, bob.user_id, "admin")


def test_a_trainer_waives_with_a_reason_and_it_is_on_record(printer, alice, bob, now):
    printer.max_minutes = 60
    printer.save()
    long = wish(printer, bob, now, hours=2)
    assert refused(booking.book, long, actor=bob, now=now) == ("window_too_long",)
    assert refused(
        booking.book, wish(printer, alice, now, hours=2), actor=alice, now=now, waive_reason="please"
    ) == ("window_too_long",)
    job = booking.book(long, actor=bob, now=now, waive_reason="Exam")
    assert (job.waived, job.waived_reason) == (["window_too_long"], "Exam")
    assert Entry.objects.get(kind="job.booked").data["waived_reason"] == "Exam"


def test_nobody_waives_an_overlap(printer, alice, bob, now):
    booking.book(wish(printer, alice, now), actor=alice, now=now)
    codes = refused(booking.book, wish(printer, bob, now), actor=bob, now=now, waive_reason="Important")
    assert codes == ("window_taken",)


def test_a_qualification_is_asked_for_at_the_start(printer, people, alice, now):
    laser = factories.QualificationFactory(name="Laser")
    printer.qualifications.add(laser)
    assert refused(booking.book, wish(printer, alice, now), actor=alice, now=now) == ("owner_unqualified",)
    grant = Grant.objects.create(
        user=people.alice, qualification=laser, granted_at=now - HOUR, expires_at=now + 2 * HOUR
    )
    assert refused(booking.book, wish(printer, alice, now, 2), actor=alice, now=now) == ("owner_unqualified",)
    booking.book(wish(printer, alice, now), actor=alice, now=now)
    grant.expires_at = None
    grant.save()
    booking.book(wish(printer, alice, now, 2), actor=alice, now=now)


def test_closures_of_the_machine_and_of_its_room_refuse(alice, now):
    room = factories.LocationFactory()
    printer = factories.PrinterFactory(location=room)
    factories.OutageFactory(printer=printer, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    factories.OutageFactory(location=room, starts_at=now + 3 * HOUR, ends_at=now + 4 * HOUR)
    assert refused(booking.book, wish(printer, alice, now, 1.5), actor=alice, now=now) == ("machine_closed",)
    assert refused(booking.book, wish(printer, alice, now, 3.5), actor=alice, now=now) == ("machine_closed",)
    booking.book(wish(printer, alice, now, 2), actor=alice, now=now)


def test_open_jobs_are_counted_across_machines_and_cancelling_gives_room(printer, alice, now):
    BookingLimits.objects.create(pk=1, open_jobs=2)
    other = factories.PrinterFactory()
    first = booking.book(wish(printer, alice, now), actor=alice, now=now)
    booking.book(wish(other, alice, now), actor=alice, now=now)
    assert refused(booking.book, wish(printer, alice, now, 3), actor=alice, now=now) == (
        "too_many_open_jobs",
    )
    booking.cancel(first.pk, actor=alice, now=now)
    booking.book(wish(printer, alice, now, 3), actor=alice, now=now)


def test_the_hours_of_the_local_week_are_counted(printer, alice, now):
    BookingLimits.objects.create(pk=1, week_hours=3)
    booking.book(wish(printer, alice, now, hours=2), actor=alice, now=now)
    assert refused(booking.book, wish(printer, alice, now, 4, 1.25), actor=alice, now=now) == (
        "too_many_hours",
    )
    booking.book(wish(printer, alice, now, 4, 1), actor=alice, now=now)
    next_monday = now + timedelta(days=5)
    booking.book(wish(printer, alice, next_monday, 1, 3), actor=alice, now=now)


def test_move_keeps_the_old_slot_until_the_new_one_is_had(printer, alice, charlie, now):
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    booking.book(wish(printer, charlie, now, 3), actor=charlie, now=now)
    times = {"starts_at": now + 3 * HOUR, "ends_at": now + 4 * HOUR}
    assert refused(booking.move, job.pk, **times, actor=alice, now=now) == ("window_taken",)
    assert Job.objects.get(pk=job.pk).starts_at == now + HOUR
    moved = booking.move(job.pk, starts_at=now + 1.5 * HOUR, ends_at=now + 2.5 * HOUR, actor=alice, now=now)
    assert moved.starts_at == now + 1.5 * HOUR


def test_a_job_moves_to_another_machine_by_that_machines_rules(printer, alice, now):
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    other = factories.PrinterFactory(needs_approval=True)
    moved = booking.move(
        job.pk, starts_at=job.starts_at, ends_at=job.ends_at, printer_id=other.pk, actor=alice, now=now
    )
    assert (moved.printer_id, moved.state) == (other.pk, "pending")


def test_a_running_job_keeps_its_start_and_its_machine(printer, alice, now):
    job = booking.book(wish(printer, alice, now, start=None), actor=alice, now=now)
    later = now + HOUR / 2
    times = {"starts_at": now + HOUR, "ends_at": now + 2 * HOUR}
    assert refused(booking.move, job.pk, **times, actor=alice, now=later) == ("job_has_started",)


def test_extend_reaches_to_the_next_booking_and_not_into_it(printer, alice, charlie, now):
    job = booking.book(wish(printer, alice, now, start=None), actor=alice, now=now)
    booking.book(wish(printer, charlie, now, 1.5), actor=charlie, now=now)
    later = now + HOUR / 2
    assert booking.extend(job.pk, by=HOUR / 2, actor=alice, now=later).ends_at == now + 1.5 * HOUR
    assert refused(booking.extend, job.pk, by=HOUR / 2, actor=alice, now=later) == ("window_taken",)
    assert refused(booking.extend, job.pk, ends_at=now + HOUR, actor=alice, now=later) == ("not_later",)


def test_strangers_change_nothing_and_trainers_may(printer, alice, bob, charlie, now):
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    assert refused(booking.cancel, job.pk, actor=charlie, now=now) == ("not_allowed",)
    assert refused(booking.extend, job.pk, by=HOUR, actor=charlie, now=now) == ("not_allowed",)
    booking.extend(job.pk, by=HOUR, actor=bob, now=now)
    assert booking.cancel(job.pk, actor=bob, reason="Maintenance", now=now).closed_reason == "Maintenance"


def test_what_is_over_stays_over(printer, alice, now):
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    booking.cancel(job.pk, actor=alice, now=now)
    assert refused(booking.cancel, job.pk, actor=alice, now=now) == ("wrong_state",)
    assert refused(booking.extend, job.pk, by=HOUR, actor=alice, now=now) == ("wrong_state",)
    with pytest.raises(TypeError):
        job.delete()


def test_an_approval_machine_waits_for_a_trainer(alice, bob, now):
    printer = factories.PrinterFactory(needs_approval=True)
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    assert job.state == State.PENDING
    assert refused(booking.book, wish(printer, bob, now), actor=bob, now=now) == ("window_taken",)
    assert refused(lifecycle.approve, job.pk, actor=alice, now=now) == ("not_allowed",)
    assert lifecycle.approve(job.pk, actor=bob, now=now).state == State.BOOKED
    other = booking.book(wish(printer, alice, now, 5), actor=alice, now=now)
    assert refused(lifecycle.refuse, other.pk, reason=" ", actor=bob, now=now) == ("reason_missing",)
    assert lifecycle.refuse(other.pk, reason="No resin", actor=bob, now=now).closed_reason == "No resin"
    assert booking.book(wish(printer, bob, now, 8), actor=bob, now=now).state == State.BOOKED


def test_the_system_may_act_for_anybody(printer, people, now):
    job = booking.book(Wish(printer.pk, people.alice.pk, now + 2 * HOUR, now + HOUR), actor=SYSTEM, now=now)
    assert job.created_by_id is None


def test_what_only_the_database_sees_is_the_same_clean_refusal(printer, alice, charlie, now):
    """Somebody writes past the door, after the rules were asked and before the row is saved."""
    rival = booking.book(wish(printer, charlie, now, 5), actor=charlie, now=now)
    entries = Entry.objects.count()

    def take_the_slot(**kwargs):
        Job.objects.filter(pk=rival.pk).update(
            starts_at=now + HOUR, ends_at=now + 2 * HOUR, occupied_until=now + 2 * HOUR
        )

    pre_save.connect(take_the_slot, sender=Job)
    try:
        assert refused(booking.book, wish(printer, alice, now), actor=alice, now=now) == ("window_taken",)
    finally:
        pre_save.disconnect(take_the_slot, sender=Job)
    assert (Job.objects.count(), Entry.objects.count()) == (1, entries)


def test_a_job_that_changes_hands_while_we_wait_for_its_lock_is_not_touched(printer, alice, people, now):
    job = booking.book(wish(printer, alice, now), actor=alice, now=now)
    given = []

    def give_away(execute, sql, params, many, context):
        if "accounts_user" in sql and sql.startswith("SELECT") and not given:
            given.append(Job.objects.filter(pk=job.pk).update(owner=people.charlie))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(give_away):
        assert refused(booking.cancel, job.pk, actor=alice, now=now) == ("job_changed",)
    assert Job.objects.get().state == "booked"
