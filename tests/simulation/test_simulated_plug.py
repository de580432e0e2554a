"""The plug as a physical thing, on a clock that the test moves."""

from datetime import UTC, datetime, timedelta

import pytest

from simulation.plug import HEATING_W, ZONE, Phase, SimulatedPlug
from simulation.spec import PlugSpec


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, **spec) -> SimulatedPlug:
    return SimulatedPlug(PlugSpec("ender", **spec), clock)


def test_plug_that_is_off_draws_nothing(clock):
    plug = make(clock)
    clock.move(days=3)
    assert not plug.on
    assert (plug.power_w, plug.on_seconds, plug.meter.month_wh) == (0.0, 0, 0.0)
    assert plug.phase is Phase.OFF


def test_print_goes_through_its_phases(clock):
    plug = make(clock, idle_w=7.0)
    plug.switch(True)
    assert (plug.phase, plug.power_w) == (Phase.BOOT, 15.0)
    clock.move(seconds=20)
    assert (plug.phase, plug.power_w) == (Phase.IDLE, 7.0)
    plug.start_print(3600)
    assert (plug.phase, plug.power_w) == (Phase.HEATING, HEATING_W)
    clock.move(seconds=120)
    assert plug.phase is Phase.PRINTING
    clock.move(minutes=30)
    assert 80 <= plug.power_w <= 130
    clock.move(minutes=28, seconds=1)
    assert (plug.phase, plug.power_w) == (Phase.COOLING, 13.0)
    clock.move(minutes=3)
    assert (plug.phase, plug.power_w) == (Phase.IDLE, 7.0)
    assert plug.on_seconds == 20 + 120 + 1800 + 28 * 60 + 1 + 180


def test_short_print_still_prints(clock):
    plug = make(clock)
    plug.switch(True)
    plug.start_print(40)
    clock.move(seconds=11)
    assert plug.phase is Phase.PRINTING


def test_noise_follows_the_seed(clock):
    def watts(seed):
        plug = make(Clock(), seed=seed)
        plug.switch(True)
        plug.start_print()
        plug.clock.move(seconds=120)
        seen = []
        for _ in range(20):
            plug.clock.move(seconds=10)
            seen.append(plug.power_w)
        return seen

    assert watts(1) == watts(1)
    assert watts(1) != watts(2)
    assert len(set(watts(1))) > 10


def test_printer_starts_by_itself_only_when_told_to(clock):
    never, after = make(clock), make(clock, auto_print_after=60, print_for=600)
    for plug in (never, after):
        plug.switch(True)
    clock.move(minutes=5)
    assert (never.phase, after.phase) == (Phase.IDLE, Phase.PRINTING)
    clock.move(hours=1)
    assert after.phase is Phase.IDLE  # once for each time it is switched on
    after.switch(False)
    after.switch(True)
    clock.move(minutes=5)
    assert after.phase is Phase.PRINTING


def test_energy_counts_every_stretch(clock):
    plug = make(clock, idle_w=8.0)
    plug.switch(True)
    clock.move(seconds=15)
    clock.move(hours=2)
    plug.advance()
    assert plug.meter.today_wh == pytest.approx(15 * 15 / 3600 + 16)
    assert plug.meter.today_s == 2 * 3600 + 15
    plug.start_print(480)
    clock.move(seconds=120)
    before = plug.meter.today_wh
    plug.advance()
    assert plug.meter.today_wh - before == pytest.approx(HEATING_W * 120 / 3600)


def test_one_long_look_counts_what_many_short_ones_count(clock):
    spec = {"auto_print_after": 30, "print_for": 1800, "seed": 4}
    patient, curious = make(clock, **spec), make(clock, **spec)
    for plug in (patient, curious):
        plug.switch(True)
    for _ in range(400):
        clock.move(seconds=7)
        curious.advance()
    patient.advance()
    assert patient.meter.today_wh == pytest.approx(curious.meter.today_wh, rel=0.01)


def test_day_and_month_end_at_local_midnight(clock):
    plug = make(clock, idle_w=10.0)
    clock.at = datetime(2026, 2, 28, 22, 0, tzinfo=UTC)  # 23:00 in Berlin
    plug.switch(True)
    clock.move(seconds=15)
    clock.move(hours=1.5)
    plug.advance()
    assert plug.meter.day == "2026-03-01"
    assert plug.meter.today_wh == pytest.approx(plug.meter.month_wh)
    assert plug.meter.today_wh == pytest.approx(5.0, abs=0.1)
    clock.move(days=1)
    plug.advance()
    assert plug.meter.month_wh > plug.meter.today_wh


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=ZONE), datetime(2026, 10, 25, tzinfo=ZONE)])
def test_day_of_the_clock_change_has_its_own_length(clock, day):
    clock.at = day.astimezone(UTC)
    plug = make(clock, idle_w=10.0)
    plug.switch(True)
    clock.at = (day + timedelta(hours=23, minutes=59, seconds=59)).astimezone(UTC)
    plug.advance()
    hours = (clock.at - day.astimezone(UTC)).total_seconds() / 3600
    assert plug.meter.today_wh == pytest.approx(hours * 10, abs=0.1)


def test_switching_counts_only_movements(clock):
    told = []
    plug = make(clock)
    plug.on_change = lambda: told.append(plug.on)
    for on in (True, True, False, False):
        plug.switch(on)
    assert plug.counters.switches == 2
    assert told == [True, False]
    plug.press_button()
    assert plug.on


def test_switching_off_aborts_a_print(clock):
    plug = make(clock)
    plug.switch(True)
    plug.start_print()
    plug.switch(False)
    plug.switch(True)
    clock.move(minutes=1)
    assert plug.phase is Phase.IDLE


def test_nothing_prints_without_power(clock):
    with pytest.raises(RuntimeError, match="ender"):
        make(clock).start_print()


@pytest.mark.parametrize(
    ("setting", "was_on", "comes_back"),
    [("last", True, True), ("last", False, False), ("on", False, True), ("off", True, False)],
)
def test_power_cut_ends_as_the_plug_is_set(clock, setting, was_on, comes_back):
    plug = make(clock, after_power_cut=setting)
    plug.switch(was_on)
    if was_on:
        plug.start_print()
    clock.move(minutes=10)
    plug.counters.failed_logins = 20
    plug.power_cut(60)
    assert not plug.has_mains
    assert not plug.is_locked
    energy = plug.meter.today_wh
    clock.move(seconds=59)
    assert not plug.has_mains
    assert plug.meter.today_wh == energy
    clock.move(seconds=11)
    assert plug.has_mains
    assert plug.on is comes_back
    assert plug.on_seconds == (10 if comes_back else 0)
    assert plug.phase is (Phase.BOOT if comes_back else Phase.OFF)


def test_state_survives_and_time_in_between_passes(clock):
    plug = make(clock, print_for=1800)
    plug.switch(True)
    plug.start_print()
    clock.move(minutes=10)
    state = plug.state()
    other = make(clock)
    other.restore(state)
    clock.move(minutes=5)
    assert other.phase is Phase.PRINTING
    assert other.power_w == plug.power_w
    assert other.meter == plug.meter
    assert other.on_seconds == 900
    assert other.counters.switches == 1


def test_identity_comes_from_the_name_unless_it_is_given(clock):
    assert make(clock).device_id == make(Clock()).device_id
    assert len(make(clock).device_id) == 40
    assert make(clock, device_id="ABC").device_id == "ABC"


def test_spec_refuses_what_it_does_not_know():
    assert PlugSpec.from_json({"name": "a", "port": 7}).port == 7
    with pytest.raises(ValueError, match="colour"):
        PlugSpec.from_json({"name": "a", "colour": "red"})
    with pytest.raises(ValueError, match="generation"):
        PlugSpec("a", generation="zigbee")  # type: ignore[arg-type]
