"""Wanted against observed, with the real drivers on real sockets against plugs in software."""

from datetime import timedelta

import pytest
import time_machine

from core import clock
from core.actor import SYSTEM
from journal.models import Entry
from plugs.choices import Health
from plugs.domain import reconciling
from plugs.domain.observing import DEAD_FIRST, RETRY_AFTER
from plugs.domain.registering import trust_device
from plugs.domain.switching import Aim, aim, override
from plugs.drivers.fleet import fleet
from plugs.models import DEAD_AFTER, PlugState
from tests import factories
from tests.conftest import NOON
from tests.plugs.conftest import queued, run_queue

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
pytestmark = [pytest.mark.sockets, pytest.mark.django_db]
BOTH = pytest.mark.parametrize("name", ["klap", "old"])


@pytest.fixture
def clock_at_noon(workshop):
    """A clock that goes on by itself and can be put forward; the plugs in software read the same one."""
    for name in ("klap", "old"):
        workshop.plug(name).measured_until = NOON
    with time_machine.travel(NOON, tick=True) as travelled:
        yield travelled


def want(bench, name, on, hold=None):
    """The plan has spoken."""
    now = clock.now()
    aim({bench.rows[name].pk: Aim(on, "job", now, hold)}, actor=SYSTEM, now=now)


def told(kind):
    return [(entry.subject_label, entry.data) for entry in Entry.objects.filter(kind=kind).order_by("pk")]


@BOTH
def test_a_first_contact_finds_out_everything(bench, name):
    bench.add(name)
    at = bench.contact()
    state = bench.state(name)
    assert (state.observed, state.power_w, state.failures, state.health) == (False, 0.0, 0, Health.FINE)
    assert state.device_id == bench.plug(name).device_id
    assert state.firmware == bench.plug(name).firmware
    assert state.generation == {"klap": "klap", "old": "passthrough"}[name]
    assert at <= state.last_contact_at <= clock.now()
    assert (state.rssi, state.leased_until) == (-48, None)
    assert at < state.next_poll_at <= clock.now() + 6 * SECOND
    assert [(reading.on, reading.power_w) for reading in bench.readings(name)] == [(False, 0.0)]
    assert not bench.commands(name)


@BOTH
def test_on_and_off_are_confirmed_and_written_down(bench, name):
    bench.add(name)
    for on in (True, False):
        want(bench, name, on)
        bench.contact()
        assert bench.plug(name).on is on
        state = bench.state(name)
        assert (state.observed, state.is_right) == (on, True)
        command = bench.commands(name)[-1]
        assert (command.on, command.result, command.attempts, command.error_code) == (on, "confirmed", 1, "")
        assert command.planned_at <= command.sent_at <= command.confirmed_at <= clock.now()
        assert command.created_at == command.planned_at
    assert bench.plug(name).counters.switches == 2
    late = round((command.confirmed_at - command.planned_at).total_seconds() * 1000)
    assert told("plug.switched_on")[0][0] == name
    assert told("plug.switched_off") == [(name, {"reason": "job", "late_ms": late})]
    assert set(Entry.objects.filter(kind__startswith="plug.switched").values_list("channel", flat=True)) == {
        "device"
    }


def test_a_plug_that_is_right_already_is_confirmed_without_being_switched(bench):
    bench.add("klap")
    bench.plug("klap").switch(True)
    want(bench, "klap", True)
    bench.contact()
    (command,) = bench.commands("klap")
    assert (command.result, command.sent_at) == ("confirmed", None)
    assert command.confirmed_at is not None
    assert bench.plug("klap").counters.switches == 1


def test_twice_told_is_once_switched(bench):
    bench.add("klap")
    want(bench, "klap", True)
    for _ in range(3):
        bench.contact()
    assert bench.plug("klap").counters.switches == 1
    assert len(bench.commands("klap")) == 1
    assert len(told("plug.switched_on")) == 1


def test_a_hand_on_the_button_is_put_right_and_on_record(bench):
    bench.add("klap")
    want(bench, "klap", True)
    bench.contact()
    bench.plug("klap").press_button()
    assert not bench.plug("klap").on
    bench.contact()
    assert bench.plug("klap").on
    _planned, drift = bench.commands("klap")
    assert (drift.on, drift.result, drift.reason, drift.attempts) == (True, "confirmed", "job", 1)
    assert drift.planned_at == drift.sent_at
    assert told("plug.strayed") == [("klap", {"found_on": False})]


def test_where_nobody_decides_the_button_rules(bench):
    bench.add("klap")
    bench.contact()
    bench.plug("klap").press_button()
    bench.contact()
    assert bench.plug("klap").on
    assert bench.state("klap").observed is True
    assert not bench.commands("klap")
    assert told("plug.strayed") == []


def test_while_the_scheduler_is_stopped_plugs_are_read_and_people_still_obeyed(bench, people):
    for name in ("klap", "old"):
        bench.add(name)
        want(bench, name, True)
    override(bench.rows["old"], on=True, until=None, reason="Test", actor=_bob(people), now=clock.now())
    bench.contact(is_switching=False)
    assert (bench.plug("klap").on, bench.plug("old").on) == (False, True)
    assert bench.state("klap").observed is False
    assert [command.result for command in bench.commands("klap")] == ["pending"]
    bench.contact()
    assert bench.plug("klap").on


def _bob(people):
    return SYSTEM.__class__(people.bob.pk, SYSTEM.channel.ADMIN)


# ------------------------------------------------------------------ load


def test_a_machine_that_draws_power_is_never_cut_and_switched_off_when_it_idles(bench, clock_at_noon):
    bench.add("klap")
    want(bench, "klap", True)
    bench.contact()
    bench.plug("klap").start_print(600)
    clock_at_noon.shift(5 * MINUTE)
    want(bench, "klap", False, hold=15.0)
    for _ in range(2):
        bench.contact()
    assert bench.plug("klap").on
    assert bench.state("klap").power_w > 75
    command = bench.commands("klap")[-1]
    assert (command.on, command.result, command.sent_at, command.confirmed_at) == (False, "held", None, None)
    assert len(told("plug.held")) == 1
    assert told("plug.held")[0][1]["power_w"] > 75
    clock_at_noon.shift(20 * MINUTE)
    bench.contact()
    assert not bench.plug("klap").on
    command.refresh_from_db()
    assert command.result == "confirmed"
    assert command.attempts == 3
    assert command.sent_at is not None


def test_a_cut_goes_through_a_load(bench, clock_at_noon):
    bench.add("klap")
    want(bench, "klap", True)
    bench.contact()
    bench.plug("klap").start_print(600)
    clock_at_noon.shift(5 * MINUTE)
    want(bench, "klap", False, hold=None)
    bench.contact()
    assert not bench.plug("klap").on
    assert bench.commands("klap")[-1].result == "confirmed"


# ------------------------------------------------------------------ trouble


def test_a_power_cut_is_noticed(bench, clock_at_noon, workshop):
    bench.add("klap")
    want(bench, "klap", True)
    bench.contact()
    clock_at_noon.shift(2 * MINUTE)
    bench.contact()
    assert told("plug.power_cut") == []
    workshop.power_cut("klap", 20)
    clock_at_noon.shift(30 * SECOND)
    bench.contact()
    ((label, data),) = told("plug.power_cut")
    assert label == "klap"
    assert data["on_seconds"] <= 12
    assert bench.state("klap").observed is True


def test_after_a_power_cut_that_ends_off_the_plug_is_put_right(bench, clock_at_noon, workshop):
    bench.add("klap")
    want(bench, "klap", True)
    bench.contact()
    workshop.power_cut("klap", 5)
    workshop.plug("klap").was_on = False
    clock_at_noon.shift(30 * SECOND)
    bench.contact()
    assert bench.plug("klap").on
    assert told("plug.strayed") == [("klap", {"found_on": False})]


def test_out_of_reach_backs_off_then_is_lost_and_found_again(bench, clock_at_noon, workshop):
    bench.add("klap")
    bench.contact()
    workshop.fault("klap", "unreachable")
    want(bench, "klap", True)
    waits = []
    for count in range(1, DEAD_AFTER + 2):
        bench.contact()
        state = bench.state("klap")
        assert (state.failures, state.error_code, state.observed) == (count, "unreachable", False)
        waits.append((state.next_poll_at - state.error_at).total_seconds())
    assert waits[:2] == [wait.total_seconds() for wait in RETRY_AFTER]
    half = DEAD_FIRST.total_seconds() / 2
    assert all(half < wait <= 3 * half for wait in waits[2:]), "the dead share a round"
    (command,) = bench.commands("klap")
    assert (command.result, command.error_code, command.attempts) == ("failed", "unreachable", 4)
    assert (command.sent_at, command.confirmed_at) == (None, None)
    assert (len(told("plug.contact_failed")), len(told("plug.lost"))) == (1, 1)
    assert bench.state("klap").health is Health.DEAD
    workshop.fault("klap", None)
    bench.contact()
    state = bench.state("klap")
    assert (state.failures, state.error_code, state.error_text, state.health) == (0, "", "", Health.FINE)
    assert told("plug.found_again") == [("klap", {"after_failures": 4})]
    command.refresh_from_db()
    assert (command.result, command.error_code, command.attempts) == ("confirmed", "", 5)
    assert bench.plug("klap").on


def test_a_plug_that_nobody_waits_for_is_asked_ever_more_rarely(bench, workshop):
    bench.add("klap")
    bench.contact()
    workshop.fault("klap", "unreachable")
    waits = []
    for failures in (2, 3, 4, 5, 6, 20):
        PlugState.objects.update(failures=failures)
        bench.contact()
        state = bench.state("klap")
        waits.append((state.next_poll_at - state.error_at).total_seconds())
    assert waits == [pytest.approx(wait, abs=15) for wait in (30, 60, 120, 240, 300, 300)]


def test_a_dead_plug_delays_no_other(bench, workshop):
    for name in ("klap", "old"):
        bench.add(name)
    bench.contact()
    workshop.fault("klap", "hang")
    for name in ("klap", "old"):
        want(bench, name, True)
    began = clock.now()
    bench.contact()
    assert bench.commands("old")[-1].confirmed_at - began < SECOND
    failed = bench.commands("klap")[-1]
    assert (failed.result, failed.error_code) == ("failed", "timed_out")


def test_trouble_leads_to_the_slow_lane(bench, workshop):
    for name in ("klap", "old"):
        bench.add(name)
    workshop.fault("klap", "unreachable")
    bench.contact()
    now = clock.now()
    PlugState.objects.update(next_poll_at=now)
    reconciling.claim_due(now, is_switching=True)
    lanes = {task["kwargs"]["deadline"]: task["args"][0] for task in queued()}
    assert lanes == {
        reconciling.FAST_DEADLINE: [bench.rows["old"].pk],
        reconciling.SLOW_DEADLINE: [bench.rows["klap"].pk],
    }
    run_queue()


@BOTH
def test_a_refused_login_suspends_until_a_person_asks(bench, name):
    bench.add(name, password="wrong")
    want(bench, name, True)
    bench.contact()
    state = bench.state(name)
    assert (state.is_suspended, state.error_code, state.health) == (True, "auth_failed", Health.SUSPENDED)
    assert told("plug.suspended") == [(name, {"fault": "auth_failed"})]
    refused = bench.plug(name).counters.failed_logins
    bench.contact()
    assert bench.plug(name).counters.failed_logins == refused  # it would lock itself
    plug = bench.rows[name]
    plug.password = "workshop"
    plug.save()
    reconciling.contact_now([plug], now=clock.now())
    bench.contact()
    assert bench.plug(name).on
    assert bench.state(name).health is Health.FINE
    assert bench.commands(name)[-1].result == "confirmed"


def test_another_plug_at_the_address_is_never_switched(bench, workshop):
    bench.add("klap")
    bench.contact()
    known = bench.state("klap").device_id
    fleet().close()
    workshop.plug("klap").device_id = "8022" + "F" * 36
    want(bench, "klap", True)
    bench.contact()
    state = bench.state("klap")
    assert (state.error_code, state.device_id) == ("identity_mismatch", known)
    assert (bench.plug("klap").on, bench.plug("klap").counters.switches) == (False, 0)
    assert bench.commands("klap")[-1].sent_at is None
    trust_device(bench.rows["klap"], actor=SYSTEM, now=clock.now())
    bench.contact()
    assert bench.plug("klap").on
    assert bench.state("klap").device_id == "8022" + "F" * 36


def test_new_firmware_is_found_out_by_itself(bench, workshop):
    bench.add("klap", driver="tapo")
    bench.contact()
    workshop.fault("klap", "other_generation")
    want(bench, "klap", True)
    for _ in range(3):
        bench.contact()
    assert bench.state("klap").generation == "passthrough"
    assert bench.plug("klap").on


def test_a_relay_that_sticks_fails_and_the_attempts_are_counted(bench, workshop):
    bench.add("klap")
    workshop.fault("klap", "stuck_relay")
    want(bench, "klap", True)
    for _ in range(2):
        bench.contact()
    command = bench.commands("klap")[-1]
    assert (command.result, command.error_code, command.attempts) == ("failed", "verify_failed", 2)
    assert command.sent_at is not None
    workshop.fault("klap", None)
    bench.contact()
    command.refresh_from_db()
    assert (command.result, command.attempts) == ("confirmed", 3)
    assert bench.plug("klap").on


@BOTH
def test_a_slow_plug_is_confirmed_all_the_same(bench, workshop, name):
    bench.add(name)
    bench.contact()
    workshop.fault(name, "slow", 0.3)
    want(bench, name, True)
    bench.contact()
    assert [command.result for command in bench.commands(name)] == ["confirmed"]
    assert bench.plug(name).counters.switches == 1


def test_without_its_clock_a_plug_is_still_switched(bench, workshop):
    bench.add("klap")
    workshop.fault("klap", "clock_unset")
    want(bench, "klap", True)
    bench.contact()
    state = bench.state("klap")
    assert (state.observed, state.energy_today_wh) == (True, None)
    assert bench.commands("klap")[-1].result == "confirmed"


# ------------------------------------------------------------------ side by side


def test_an_outcome_whose_lease_has_passed_on_is_ignored(bench):
    bench.add("klap")
    want(bench, "klap", True)
    now = clock.now()
    reconciling.claim_due(now, is_switching=True)
    PlugState.objects.update(leased_until=now + MINUTE)  # somebody else has it in hand
    run_queue()
    state = bench.state("klap")
    assert (state.observed, state.last_contact_at, state.leased_until) == (None, None, now + MINUTE)
    assert bench.commands("klap")[-1].result == "pending"
    assert not bench.plug("klap").on


def test_an_aim_that_changed_while_the_plug_was_asked_is_not_closed_by_the_older_one(bench, monkeypatch):
    """The batch carries "on"; before its outcome is written down, "off" is wanted."""
    bench.add("klap")
    want(bench, "klap", True)
    absorb = reconciling.observing.absorb

    def change_then_absorb(outcomes, orders, **kwargs):
        want(bench, "klap", False)
        absorb(outcomes, orders, **kwargs)

    monkeypatch.setattr(reconciling.observing, "absorb", change_then_absorb)
    bench.contact()
    monkeypatch.undo()
    first, second = bench.commands("klap")
    assert (first.result, second.result, second.attempts) == ("superseded", "pending", 0)
    assert bench.state("klap").next_poll_at <= clock.now()
    bench.contact()
    second.refresh_from_db()
    assert second.result == "confirmed"
    assert not bench.plug("klap").on


def test_the_same_task_delivered_twice_switches_once(bench):
    bench.add("klap")
    want(bench, "klap", True)
    now = clock.now()
    reconciling.claim_due(now, is_switching=True)
    (task,) = queued()
    for _ in range(2):
        task["func"](*task["args"], **task["kwargs"])
    assert bench.plug("klap").counters.switches == 1
    assert [command.attempts for command in bench.commands("klap")] == [1]


def test_a_machines_plan_hears_of_the_load(bench, clock_at_noon, people):
    """A draw that falls ends an overrun: the plan above the plug is asked anew with the reading."""
    plug = bench.add("klap")
    printer = factories.PrinterFactory(plug=plug)
    bench.plug("klap").switch(True)
    bench.plug("klap").start_print(600)
    clock_at_noon.shift(5 * MINUTE)
    bench.contact()
    assert (bench.state("klap").wanted, bench.state("klap").wanted_reason) == (True, "overrun")
    assert printer.plug_id == plug.pk
    clock_at_noon.shift(20 * MINUTE)
    bench.contact()
    assert bench.state("klap").wanted is False
    bench.contact()
    assert not bench.plug("klap").on
