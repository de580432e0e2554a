"""What came back from a plug, and what is kept of it."""

from datetime import timedelta

import pytest

from core.actor import SYSTEM
from journal.models import Entry
from plugs.domain import observing
from plugs.domain.observing import KEEP_EVERY, absorb
from plugs.domain.retention import KEPT_FOR, forget_old_readings
from plugs.domain.switching import Aim, aim
from plugs.drivers.base import Endpoint
from plugs.drivers.base import PlugReading as Measured
from plugs.drivers.errors import ProtocolMismatch, TimedOut, Unreachable
from plugs.drivers.fleet import Order, Outcome
from plugs.models import PlugCommand, PlugReading, PlugState
from plugs.signals import power_observed
from tests import factories

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def plug(now):
    """A plug that a batch has in hand."""
    plug = factories.PlugFactory()
    hold(plug, now)
    return plug


def hold(plug, lease):
    PlugState.objects.filter(plug=plug).update(leased_until=lease)


def state_of(plug):
    return PlugState.objects.get(plug=plug)


def reading(now, *, on=True, power_w=8.0, **more):
    return Measured(on=on, read_at=now, power_w=power_w, **more)


def tell(plug, now, outcome=None, *, want=None, lease=None, **told):
    """The batch comes home with a reading, or with the given outcome."""
    lease = lease or now
    hold(plug, lease)
    outcome = outcome or Outcome(plug.pk, reading(now, **told), attempts=1)
    absorb([outcome], {plug.pk: Order(plug.pk, Endpoint("simulated", "x"), want)}, lease=lease, now=now)


def kept(plug):
    return list(PlugReading.objects.filter(plug=plug).order_by("pk").values_list("at", "on", "power_w"))


# ------------------------------------------------------------------ readings


def test_a_steady_draw_is_kept_once_a_minute(plug, now):
    for count in range(25):
        tell(plug, now + count * 5 * SECOND)
    assert [at for at, _on, _w in kept(plug)] == [now, now + KEEP_EVERY, now + 2 * KEEP_EVERY]


def test_a_draw_that_creeps_is_kept_when_it_has_moved_from_what_was_kept(plug, now):
    for count, draw in enumerate([100.0, 102.0, 104.0, 105.0, 107.0, 110.25]):
        tell(plug, now + count * SECOND, power_w=draw)
    assert [w for _at, _on, w in kept(plug)] == [100.0, 105.0, 110.25]


def test_a_small_draw_may_tremble_by_less_than_two_watts(plug, now):
    for count, draw in enumerate([8.0, 9.9, 6.1, 10.0]):
        tell(plug, now + count * SECOND, power_w=draw)
    assert [w for _at, _on, w in kept(plug)] == [8.0, 10.0]


def test_a_switch_is_kept_at_once_whatever_the_draw(plug, now):
    tell(plug, now, on=True, power_w=0.0)
    tell(plug, now + SECOND, on=False, power_w=0.0)
    assert [on for _at, on, _w in kept(plug)] == [True, False]
    assert state_of(plug).observed_changed_at == now + SECOND


def test_a_meter_that_falls_silent_or_comes_back_is_kept(plug, now):
    for count, draw in enumerate([8.0, None, None, 8.0]):
        tell(plug, now + count * SECOND, power_w=draw)
    assert [w for _at, _on, w in kept(plug)] == [8.0, None, 8.0]
    assert state_of(plug).power_w == 8.0


def test_what_the_plug_says_of_itself_is_kept_and_its_identity_only_once(plug, now):
    told = {
        "energy_today_wh": 1.0,
        "energy_month_wh": 2.0,
        "energy_total_wh": 3.0,
        "on_seconds": 4,
        "rssi": -60,
    }
    tell(plug, now, device_id="A", firmware="1", **told)
    state = state_of(plug)
    assert {name: getattr(state, name) for name in told} == told
    assert (state.device_id, state.firmware, state.last_contact_at) == ("A", "1", now)
    tell(plug, now + SECOND, device_id="B", firmware="2")
    assert (state_of(plug).device_id, state_of(plug).firmware) == ("A", "2")


def test_old_readings_are_forgotten_after_a_season(plug, now):
    tell(plug, now)
    tell(plug, now + SECOND, on=False)
    assert forget_old_readings(now + KEPT_FOR + SECOND) == 1
    assert [at for at, _on, _w in kept(plug)] == [now + SECOND]


# ------------------------------------------------------------------ who hears of it


def test_the_apps_above_hear_only_of_what_changed(plug, now):
    heard = []

    def listen(sender, *, plug_ids, **_kwargs):
        heard.append(plug_ids)

    power_observed.connect(listen)
    try:
        tell(plug, now)
        tell(plug, now + SECOND)
        tell(plug, now + 2 * SECOND, power_w=9.0)
        tell(plug, now + 3 * SECOND, Outcome(plug.pk, error=Unreachable("gone")))
    finally:
        power_observed.disconnect(listen)
    assert heard == [{plug.pk}] * 2


def test_a_power_cut_needs_on_before_on_now_and_a_gap(plug, now):
    tell(plug, now, on_seconds=100)
    tell(plug, now + 60 * SECOND, on_seconds=160)
    tell(plug, now + 120 * SECOND, on_seconds=55)  # within the slack: clocks differ
    tell(plug, now + 180 * SECOND, on_seconds=None)
    assert not Entry.objects.filter(kind="plug.power_cut").exists()
    tell(plug, now + 240 * SECOND, on_seconds=20)
    assert Entry.objects.get().data == {"on_seconds": 20}


# ------------------------------------------------------------------ commands


def test_a_stale_lease_changes_nothing(plug, now):
    hold(plug, now + SECOND)
    stale = Outcome(plug.pk, reading(now), attempts=1)
    absorb([stale], {plug.pk: Order(plug.pk, Endpoint("simulated", "x"), True)}, lease=now, now=now)
    assert (state_of(plug).observed, state_of(plug).leased_until) == (None, now + SECOND)
    assert not kept(plug)


def test_an_older_aim_does_not_close_the_newer_command(plug, now):
    aim({plug.pk: Aim(True, "job", now)}, actor=SYSTEM, now=now)
    outcome = Outcome(plug.pk, reading(now, on=False), attempts=1, confirmed_at=now)
    tell(plug, now, outcome, want=False)
    assert PlugCommand.objects.get().result == "pending"
    assert state_of(plug).next_poll_at == now  # the newer aim waits


def test_a_command_that_got_nowhere_keeps_its_first_fault_until_it_is_done(plug, now):
    aim({plug.pk: Aim(True, "job", now)}, actor=SYSTEM, now=now)
    tell(plug, now, Outcome(plug.pk, error=TimedOut("x"), attempts=1, sent_at=now), want=True)
    command = PlugCommand.objects.get()
    assert (command.result, command.error_code, command.sent_at) == ("failed", "timed_out", now)
    later = now + 3 * SECOND
    done = Outcome(plug.pk, reading(later), attempts=1, confirmed_at=later)
    tell(plug, later, done, want=True)
    command.refresh_from_db()
    assert (command.result, command.error_code, command.attempts) == ("confirmed", "", 2)
    assert (command.sent_at, command.confirmed_at) == (now, later)
    assert Entry.objects.get(kind="plug.switched_on").data == {"reason": "job", "late_ms": 3000}


def test_an_outcome_without_a_word_is_a_failure_too(plug, now):
    aim({plug.pk: Aim(True, "job", now)}, actor=SYSTEM, now=now)
    tell(plug, now, Outcome(plug.pk, attempts=1), want=True)
    assert (state_of(plug).error_code, state_of(plug).failures) == ("driver_error", 1)
    assert (PlugCommand.objects.get().result, PlugCommand.objects.get().error_code) == ("failed", "")


def test_a_drift_that_could_not_be_put_right_is_an_open_command(plug, now):
    """Sent, and no answer: on record as failed, and the next contact closes the same row."""
    PlugState.objects.filter(plug=plug).update(wanted=True, wanted_reason="job", observed=True)
    tell(plug, now, Outcome(plug.pk, error=TimedOut("x"), attempts=1, sent_at=now), want=True)
    command = PlugCommand.objects.get()
    assert (command.result, command.reason, command.attempts) == ("failed", "job", 1)
    later = now + SECOND
    tell(plug, later, Outcome(plug.pk, reading(later), attempts=1, confirmed_at=later), want=True)
    command.refresh_from_db()
    assert (command.result, command.attempts) == ("confirmed", 2)


def test_a_plug_that_speaks_another_protocol_is_found_out_anew(plug, now):
    PlugState.objects.filter(plug=plug).update(generation="klap", device_id="A")
    tell(plug, now, Outcome(plug.pk, error=ProtocolMismatch("x"), attempts=1))
    assert (state_of(plug).generation, state_of(plug).device_id) == ("", "A")
    assert Entry.objects.get().data == {"fault": "protocol_mismatch", "text": "x"}


def test_a_command_without_an_end_has_no_lateness(now):
    assert observing._late_ms(PlugCommand(planned_at=now)) is None


def test_healthy_plugs_share_a_round_that_keeps_off_the_minute(plug, now, settings):
    settings.PLUG_POLL_EVERY = 10
    places = set()
    for offset in (0, 1, 4.9, 5, 9):
        at = now + offset * SECOND
        tell(plug, at, on=True)
        due = state_of(plug).next_poll_at
        places.add(round(due.timestamp() % 10, 6))
        assert timedelta(0) < due - at <= 10 * SECOND
    assert len(places) == 1
    assert 1 < places.pop() < 8


def test_many_plugs_are_not_read_all_at_once(now):
    plugs = factories.PlugFactory.create_batch(2 * observing.ROUND_SIZE)
    for plug in plugs:
        tell(plug, now, on=True)
    assert len({state_of(plug).next_poll_at for plug in plugs}) in {2, 3}


def test_dead_plugs_are_asked_together_whenever_they_failed(now):
    """Each costs a worker its whole patience; together they cost it once."""
    asked = set()
    for offset in (0, 0.4, 3):
        dead = PlugState(failures=observing.DEAD_AFTER, wanted=True, observed=False)
        asked.add(observing._after_failure(dead, now + offset * SECOND))
    assert len(asked) == 1


def test_many_outcomes_cost_as_many_statements_as_one(now, django_assert_max_num_queries):
    for count in (1, 30):
        plugs = factories.PlugFactory.create_batch(count)
        aim({plug.pk: Aim(True, "job", now) for plug in plugs}, actor=SYSTEM, now=now)
        for plug in plugs:
            hold(plug, now)
        outcomes = [Outcome(p.pk, reading(now), attempts=1, sent_at=now, confirmed_at=now) for p in plugs]
        orders = {p.pk: Order(p.pk, Endpoint("simulated", "x"), True) for p in plugs}
        with django_assert_max_num_queries(12):
            absorb(outcomes, orders, lease=now, now=now)
    assert PlugCommand.objects.filter(result="confirmed").count() == 31
