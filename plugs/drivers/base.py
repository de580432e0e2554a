"""What every plug driver is: four verbs over an endpoint, and the one safe way to switch."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from core import clock
from plugs.drivers.errors import DriverError, IdentityMismatch, TimedOut, VerifyFailed


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a plug is and how to get in.

    `address` is host or host:port; `device_id` is the identity expected there, empty when not known yet;
    `generation` is what an earlier probe found, empty when none did.
    """

    driver: str
    address: str
    username: str = ""
    password: str = field(repr=False, default="")
    generation: str = ""
    device_id: str = ""


@dataclass(frozen=True, slots=True)
class PlugReading:
    """What a plug said. W, Wh, seconds, dBm, milliseconds. What it did not say is None, never 0."""

    on: bool
    read_at: datetime
    power_w: float | None = None
    energy_today_wh: float | None = None
    energy_month_wh: float | None = None
    energy_total_wh: float | None = None
    on_seconds: int | None = None
    rssi: int | None = None
    device_id: str = ""
    firmware: str = ""
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What a first contact found. `reading` is None when no credentials are known yet."""

    generation: str
    reading: PlugReading | None


@dataclass(frozen=True, slots=True)
class Switched:
    """The end of a `set`.

    `sent_at` is None when the relay was right already; `held` means left on because it draws too much.
    """

    reading: PlugReading
    sent_at: datetime | None = None
    held: bool = False


class PlugDriver(ABC):
    """One plug. Not for two callers at once: whoever owns the driver takes turns.

    Every deadline is in seconds and covers the whole call. Every failure is a `DriverError`.
    A subclass fills in the hooks at the end; `_until` is the monotonic instant of the running call's deadline.
    """

    needs_credentials: ClassVar[bool] = True
    generation: str = ""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._until = 0.0
        self._sent_at: datetime | None = None

    async def probe(self, deadline: float) -> Probe:
        """Find out which generation this is and, when credentials are known, read it."""
        async with self._within(deadline):
            generation = await self._detect()
            if self.needs_credentials and not self.endpoint.password:
                return Probe(generation, None)
            reading = await self._with_energy(await self._look())
            return Probe(self.generation, reading)

    async def read(self, deadline: float) -> PlugReading:
        """Relay, power and energy."""
        async with self._within(deadline):
            return await self._with_energy(await self._look())

    async def set(self, on: bool, deadline: float, hold_above_w: float | None = None) -> Switched:
        """Bring the relay to `on` and prove it; a relay that is right already is left alone.

        Read, compare the identity, switch, read back, once more if need be, else `VerifyFailed`. With
        `hold_above_w` a plug that is measured to draw more is not switched off. The reading holds the relay's state;
        power and energy are in it only when they had to be asked (`held`): `measure` adds them.
        """
        async with self._within(deadline):
            before = await self._look()
            if before.on == on:
                return Switched(before)
            if not on and hold_above_w is not None:
                before = await self._with_energy(before)
                if before.power_w is not None and before.power_w > hold_above_w:
                    return Switched(before, held=True)
            return await self._switch_and_verify(on)

    async def measure(self, reading: PlugReading, deadline: float) -> PlugReading:
        """The same reading with power and energy, as far as the plug knows them."""
        async with self._within(deadline):
            return await self._with_energy(reading)

    async def close(self) -> None:
        """Let go of the connection. The driver may be used again; it then starts afresh."""
        self.reset()

    async def _switch_and_verify(self, on: bool) -> Switched:
        for _attempt in range(2):
            self._sent_at = self._sent_at or clock.now()
            await self._switch(on)
            after = await self._look()
            if after.on == on:
                return Switched(after, self._sent_at)
        raise VerifyFailed(wanted=on, got=not on)

    async def _look(self) -> PlugReading:
        began = time.monotonic()
        seen = await self._state()
        expected = self.endpoint.device_id
        if expected and seen.device_id != expected:
            raise IdentityMismatch(expected, seen.device_id)
        return replace(seen, latency_ms=(time.monotonic() - began) * 1000)

    @asynccontextmanager
    async def _within(self, deadline: float) -> AsyncIterator[None]:
        """Bound a call in time, and leave no broken session behind."""
        self._until = time.monotonic() + deadline
        self._sent_at = None
        try:
            async with asyncio.timeout(deadline):
                yield
        except TimeoutError:
            self.reset()
            raise self._told(TimedOut(f"no answer within {deadline:g} s")) from None
        except DriverError as error:
            if error.breaks_session:
                self.reset()
            self._told(error)
            raise

    def _told(self, error: DriverError) -> DriverError:
        error.sent_at = self._sent_at
        if self._sent_at is not None and error.is_ambiguous:
            error.may_have_happened = True
        return error

    # -- what a subclass fills in --------------------------------------------------------------------------------

    async def _detect(self) -> str:
        """The generation, found without credentials where that is possible."""
        return self.generation

    @abstractmethod
    async def _state(self) -> PlugReading:
        """Relay state and identity, in one request. Power and energy may be left None."""

    @abstractmethod
    async def _with_energy(self, reading: PlugReading) -> PlugReading:
        """The same reading with what the plug says about power and energy."""

    @abstractmethod
    async def _switch(self, on: bool) -> None:
        """Send the command; no need to check its effect."""

    @abstractmethod
    def reset(self) -> None:
        """Forget connection and session at once. Must not block."""
