"""The doors: what is wanted of a plug, and a trainer's word."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core.actor import SYSTEM
from core.errors import Refused
from journal.models import Entry
from plugs.choices import CommandResult
from plugs.domain import reconciling
from plugs.domain.switching import Aim, aim, end_override, override
from plugs.models import OPEN_RESULTS, PlugCommand, PlugState
from tests import factories

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def plug():
    """A plug behind no machine: nobody plans for it."""
    return factories.PlugFactory()


def state_of(plug):
    return PlugState.objects.get(plug=plug)


def commands(plug):
    return list(PlugCommand.objects.filter(plug=plug).order_by("pk").values_list("on", "result"))


def want(plug, on, now, *, reason="job", planned_at=None, hold=None, actor=SYSTEM):
    aim({plug.pk: Aim(on, reason, planned_at or now, hold)}, actor=actor, now=now)


def test_an_aim_is_written_down_and_due_at_once(plug, bob, now):
    want(plug, True, now, planned_at=now - MINUTE, hold=15.0, actor=bob)
    state = state_of(plug)
    assert (state.wanted, state.wanted_reason, state.hold_above_w, state.next_poll_at) == (
        True,
        "job",
        15.0,
        now,
    )
    command = PlugCommand.objects.get()
    assert (command.on, command.reason, command.actor_id) == (True, "job", bob.user_id)
    assert (command.planned_at, command.created_at) == (now - MINUTE, now)
    assert (command.result, command.sent_at, command.confirmed_at, command.attempts) == (
        "pending",
        None,
        None,
        0,
    )


def test_the_same_aim_again_changes_nothing(plug, now):
    want(plug, True, now, hold=15.0)
    PlugState.objects.filter(plug=plug).update(next_poll_at=None)
    with CaptureQueriesContext(connection) as captured:
        want(plug, True, now + MINUTE, hold=15.0)
    assert not [q["sql"] for q in captured if not q["sql"].startswith("SELECT")]
    assert state_of(plug).next_poll_at is None
    assert commands(plug) == [(True, "pending")]


def test_another_reason_alone_neither_switches_nor_asks(plug, now):
    want(plug, True, now)
    PlugState.objects.filter(plug=plug).update(next_poll_at=None)
    want(plug, True, now + MINUTE, reason="overrun")
    state = state_of(plug)
    assert (state.wanted_reason, state.next_poll_at) == ("overrun", None)
    assert commands(plug) == [(True, "pending")]


def test_another_hold_asks_but_opens_no_command(plug, now):
    want(plug, False, now, hold=15.0)
    want(plug, False, now + MINUTE, reason="hard_limit")
    state = state_of(plug)
    assert (state.hold_above_w, state.next_poll_at) == (None, now + MINUTE)
    assert commands(plug) == [(False, "pending")]


def test_a_new_aim_supersedes_every_open_command_and_no_closed_one(plug, now):
    want(plug, True, now)
    PlugCommand.objects.update(result=CommandResult.CONFIRMED)
    for number, (on, result) in enumerate([(False, "held"), (True, "failed"), (False, "pending")], start=1):
        want(plug, on, now + number * MINUTE)
        PlugCommand.objects.filter(result="pending").update(result=result)
    assert commands(plug) == [
        (True, "confirmed"),
        (False, "superseded"),
        (True, "superseded"),
        (False, "pending"),
    ]
    assert PlugCommand.objects.filter(result__in=OPEN_RESULTS).count() == 1


def test_hands_off_supersedes_and_opens_nothing(plug, now):
    want(plug, True, now)
    want(plug, None, now)
    assert state_of(plug).wanted is None
    assert state_of(plug).is_right
    assert commands(plug) == [(True, "superseded")]


@pytest.mark.parametrize("result", OPEN_RESULTS)
def test_the_database_holds_one_open_command_per_plug(plug, now, result):
    want(plug, True, now)
    second = PlugCommand(plug=plug, on=False, planned_at=now, created_at=now, result=result)
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()


def test_many_plugs_cost_as_many_statements_as_one(now):
    counts = []
    for size in (1, 30):
        aims = {factories.PlugFactory().pk: Aim(True, "job", now) for _ in range(size)}
        with CaptureQueriesContext(connection) as captured:
            aim(aims, actor=SYSTEM, now=now)
        assert PlugCommand.objects.filter(plug__in=aims).count() == size
        counts.append(len(captured))
    assert counts[0] == counts[1]


# ------------------------------------------------------------------ a trainer's word


def test_an_override_moves_a_plug_that_nobody_plans(plug, bob, now):
    override(plug, on=True, until=now + HOUR, reason=" Cleaning ", actor=bob, now=now)
    state = state_of(plug)
    assert (state.wanted, state.wanted_reason, state.next_poll_at) == (True, "override", now)
    assert (state.override_on, state.override_until, state.override_reason) == (True, now + HOUR, "Cleaning")
    assert (state.override_by_id, state.override_is_cut) == (bob.user_id, False)
    entry = Entry.objects.get(kind="plug.overridden")
    assert (entry.actor_id, entry.subject, entry.data["on"]) == (bob.user_id, f"smartplug:{plug.pk}", True)
    end_override([plug], actor=bob, now=now + MINUTE)
    state = state_of(plug)
    assert (state.wanted, state.override_on, state.override_until) == (None, None, None)
    assert (state.override_reason, state.override_by_id) == ("", None)
    assert Entry.objects.get(kind="plug.override_ended").at == now + MINUTE


def test_an_override_goes_before_a_machines_plan_and_its_end_brings_the_plan_back(printer, bob, now):
    plug = printer.plug
    override(plug, on=True, until=None, reason="Cleaning", actor=bob, now=now)
    assert (state_of(plug).wanted, state_of(plug).wanted_reason) == (True, "override")
    end_override([plug], actor=bob, now=now + MINUTE)
    assert (state_of(plug).wanted, state_of(plug).wanted_reason) == (False, "nothing")


@pytest.mark.parametrize("cut", [True, False])
def test_only_a_cut_goes_through_a_load(printer, bob, now, cut):
    PlugState.objects.filter(plug=printer.plug).update(observed=True, power_w=90.0)
    override(printer.plug, on=False, until=now + HOUR, reason="Smoke", actor=bob, now=now, cut=cut)
    state = state_of(printer.plug)
    assert (state.wanted, state.override_is_cut) == (False, cut)
    assert state.hold_above_w == (None if cut else printer.idle_below_w)


def test_switching_on_is_no_cut(plug, bob, now):
    override(plug, on=True, until=None, reason="Test", actor=bob, now=now, cut=True)
    assert state_of(plug).override_is_cut is False


@pytest.mark.parametrize(("reason", "hours", "code"), [(" ", 1, "reason_missing"), ("x", 0, "until_past")])
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(plug, bob, now, reason, hours, code):
    with pytest.raises(Refused, match=code):
        override(plug, on=True, until=now + hours * HOUR, reason=reason, actor=bob, now=now)
    assert state_of(plug).override_on is None
    assert not Entry.objects.filter(kind="plug.overridden").exists()


def test_an_override_ends_by_the_clock_for_planned_and_unplanned_plugs(plug, printer, bob, now):
    for each in (plug, printer.plug):
        override(each, on=True, until=now + HOUR, reason="Cleaning", actor=bob, now=now)
        PlugState.objects.filter(plug=each).update(next_poll_at=None)
    assert reconciling.next_due(now) == now + HOUR
    reconciling.claim_due(now + HOUR - timedelta(microseconds=1), is_switching=True)
    assert state_of(plug).override_on is True
    reconciling.claim_due(now + HOUR, is_switching=True)
    assert (state_of(plug).override_on, state_of(plug).wanted) == (None, None)
    assert (state_of(printer.plug).override_on, state_of(printer.plug).wanted) == (None, False)
    assert Entry.objects.filter(kind="plug.override_ended", channel="scheduler").count() == 2
    assert reconciling.next_due(now) != now + HOUR
