"""What the clock and the plugs do to jobs and to power; each also late, twice and after a long stop."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.actor import SYSTEM
from core.errors import Refused
from journal.models import Entry
from plugs.domain import switching
from plugs.models import PlugCommand, PlugState
from plugs.signals import power_observed
from printers.choices import Service
from printers.domain.keeping import set_service
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.models import Job, PowerPlan
from tests import factories

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def job(printer, alice, now):
    """Alice's job from 11 to 12."""
    return booking.book(Wish(printer.pk, alice.user_id, now + 2 * HOUR, now + HOUR), actor=alice, now=now)


def state_of(printer):
    return PlugState.objects.get(plug=printer.plug)


def see(printer, now, *, on, watts):
    """The plug says something."""
    state = PlugState.objects.filter(plug=printer.plug)
    if state.get().observed != on:
        state.update(observed_changed_at=now)
    state.update(observed=on, power_w=watts, last_contact_at=now)
    power_observed.send(sender=None, plug_ids={printer.plug_id}, now=now)


def test_the_next_due_instant_is_the_start_and_then_the_end(printer, job, now):
    assert lifecycle.next_due(now) == job.starts_at
    lifecycle.advance_due(job.starts_at)
    assert lifecycle.next_due(now) == job.ends_at


def test_nothing_happens_before_its_time_and_everything_at_it(printer, job, now):
    lifecycle.advance_due(job.starts_at - timedelta(microseconds=1))
    assert Job.objects.get().state == "booked"
    lifecycle.advance_due(job.starts_at)
    job.refresh_from_db()
    assert (job.state, job.started_at, state_of(printer).wanted) == ("running", job.starts_at, True)
    lifecycle.advance_due(job.ends_at)
    job.refresh_from_db()
    assert (job.state, job.finished_at, state_of(printer).wanted) == ("finished", job.ends_at, False)


def test_each_switch_is_planned_at_its_due_instant_however_late_we_come(printer, job, now):
    lifecycle.advance_due(job.starts_at + 3 * MINUTE)
    command = PlugCommand.objects.get(on=True)
    assert (command.planned_at, command.reason) == (job.starts_at, "job")
    assert Job.objects.get().started_at == job.starts_at + 3 * MINUTE


def test_twice_is_once(printer, job, now):
    for _ in range(3):
        lifecycle.advance_due(job.starts_at)
        lifecycle.advance([printer.pk], actor=SYSTEM, now=job.starts_at)
    assert PlugCommand.objects.filter(on=True).count() == 1
    assert Entry.objects.filter(kind="job.started").count() == 1


def test_after_a_long_stop_a_running_job_ended_when_it_should(printer, job, now):
    lifecycle.advance_due(job.starts_at)
    lifecycle.advance_due(job.ends_at + 5 * HOUR)
    job.refresh_from_db()
    assert (job.state, job.finished_at) == ("finished", job.ends_at)
    assert state_of(printer).wanted is False


def test_a_job_that_was_slept_through_is_missed_not_run(printer, job, now):
    lifecycle.advance_due(job.ends_at + HOUR)
    job.refresh_from_db()
    assert (job.state, job.started_at) == ("missed", None)
    assert not PlugCommand.objects.filter(on=True).exists()


def test_back_to_back_jobs_keep_the_power_on(printer, alice, charlie, job, now):
    booking.book(Wish(printer.pk, charlie.user_id, now + 3 * HOUR, now + 2 * HOUR), actor=charlie, now=now)
    lifecycle.advance_due(now + HOUR)
    lifecycle.advance_due(now + 2 * HOUR)
    assert [j.state for j in Job.objects.order_by("starts_at")] == ["finished", "running"]
    assert PlugCommand.objects.filter(on=False, planned_at__gt=now).count() == 0


def test_an_unapproved_job_lapses_at_its_start(alice, now):
    printer = factories.PrinterFactory(needs_approval=True)
    job = booking.book(Wish(printer.pk, alice.user_id, now + 2 * HOUR, now + HOUR), actor=alice, now=now)
    lifecycle.advance_due(job.starts_at)
    job.refresh_from_db()
    assert job.state == "refused"
    assert job.closed_reason
    assert state_of(printer).wanted is False


def test_cancelling_takes_back_the_planned_switch(printer, alice, job, now):
    booking.cancel(job.pk, actor=alice, now=now)
    lifecycle.advance_due(job.starts_at)
    assert not PlugCommand.objects.filter(on=True).exists()


def test_finishing_early_frees_the_slot_and_switches_off(printer, alice, charlie, job, now):
    lifecycle.advance_due(job.starts_at)
    lifecycle.finish(job.pk, actor=alice, now=job.starts_at + 10 * MINUTE)
    assert state_of(printer).wanted is False
    walk_up = job.starts_at + 15 * MINUTE
    booking.book(Wish(printer.pk, charlie.user_id, walk_up + HOUR), actor=charlie, now=walk_up)


def test_a_print_that_runs_on_is_held_until_it_is_done(printer, job, now):
    lifecycle.advance_due(job.starts_at)
    see(printer, job.starts_at + MINUTE, on=True, watts=90.0)
    lifecycle.advance_due(job.ends_at)
    plan = PowerPlan.objects.get()
    assert (Job.objects.get().state, plan.want, plan.reason) == ("finished", True, "cool_down")
    lifecycle.advance_due(job.ends_at + 5 * MINUTE)
    assert PowerPlan.objects.get().reason == "overrun"
    see(printer, job.ends_at + 20 * MINUTE, on=True, watts=8.0)
    assert (PowerPlan.objects.get().reason, state_of(printer).wanted) == ("nothing", False)


def test_the_hard_limit_cuts_through_a_load(printer, job, now):
    printer.hard_limit_minutes = 30
    printer.save()
    lifecycle.advance_due(job.starts_at)
    see(printer, job.starts_at + MINUTE, on=True, watts=90.0)
    lifecycle.advance_due(job.ends_at)
    lifecycle.advance_due(job.ends_at + 30 * MINUTE)
    state = state_of(printer)
    assert (state.wanted, state.wanted_reason, state.hold_above_w) == (False, "hard_limit", None)


def test_the_next_persons_job_waits_for_the_print_before_it(printer, alice, charlie, job, now):
    following = booking.book(
        Wish(printer.pk, charlie.user_id, now + 3 * HOUR, now + 2 * HOUR), actor=charlie, now=now
    )
    lifecycle.advance_due(job.starts_at)
    see(printer, job.starts_at, on=True, watts=90.0)
    lifecycle.advance_due(job.ends_at)
    following.refresh_from_db()
    assert (following.state, state_of(printer).wanted) == ("booked", True)
    see(printer, job.ends_at + 10 * MINUTE, on=True, watts=8.0)
    following.refresh_from_db()
    assert (following.state, following.started_at) == ("running", job.ends_at + 10 * MINUTE)


def test_the_next_person_may_start_by_hand(printer, alice, charlie, job, now):
    following = booking.book(
        Wish(printer.pk, charlie.user_id, now + 3 * HOUR, now + 2 * HOUR), actor=charlie, now=now
    )
    with pytest.raises(Refused, match="window_not_open"):
        lifecycle.start(following.pk, actor=charlie, now=now)
    lifecycle.advance_due(job.starts_at)
    see(printer, job.starts_at, on=True, watts=90.0)
    lifecycle.advance_due(job.ends_at)
    assert lifecycle.start(following.pk, actor=charlie, now=job.ends_at + MINUTE).state == "running"


def test_a_job_that_is_moved_while_we_wait_for_its_lock_does_not_start(printer, alice, job, now):
    moved = []

    def move_away(execute, sql, params, many, context):
        if "accounts_user" in sql and sql.startswith("SELECT") and not moved:
            later = {"starts_at": now + 5 * HOUR, "ends_at": now + 6 * HOUR, "occupied_until": now + 6 * HOUR}
            moved.append(Job.objects.filter(pk=job.pk).update(**later))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(move_away), pytest.raises(Refused, match="window_not_open"):
        lifecycle.start(job.pk, actor=alice, now=job.starts_at)
    assert Job.objects.get().state == "booked"


def test_a_stranger_learns_nothing_of_the_window(printer, charlie, job, now):
    with pytest.raises(Refused, match="not_allowed"):
        lifecycle.start(job.pk, actor=charlie, now=now)


def test_out_of_service_means_off_and_back_means_on(printer, bob, job, now):
    lifecycle.advance_due(job.starts_at)
    at = job.starts_at + MINUTE
    set_service([printer], Service.OUT_OF_ORDER, note="Smoke", actor=bob, now=at)
    assert state_of(printer).wanted is False
    set_service([printer], Service.IN_SERVICE, note="", actor=bob, now=at)
    assert state_of(printer).wanted is True


def test_an_override_goes_before_the_plan_until_it_ends(printer, bob, job, now):
    switching.override(printer.plug, on=True, until=now + HOUR / 2, reason="Cleaning", actor=bob, now=now)
    assert (state_of(printer).wanted, state_of(printer).wanted_reason) == (True, "override")
    switching.end_override([printer.plug], actor=bob, now=now + MINUTE)
    assert (state_of(printer).wanted, state_of(printer).wanted_reason) == (False, "nothing")


def test_abort_is_for_trainers_and_needs_a_reason(printer, alice, bob, job, now):
    lifecycle.advance_due(job.starts_at)
    with pytest.raises(Refused, match="not_allowed"):
        lifecycle.abort(job.pk, reason="x", actor=alice, now=job.starts_at)
    with pytest.raises(Refused, match="reason_missing"):
        lifecycle.abort(job.pk, reason="", actor=bob, now=job.starts_at)
    assert lifecycle.abort(job.pk, reason="Spaghetti", actor=bob, now=job.starts_at).state == "aborted"


@pytest.mark.parametrize("count", [1, 30])
def test_many_machines_cost_as_many_statements_as_one(people, alice, now, count):
    for _ in range(count):
        printer = factories.PrinterFactory()
        booking.book(Wish(printer.pk, alice.user_id, now + 2 * HOUR, now + HOUR), actor=alice, now=now)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        lifecycle.advance_due(now + HOUR)
    assert Job.objects.filter(state="running").count() == count
    assert len(captured) <= 14 + (connection.vendor == "postgresql"), [q["sql"][:90] for q in captured]


def test_machines_without_a_plan_get_one(printer, now):
    assert not PowerPlan.objects.exists()
    lifecycle.plan_the_unplanned(now)
    assert PowerPlan.objects.get().reason == "nothing"
