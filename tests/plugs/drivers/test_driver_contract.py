"""What every driver promises, on every generation and on whatever is in front of it."""

import asyncio
import time

import pytest

from plugs.drivers.base import Endpoint, PlugDriver, PlugReading
from plugs.drivers.errors import (
    AccessDisabled,
    AuthFailed,
    BadReply,
    DeviceRejected,
    DriverError,
    IdentityMismatch,
    ProtocolMismatch,
    TimedOut,
    Unreachable,
    VerifyFailed,
)
from plugs.drivers.registry import open_driver
from simulation.server import Fault, FaultKind
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop

pytestmark = pytest.mark.sockets

SOON = 5.0
SHORT = 0.25
PASSWORD_LIKE = "workshop@"


async def _read(driver: PlugDriver) -> PlugReading:
    return await driver.read(SOON)


def test_read_gives_relay_power_and_identity(rig):
    reading = rig.run(_read)
    assert isinstance(reading.on, bool)
    assert isinstance(reading.power_w, float)
    assert reading.device_id
    assert reading.firmware
    assert reading.read_at.tzinfo is not None
    assert reading.latency_ms > 0


def test_set_brings_the_relay_there_and_proves_it(rig):
    async def use(driver):
        return [await driver.set(on, SOON) for on in (True, False, True, False)][-2:]

    on, off = rig.run(use)
    assert (on.reading.on, off.reading.on) == (True, False)
    assert on.sent_at is not None
    assert off.sent_at is not None
    assert on.sent_at <= on.reading.read_at <= off.sent_at
    assert not on.held


def test_set_leaves_a_relay_alone_that_is_right(rig):
    async def use(driver):
        await driver.set(True, SOON)
        return await driver.set(True, SOON), await driver.set(False, SOON)

    again, _ = rig.run(use)
    assert again.reading.on
    assert again.sent_at is None


def test_measure_adds_power_to_a_switched_reading(rig):
    async def use(driver):
        done = await driver.set(False, SOON)
        return done.reading, await driver.measure(done.reading, SOON)

    bare, full = rig.run(use)
    assert bare.power_w is None
    assert full.power_w == pytest.approx(0.0, abs=1.0)
    assert full.read_at == bare.read_at


def test_probe_names_the_generation(rig):
    async def use(driver):
        return await driver.probe(SOON), driver.generation

    probe, generation = rig.run(use)
    assert probe.generation == generation
    assert probe.generation in {"passthrough", "klap", "tpap", "simulated"}
    assert probe.reading is not None


def test_another_plug_at_the_address_is_noticed_before_switching(rig):
    async def use(driver):
        return await driver.set(not before.on, SOON)

    before = rig.run(_read)
    with pytest.raises(IdentityMismatch) as caught:
        rig.run(use, device_id="SOMEBODY-ELSE")
    assert caught.value.expected == "SOMEBODY-ELSE"
    assert caught.value.got == before.device_id
    assert not caught.value.may_have_happened
    with pytest.raises(IdentityMismatch):
        rig.run(_read, device_id="SOMEBODY-ELSE")
    assert rig.run(_read, device_id=before.device_id).on == before.on


def test_a_driver_works_again_after_close(rig):
    async def use(driver):
        await driver.close()
        first = await driver.read(SOON)
        await driver.close()
        await driver.close()
        return first, await driver.read(SOON)

    first, second = rig.run(use)
    assert first.device_id == second.device_id


# -- with a plug that counts and breaks ------------------------------------------------------------------------------


def test_set_switches_exactly_once(wired):
    async def use(driver):
        for on in (True, True, False, False):
            await driver.set(on, SOON)

    wired.run(use)
    assert wired.plug.counters.switches == 2


def test_switching_on_a_warm_session_takes_three_requests(wired):
    async def use(driver):
        await driver.read(SOON)
        before = wired.plug.counters.requests
        await driver.set(True, SOON)
        return wired.plug.counters.requests - before, wired.plug.counters.handshakes

    requests, handshakes = wired.run(use)
    assert requests == 3
    probes = 1 if wired.endpoint.driver == "tapo" and wired.plug.spec.generation == "klap" else 0
    assert handshakes == 1 + probes


def test_reading_carries_what_the_plug_measures(wired):
    wired.plug.switch(True)
    wired.plug.start_print(3600)
    wired.plug.meter.today_wh, wired.plug.meter.month_wh = 120.7, 4000.2
    wired.plug.meter.day = wired.plug.clock().astimezone().date().isoformat()
    reading = wired.run(_read)
    assert reading.on
    assert reading.power_w == 250.0
    assert reading.energy_month_wh is not None
    assert reading.energy_total_wh is None  # a P110 keeps none: unknown, not 0
    assert reading.on_seconds == 0
    assert reading.rssi == -48
    assert reading.device_id == wired.plug.device_id


FAULTS = [
    ("unreachable", Unreachable),
    ("refuse", Unreachable),
    ("hang", TimedOut),
    ("slow", TimedOut),
    ("garbage", BadReply),
    ("nonsense", BadReply),
    ("wrong_password", AuthFailed),
    ("access_disabled", AccessDisabled),
]
RETRYABLE = {Unreachable, TimedOut, BadReply}


async def _caught(driver, action, deadline) -> tuple[DriverError, float]:
    began = time.monotonic()
    with pytest.raises(DriverError) as caught:
        await (driver.read(deadline) if action == "read" else driver.set(True, deadline))
    return caught.value, time.monotonic() - began


@pytest.mark.parametrize(
    ("is_warm", "action"), [(False, "read"), (True, "set")], ids=["cold-read", "warm-set"]
)
@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_fault_is_named_in_time_and_heals(wired, fault, expected, action, is_warm):
    async def use(driver):
        if is_warm:
            await driver.read(SOON)
        wired.fault(fault, seconds=3)
        deadline = SHORT if expected is TimedOut else SOON
        error, took = await _caught(driver, action, deadline)
        logins = wired.plug.counters.failed_logins
        wired.fault(None)
        return error, took, deadline, logins, await driver.read(SOON)

    error, took, deadline, logins, healed = wired.run(use)
    assert type(error) is expected
    assert error.retryable is (expected in RETRYABLE)
    assert not error.may_have_happened  # the first read failed: no command had been sent
    assert error.sent_at is None
    assert took < deadline + 0.3
    assert logins <= 1
    assert PASSWORD_LIKE not in str(error)
    assert healed.on is False


def test_no_message_or_representation_carries_a_password():
    endpoint = Endpoint("tapo", "127.0.0.1:1", "alice@example.org", "Geheim!")
    assert "Geheim!" not in repr(endpoint)


def test_expired_session_is_renewed_unnoticed(wired):
    async def use(driver):
        await driver.read(SOON)
        before = wired.plug.counters.handshakes
        wired.fault("expired_session")
        done = await driver.set(True, SOON)
        return done, wired.plug.counters.handshakes - before

    done, handshakes = wired.run(use)
    assert done.reading.on
    assert handshakes == 1


def test_command_that_is_refused_did_not_happen(wired):
    async def use(driver):
        wired.fault("rejects")
        with pytest.raises(DeviceRejected) as caught:
            await driver.set(True, SOON)
        handshakes = wired.plug.counters.handshakes
        await driver.read(SOON)
        return caught.value, wired.plug.counters.handshakes - handshakes

    error, handshakes = wired.run(use)
    assert error.device_code == -1301
    assert not error.retryable
    assert not error.may_have_happened
    assert handshakes == 0  # the session is still good
    assert not wired.plug.on


def test_relay_that_does_not_move_is_tried_twice(wired):
    async def use(driver):
        wired.fault("stuck_relay")
        before = wired.plug.counters.requests
        with pytest.raises(VerifyFailed) as caught:
            await driver.set(True, SOON)
        return caught.value, wired.plug.counters.requests - before

    error, requests = wired.run(use)
    assert (error.wanted, error.got) == (True, False)
    assert error.may_have_happened
    assert error.sent_at is not None
    assert requests == 5  # look, switch, look, switch, look


def test_answer_that_never_comes_leaves_the_command_in_doubt(wired):
    """The plug hangs after it was told: the command may have happened, and the next `set` finds out by reading."""

    async def use(driver):
        await driver.read(SOON)
        wired.plug.on_change = lambda: _hang_from_now_on(wired)
        with pytest.raises(TimedOut) as caught:
            await driver.set(True, SHORT)
        wired.fault(None)
        wired.plug.on_change = lambda: None
        return caught.value, await driver.set(True, SOON)

    error, done = wired.run(use)
    assert error.may_have_happened
    assert error.sent_at is not None
    assert done.reading.on
    assert done.sent_at is None
    assert wired.plug.counters.switches == 1


def _hang_from_now_on(wired):
    """Runs in the simulator's own thread, in the middle of the command."""
    wired.plug.on_change = lambda: None
    coroutine = wired.workshop._workshop.servers["ender"].set_fault(Fault(FaultKind.HANG))
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_firmware_update_changes_the_generation(wired):
    async def use(driver):
        await driver.read(SOON)
        wired.fault("other_generation")
        if wired.endpoint.driver != "tapo":
            with pytest.raises(ProtocolMismatch) as caught:
                await driver.read(SOON)
            return caught.value
        before = driver.generation
        done = await driver.set(True, SOON)
        return before, driver.generation, done

    result = wired.run(use)
    if isinstance(result, ProtocolMismatch):
        assert not result.retryable
    else:
        before, after, done = result
        assert {before, after} == {"passthrough", "klap"}
        assert done.reading.on


def test_unset_clock_leaves_energy_unknown_and_power_known(wired):
    wired.plug.switch(True)
    wired.fault("clock_unset")
    reading = wired.run(_read)
    assert reading.power_w == 15.0
    assert reading.energy_today_wh is None
    assert reading.energy_month_wh is None


@pytest.mark.parametrize(
    ("hold_above_w", "is_held"), [(200.0, True), (250.0, False), (400.0, False), (None, False)]
)
def test_plug_that_draws_too_much_is_not_switched_off(wired, hold_above_w, is_held):
    async def use(driver):
        return await driver.set(False, SOON, hold_above_w)

    wired.plug.switch(True)
    wired.plug.start_print(3600)
    done = wired.run(use)
    assert done.held is is_held
    assert done.reading.on is is_held
    assert (done.sent_at is None) is is_held
    assert (done.reading.power_w == 250.0) is is_held
    assert wired.plug.on is is_held


def test_hold_does_not_keep_a_plug_from_switching_on(wired):
    async def use(driver):
        return await driver.set(True, SOON, 0.0)

    assert wired.run(use).reading.on


def test_probe_without_password_sends_no_login(wired):
    async def use(driver):
        return await driver.probe(SOON)

    probe = wired.run(use, password="")
    assert probe.generation == wired.plug.spec.generation
    assert probe.reading is None
    assert wired.plug.counters.logins == 0


def test_locked_plug_is_an_authentication_failure(wired):
    wired.plug.counters.failed_logins = 10
    with pytest.raises(AuthFailed):
        wired.run(_read)
    assert wired.plug.counters.failed_logins == 11


@pytest.mark.parametrize("length", range(1, 18))
def test_password_of_any_length_logs_in(length):
    """PyP100 alone fails with every sixteenth length: its padding leaves a full last block without any."""
    spec = PlugSpec("ender", generation="passthrough", password="x" * length)
    with SimulatedWorkshop([spec]) as workshop:
        endpoint = Endpoint("tapo_passthrough", workshop.address("ender"), spec.username, spec.password)

        async def use():
            driver = open_driver(endpoint)
            reading = await driver.read(SOON)
            await driver.close()
            return reading

        assert asyncio.run(use()).on is False


def test_power_cut_makes_the_plug_unreachable_and_ends_by_itself(wired):
    async def use(driver):
        wired.plug.switch(True)
        await driver.read(SOON)
        wired.workshop.power_cut("ender", 0.2)
        error, _ = await _caught(driver, "read", SOON)
        time.sleep(0.25)
        return error, await driver.read(SOON)

    error, back = wired.run(use)
    assert isinstance(error, Unreachable)
    assert back.on
    assert back.on_seconds == 0
