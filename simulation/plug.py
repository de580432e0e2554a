"""The plug as a physical thing: a relay, a meter and the printer that hangs on it.

Nothing here knows a protocol. Every figure follows from a few instants (switched on at, print started at) and the
injected clock, so a test moves the clock and a restart loses nothing.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from core import clock as core_clock
from simulation.spec import PlugSpec

BOOT_FOR = timedelta(seconds=15)
HEAT_FOR = timedelta(seconds=120)
COOL_FOR = timedelta(seconds=180)
BOOT_W = 15.0
HEATING_W = 250.0
PRINTING_W = (80.0, 130.0)
COOLING_EXTRA_W = 6.0
NOISE_STEP = timedelta(seconds=10)
LOCKED_AFTER = 10

ZONE = ZoneInfo("Europe/Berlin")


class Phase(StrEnum):
    """What the printer behind the plug is doing."""

    OFF = "off"
    BOOT = "boot"
    IDLE = "idle"
    HEATING = "heating"
    PRINTING = "printing"
    COOLING = "cooling"


@dataclass(slots=True)
class Meter:
    """Energy and running time of today and of this month, as the device counts them: by its local calendar."""

    day: str = ""
    today_wh: float = 0.0
    month_wh: float = 0.0
    today_s: float = 0.0
    month_s: float = 0.0

    def add(self, at: datetime, watts: float, seconds: float) -> None:
        """Count a stretch that does not cross a local midnight."""
        day = at.astimezone(ZONE).date().isoformat()
        if day != self.day:
            self.today_wh = self.today_s = 0.0
            if day[:7] != self.day[:7]:
                self.month_wh = self.month_s = 0.0
            self.day = day
        self.today_wh += watts * seconds / 3600
        self.month_wh += watts * seconds / 3600
        if watts:
            self.today_s += seconds
            self.month_s += seconds


@dataclass(slots=True)
class Counters:
    """What the tests ask: how often something happened on the wire."""

    handshakes: int = 0
    logins: int = 0
    failed_logins: int = 0
    requests: int = 0
    switches: int = 0


@dataclass(slots=True)
class SimulatedPlug:
    """A P110 with a printer. `clock` gives aware UTC instants; `on_change` is called when the relay has moved."""

    spec: PlugSpec
    clock: Callable[[], datetime] = core_clock.now
    on_change: Callable[[], None] = lambda: None
    meter: Meter = field(default_factory=Meter)
    counters: Counters = field(default_factory=Counters)
    device_id: str = ""
    firmware: str = ""
    rssi: int = -48
    clock_is_set: bool = True
    is_stuck: bool = False
    on_since: datetime | None = None
    print_started: datetime | None = None
    print_for: timedelta = timedelta(0)
    auto_print_done: bool = False
    cut_until: datetime | None = None
    was_on: bool = False
    measured_until: datetime | None = None

    def __post_init__(self) -> None:
        self.device_id = self.device_id or self.spec.identity
        old = self.spec.generation == "passthrough"
        self.firmware = self.firmware or (
            "1.2.3 Build 230425 Rel.142542" if old else "1.3.1 Build 240621 Rel.162048"
        )
        self.measured_until = self.measured_until or self.clock()

    # -- what one sees -------------------------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        """The relay's state now."""
        self.advance()
        return self.on_since is not None

    @property
    def has_mains(self) -> bool:
        """False during a power cut."""
        self.advance()
        return self.cut_until is None

    @property
    def is_locked(self) -> bool:
        """True after too many failed logins, until the mains was cut once."""
        return self.counters.failed_logins >= LOCKED_AFTER

    @property
    def phase(self) -> Phase:
        """What the printer does now."""
        return self._phase_at(self.advance())

    @property
    def power_w(self) -> float:
        """The load now, in W."""
        return self._power_at(self.advance())

    @property
    def on_seconds(self) -> int:
        """Seconds since the relay closed; 0 when it is open."""
        now = self.advance()
        return int((now - self.on_since).total_seconds()) if self.on_since else 0

    # -- what one does -------------------------------------------------------------------------------------------

    def switch(self, on: bool) -> None:
        """Set the relay. Setting what is set changes nothing, as on the real device; a stuck relay ignores it."""
        now = self.advance()
        if self.is_stuck or on == (self.on_since is not None):
            return
        self.counters.switches += 1
        self._relay(now if on else None)
        self.on_change()

    def press_button(self) -> None:
        """Somebody presses the button on the case."""
        self.switch(not self.on)

    def start_print(self, seconds: float | None = None) -> None:
        """Start a print of that many seconds on a printer that has power. `RuntimeError` when it has none."""
        now = self.advance()
        if self.on_since is None:
            raise RuntimeError(f"{self.spec.name} is off: nothing prints without power")
        self._print(now, self.spec.print_for if seconds is None else seconds)
        self.on_change()

    def power_cut(self, seconds: float) -> None:
        """The mains fails for that many seconds. A running print is lost."""
        now = self.advance()
        self.was_on = self.on_since is not None
        self._relay(None)
        self.cut_until = now + timedelta(seconds=seconds)
        self.counters.failed_logins = 0
        self.on_change()

    # -- time passes ---------------------------------------------------------------------------------------------

    def advance(self) -> datetime:
        """Let the time since the last look pass: count energy, start the automatic print, end the power cut."""
        now = self.clock()
        at = self.measured_until or now
        while at < now:
            end = self._next_change(at, now)
            watts = self._power_at(at)
            self.meter.add(at, watts, (end - at).total_seconds())
            at = end
            self._arrive(at)
        self.measured_until = now
        return now

    def _next_change(self, at: datetime, limit: datetime) -> datetime:
        """The end of the stretch with constant load that begins at `at`."""
        midnight = datetime.combine(at.astimezone(ZONE).date() + timedelta(days=1), time(), ZONE)
        ends = [limit, midnight.astimezone(at.tzinfo)]
        if self.cut_until:
            ends.append(self.cut_until)
        if self.on_since:
            ends.append(self.on_since + BOOT_FOR)
            if (auto := self._auto_print_at()) is not None:
                ends.append(auto)
        if self.print_started:
            ends += [end for end, _ in self._print_phases(self.print_started)]
            if self._phase_at(at) is Phase.PRINTING:
                ends.append(at + NOISE_STEP - (at - self.print_started) % NOISE_STEP)
        return min(end for end in ends if end > at)

    def _arrive(self, at: datetime) -> None:
        if self.cut_until and at >= self.cut_until:
            self.cut_until = None
            wants_on = {"last": self.was_on, "on": True, "off": False}[self.spec.after_power_cut]
            self._relay(at if wants_on else None)
        auto = self._auto_print_at()
        if auto is not None and at >= auto:
            self.auto_print_done = True
            self._print(auto, self.spec.print_for)

    def _auto_print_at(self) -> datetime | None:
        after = self.spec.auto_print_after
        if self.on_since is None or after is None or self.auto_print_done or self.print_started:
            return None
        return self.on_since + timedelta(seconds=after)

    def _relay(self, on_since: datetime | None) -> None:
        self.on_since = on_since
        self.print_started = None
        self.auto_print_done = False

    def _print(self, at: datetime, seconds: float) -> None:
        self.print_started = at
        self.print_for = timedelta(seconds=seconds)

    def _print_phases(self, started: datetime) -> tuple[tuple[datetime, Phase], ...]:
        printed = started + self.print_for
        heated = started + min(HEAT_FOR, self.print_for / 4)
        return (heated, Phase.HEATING), (printed, Phase.PRINTING), (printed + COOL_FOR, Phase.COOLING)

    def _phase_at(self, at: datetime) -> Phase:
        if self.on_since is None:
            return Phase.OFF
        if self.print_started:
            for end, phase in self._print_phases(self.print_started):
                if at < end:
                    return phase
            return Phase.IDLE
        return Phase.BOOT if at < self.on_since + BOOT_FOR else Phase.IDLE

    def _power_at(self, at: datetime) -> float:
        idle = self.spec.idle_w
        return {
            Phase.OFF: 0.0,
            Phase.BOOT: BOOT_W,
            Phase.IDLE: idle,
            Phase.HEATING: HEATING_W,
            Phase.PRINTING: self._printing_w(at),
            Phase.COOLING: idle + COOLING_EXTRA_W,
        }[self._phase_at(at)]

    def _printing_w(self, at: datetime) -> float:
        step = (at - (self.print_started or at)) // NOISE_STEP
        low, high = PRINTING_W
        share = zlib.crc32(f"{self.spec.seed}:{step}".encode()) % 1000 / 999
        return low + (high - low) * share

    # -- across a restart ----------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What a real plug keeps when the program that talks to it stops. JSON types only."""
        self.advance()
        return {
            "on_since": _text(self.on_since),
            "print_started": _text(self.print_started),
            "print_for": self.print_for.total_seconds(),
            "auto_print_done": self.auto_print_done,
            "cut_until": _text(self.cut_until),
            "was_on": self.was_on,
            "measured_until": _text(self.measured_until),
            "switches": self.counters.switches,
            "meter": {name: getattr(self.meter, name) for name in Meter.__slots__},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `state()` gave. The time in between passes at the next look."""
        self.on_since = _instant(state["on_since"])
        self.print_started = _instant(state["print_started"])
        self.print_for = timedelta(seconds=state["print_for"])
        self.auto_print_done = state["auto_print_done"]
        self.cut_until = _instant(state["cut_until"])
        self.was_on = state["was_on"]
        self.measured_until = _instant(state["measured_until"])
        self.counters.switches = state["switches"]
        self.meter = Meter(**state["meter"])


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
