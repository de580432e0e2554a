"""Batches: side by side, warm, and none waits for another."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from plugs.drivers import fleet as fleet_module
from plugs.drivers import klap, registry
from plugs.drivers.base import Endpoint, PlugReading
from plugs.drivers.errors import AuthFailed, DriverMissing, IdentityMismatch, TimedOut, Unreachable
from plugs.drivers.fleet import Fleet, Order, Outcome
from plugs.drivers.gate import Gate
from plugs.drivers.simulated import SimulatedDriver
from simulation import device
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop

pytestmark = pytest.mark.sockets

COUNT = 8


def _spec(number: int) -> PlugSpec:
    return PlugSpec(f"p{number}", generation="klap" if number % 2 else "passthrough")


@pytest.fixture
def workshop() -> Iterator[SimulatedWorkshop]:
    with SimulatedWorkshop([_spec(number) for number in range(COUNT)]) as running:
        yield running


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    running = Fleet(attempt_for=5.0, pauses=(0.05, 0.1))
    yield running
    running.close()


@pytest.fixture
def hasty() -> Iterator[Fleet]:
    """Gives a plug half a second."""
    running = Fleet(attempt_for=0.5, pauses=(0.05, 0.1))
    yield running
    running.close()


def endpoint(workshop: SimulatedWorkshop, number: int) -> Endpoint:
    return Endpoint("tapo", workshop.address(f"p{number}"), "workshop@example.org", "workshop")


def orders(workshop: SimulatedWorkshop, want: bool | None) -> list[Order]:
    return [Order(number, endpoint(workshop, number), want) for number in range(COUNT)]


def run(fleet: Fleet, batch: list[Order], **options: float) -> dict[int, Outcome]:
    return {outcome.key: outcome for group in fleet.run(batch, **options) for outcome in group}  # type: ignore[arg-type]


def test_batch_switches_every_plug_and_says_when(fleet, workshop):
    outcomes = run(fleet, orders(workshop, True))
    assert sorted(outcomes) == list(range(COUNT))
    for number, outcome in outcomes.items():
        assert outcome.error is None
        assert outcome.reading is not None
        assert outcome.reading.on
        assert outcome.reading.power_w == 15.0
        assert outcome.reading.energy_total_wh is None
        assert outcome.sent_at is not None
        assert outcome.confirmed_at is not None
        assert outcome.sent_at <= outcome.confirmed_at
        assert outcome.attempts == 1
        assert outcome.generation == ("klap" if number % 2 else "passthrough")
        assert not outcome.held
        assert workshop.plug(f"p{number}").on


def test_right_relay_is_confirmed_with_a_full_reading_and_nothing_sent(fleet, workshop):
    for outcome in run(fleet, orders(workshop, False)).values():
        assert outcome.reading is not None
        assert outcome.reading.power_w == 0.0
        assert outcome.sent_at is None
        assert outcome.confirmed_at == outcome.reading.read_at


def test_reading_confirms_nothing(fleet, workshop):
    for outcome in run(fleet, orders(workshop, None)).values():
        assert outcome.reading is not None
        assert outcome.confirmed_at is None


def test_sessions_stay_warm(fleet, workshop):
    run(fleet, orders(workshop, None))
    handshakes = [workshop.plug(f"p{number}").counters.handshakes for number in range(COUNT)]
    for want in (True, False, None):
        run(fleet, orders(workshop, want))
    assert [workshop.plug(f"p{number}").counters.handshakes for number in range(COUNT)] == handshakes


@pytest.mark.parametrize("fault", ["hang", "unreachable", "refuse"])
def test_dead_plug_delays_nobody(hasty, workshop, fault):
    run(hasty, orders(workshop, False))
    for name in ("p0", "p1"):
        workshop.fault(name, fault)
    began = time.monotonic()
    took = {}
    for group in hasty.run(orders(workshop, True), deadline=1.2):
        for outcome in group:
            took[outcome.key] = time.monotonic() - began, outcome
    assert all(took[number][1].error for number in (0, 1))
    assert all(took[number][1].error is None for number in range(2, COUNT))
    assert max(took[number][0] for number in range(2, COUNT)) < 1.0
    assert max(when for when, _ in took.values()) < 1.7


def test_failure_is_tried_again_and_counted(hasty, workshop):
    workshop.fault("p1", "hang")
    timer = threading.Timer(0.4, workshop.fault, ("p1", None))
    timer.start()
    outcome = run(hasty, [Order(1, endpoint(workshop, 1), True)])[1]
    timer.join()
    assert outcome.error is None
    assert outcome.attempts == 2


def test_attempts_end_at_their_number_and_at_the_deadline(hasty, workshop):
    workshop.fault("p0", "unreachable")
    batch = [Order(0, endpoint(workshop, 0), True)]
    assert run(hasty, batch)[0].attempts == 3
    assert run(hasty, batch, attempts=1)[0].attempts == 1
    workshop.fault("p0", "hang")
    began = time.monotonic()
    outcome = run(hasty, batch, deadline=0.53)[0]
    assert isinstance(outcome.error, TimedOut)
    assert outcome.attempts == 1
    assert time.monotonic() - began < 0.8


def test_wrong_password_is_never_tried_again(fleet, workshop):
    wrong = replace(endpoint(workshop, 0), password="guess", generation="passthrough")
    outcome = run(fleet, [Order(0, wrong, True)])[0]
    assert isinstance(outcome.error, AuthFailed)
    assert outcome.attempts == 1
    assert outcome.reading is None
    assert workshop.plug("p0").counters.failed_logins == 1


def test_other_address_opens_a_new_session(fleet, workshop):
    run(fleet, [Order(7, endpoint(workshop, 1), None)])
    outcome = run(fleet, [Order(7, endpoint(workshop, 2), None)])[7]
    assert outcome.reading is not None
    assert outcome.reading.device_id == workshop.plug("p2").device_id
    expected = replace(endpoint(workshop, 2), device_id=workshop.plug("p1").device_id)
    swapped = run(fleet, [Order(7, expected, True)])[7]
    assert isinstance(swapped.error, IdentityMismatch)
    assert not workshop.plug("p2").on


def test_plug_that_prints_is_held(fleet, workshop):
    workshop.plug("p1").switch(True)
    workshop.plug("p1").start_print(600)
    outcome = run(fleet, [Order(1, endpoint(workshop, 1), False, hold_above_w=50.0)])[1]
    assert outcome.held
    assert outcome.confirmed_at is None
    assert outcome.error is None
    assert outcome.reading is not None
    assert outcome.reading.power_w == 250.0
    assert workshop.plug("p1").on


def test_what_an_earlier_attempt_sent_is_not_forgotten(hasty, workshop):
    """The first attempt reached the relay and got no answer; the second one reads that all is well."""
    run(hasty, orders(workshop, None))
    plug = workshop.plug("p0")
    plug.on_change = lambda: time.sleep(0.7)  # the simulator's thread stands still: longer than one attempt
    outcome = run(hasty, [Order(0, endpoint(workshop, 0), True)])[0]
    assert outcome.error is None
    assert outcome.attempts == 2
    assert plug.counters.switches == 1
    assert outcome.sent_at is not None
    assert outcome.confirmed_at is not None
    assert (outcome.confirmed_at - outcome.sent_at).total_seconds() > 0.4


def test_doubt_stays_when_later_attempts_get_nowhere(hasty, workshop):
    run(hasty, orders(workshop, None))
    workshop.plug("p1").on_change = lambda: time.sleep(1.0)
    outcome = run(hasty, [Order(1, endpoint(workshop, 1), True)], deadline=0.9)[1]
    assert isinstance(outcome.error, TimedOut)
    assert outcome.error.may_have_happened
    assert outcome.sent_at is not None
    assert outcome.confirmed_at is None


def test_meter_that_fails_does_not_take_the_confirmation_back(fleet, workshop, monkeypatch):
    monkeypatch.delitem(device._QUESTIONS, "get_energy_usage")  # this plug has no meter
    outcome = run(fleet, [Order(1, endpoint(workshop, 1), True)])[1]
    assert outcome.error is None
    assert outcome.confirmed_at is not None
    assert outcome.reading is not None
    assert outcome.reading.on
    assert outcome.reading.power_w is None


def test_one_plug_serves_one_order_at_a_time(fleet, workshop):
    workshop.fault("p0", "slow", 0.08)
    same = [Order(0, endpoint(workshop, 0), None) for _ in range(2)]
    began = time.monotonic()
    outcomes = [outcome for group in fleet.run(same, deadline=5) for outcome in group]
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert time.monotonic() - began > 0.45  # probe, handshake, login and twice two questions, all in a row


def test_order_gives_up_when_the_plug_stays_busy(fleet, workshop):
    workshop.fault("p0", "hang")
    first = fleet.run([Order(0, endpoint(workshop, 0), None)], deadline=0.6)
    second = run(fleet, [Order(0, endpoint(workshop, 0), None)], deadline=0.1)[0]
    assert isinstance(second.error, TimedOut)
    assert second.attempts == 0
    assert [type(outcome.error) for group in first for outcome in group] == [TimedOut]


def test_missing_driver_is_an_outcome(fleet):
    outcome = run(fleet, [Order(0, Endpoint("kasa", "127.0.0.1"), None)])[0]
    assert isinstance(outcome.error, DriverMissing)
    assert outcome.generation == ""


def test_empty_batch_ends_at_once(fleet):
    assert list(fleet.run([])) == []


class BuggyDriver(SimulatedDriver):
    """Somebody made a mistake."""

    async def _state(self) -> PlugReading:
        raise ZeroDivisionError


def test_bug_in_a_driver_comes_out_after_the_other_outcomes(fleet, workshop, monkeypatch):
    monkeypatch.setitem(registry._DRIVERS, "buggy", f"{__name__}:BuggyDriver")
    broken = Order(0, Endpoint("buggy", "x"), None)
    outcomes = fleet.run([broken, Order(1, endpoint(workshop, 1), None)])
    assert [outcome.key for outcome in next(outcomes)] == [1]
    with pytest.raises(ZeroDivisionError):
        next(outcomes)
    with pytest.raises(ZeroDivisionError):
        next(fleet.run([broken]))


def test_close_ends_what_is_running_and_the_fleet_can_start_again(workshop):
    running = Fleet()
    running.close()  # never started: nothing to do
    workshop.fault("p0", "hang")
    open_batch = running.run([Order(0, endpoint(workshop, 0), None)])
    time.sleep(0.05)
    running.close()
    [[outcome]] = list(open_batch)
    assert isinstance(outcome.error, TimedOut)
    assert run(running, [Order(1, endpoint(workshop, 1), None)])[1].error is None
    running.close()


def test_batches_of_several_threads_share_the_sessions(fleet, workshop):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(run(fleet, orders(workshop, None)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [outcome.error for result in results for outcome in result.values()] == [None] * COUNT * 4
    assert workshop.plug("p0").counters.logins == 1


def _in_child(work) -> int:
    """Fork, work in the child, and give its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            status = work()
        except BaseException:  # noqa: BLE001  nothing of the child may run the parent's test session
            status = 99
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_child_has_a_fleet_of_its_own(workshop):
    parent = fleet_module.fleet()
    assert fleet_module.fleet() is parent
    batch = [
        Order(number, replace(endpoint(workshop, number), generation="passthrough"), True)
        for number in (0, 2)
    ]
    assert all(outcome.error is None for outcome in run(parent, batch).values())
    try:

        def work() -> int:
            own = fleet_module.fleet()
            outcomes = [*run(own, batch).values(), *run(parent, batch).values()]
            return 0 if own is not parent and all(outcome.error is None for outcome in outcomes) else 1

        assert _in_child(work) == 0
        assert all(outcome.error is None for outcome in run(parent, batch).values())
    finally:
        parent.close()


def test_child_of_a_process_that_spoke_klap_says_so_at_once(workshop):
    """The package keeps threads that a child does not inherit; waiting for them would last until the deadline."""
    order = Order(1, replace(endpoint(workshop, 1), generation="klap"), None)
    parent = Fleet()
    assert run(parent, [order])[1].error is None
    assert klap._Runtime.pid == os.getpid()
    began = time.monotonic()

    def work() -> int:
        return 0 if isinstance(run(Fleet(), [order])[1].error, DriverMissing) else 1

    assert _in_child(work) == 0
    assert time.monotonic() - began < 2
    parent.close()


def test_many_silent_plugs_leave_threads_for_the_healthy_ones():
    """More silent plugs than places at the gate, and first in the row."""
    silent, healthy = range(40), range(40, 60)
    specs = [PlugSpec(f"p{number}", generation="passthrough") for number in (*silent, *healthy)]
    running = Fleet(attempt_for=8.0)
    with SimulatedWorkshop(specs) as workshop:
        batch = [
            Order(number, replace(endpoint(workshop, number), generation="passthrough"), False)
            for number in (*silent, *healthy)
        ]
        run(running, batch)
        for number in silent:
            workshop.fault(f"p{number}", "hang")
        came: list[int] = []
        for group in running.run(batch, deadline=8.0, attempts=1):
            assert [outcome.error for outcome in group] == [None] * len(group)
            came += [outcome.key for outcome in group]
            if len(came) == len(healthy):
                break  # and no silent one has ended before
        assert sorted(came) == list(healthy)
        running.close()


def test_unreachable_address_is_told_without_a_thread(fleet):
    before = {thread.name for thread in threading.enumerate()}
    outcome = run(fleet, [Order(0, Endpoint("tapo_passthrough", "127.0.0.1:1", "u", "p"), None)], attempts=1)[
        0
    ]
    assert isinstance(outcome.error, Unreachable)
    new = {thread.name for thread in threading.enumerate()} - before
    assert not any(name.startswith("passthrough") for name in new)


def test_gate_gives_the_place_of_one_who_waits_to_the_next():
    async def visit() -> list[str]:
        gate, seen = Gate(1, 0.05), []

        async def stay(name: str, seconds: float) -> None:
            async with gate.place():
                seen.append(f"{name} in")
                await asyncio.sleep(seconds)
            seen.append(f"{name} out")

        await asyncio.gather(stay("slow", 0.3), stay("quick", 0), stay("last", 0))
        await stay("later", 0)
        return seen

    seen = asyncio.run(visit())
    assert seen.index("slow in") < seen.index("quick in") < seen.index("last in") < seen.index("slow out")
    assert seen[-1] == "later out"


def test_order_that_finds_no_place_in_time_is_told(workshop, monkeypatch):
    monkeypatch.setattr(fleet_module, "PLACES", 1)
    running = Fleet()
    workshop.fault("p1", "hang")
    run(running, [Order(1, replace(endpoint(workshop, 1), generation="klap"), None)], deadline=0.05)
    first = running.run([Order(1, replace(endpoint(workshop, 1), generation="klap"), None)], deadline=0.5)
    second = run(running, [Order(3, endpoint(workshop, 3), None)], deadline=0.1)[3]
    assert isinstance(second.error, TimedOut)
    assert second.attempts == 1
    assert [type(outcome.error) for group in first for outcome in group] == [TimedOut]
    running.close()


def test_pauses_are_jittered_within_bounds():
    loop_free = fleet_module._Engine(1.0, (0.5, 1.5))
    loop_free.close()  # never started: nothing to stop
    pauses = [(loop_free._pause(1), loop_free._pause(2), loop_free._pause(9)) for _ in range(50)]
    assert all(
        0.4 <= first <= 0.6 and 1.2 <= second <= 1.8 and 1.2 <= late <= 1.8 for first, second, late in pauses
    )


def test_relays_first_is_bounded():
    async def wait() -> float:
        batch = fleet_module._Batch([Order(0, Endpoint("simulated", "x"), None)], time.monotonic() + 5, 1)
        began = time.monotonic()
        await batch.relays_first()
        waited = time.monotonic() - began
        batch.moved(0)
        await batch.relays_first()
        return waited

    assert 0.2 < asyncio.run(wait()) < 0.5
