"""Many plugs at once: one event loop per process carries out batches, keeps sessions warm and retries."""

import asyncio
import contextlib
import functools
import os
import queue
import random
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from plugs.drivers.base import Endpoint, PlugDriver, PlugReading
from plugs.drivers.errors import DriverError, TimedOut
from plugs.drivers.gate import Gate
from plugs.drivers.registry import open_driver

ATTEMPTS = 3
ATTEMPT_FOR = 2.0  # seconds
PAUSES = (0.5, 1.5)  # seconds between attempts, before jitter
JITTER = 0.2  # share of a pause: plugs that failed together must not come back together
DEADLINE = 8.0  # seconds for one order, everything included
RELAYS_FIRST_FOR = 0.25  # seconds a meter is kept waiting while other relays of the batch still have to move
METER_FOR = 1.0  # seconds for power and energy after the relay is confirmed
PLACES = 32  # conversations at once; a hundred older plugs would otherwise mean as many threads that quarrel
PLACE_FOR = 0.5  # seconds; who takes longer is waiting for a plug and not for the processor
GATHER_FOR = 0.03  # seconds; outcomes that come together are handed over together


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with one plug. `key` names it across batches; `want` None only reads."""

    key: int
    endpoint: Endpoint
    want: bool | None
    hold_above_w: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one order ended: a reading, or an error.

    `sent_at` is when a command first left, None when none did; `confirmed_at` is when the relay was read and found
    where it was wanted, before the meter was asked. When only the meter fails, power and energy are None.
    """

    key: int
    reading: PlugReading | None = None
    error: DriverError | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    held: bool = False
    generation: str = ""


class _Lane:
    """One plug: its driver with the warm session, and whose turn it is."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._endpoint: Endpoint | None = None
        self._driver: PlugDriver | None = None

    @property
    def generation(self) -> str:
        """What the driver found out, empty before the first contact."""
        return self._driver.generation if self._driver else ""

    async def driver_for(self, endpoint: Endpoint) -> PlugDriver:
        """The driver as it is, or a new one: a changed address or password must not meet the old session."""
        if self._driver is None or endpoint != self._endpoint:
            await self.close()
            self._driver = open_driver(endpoint)
            self._endpoint = endpoint
        return self._driver

    async def close(self) -> None:
        """Close the connection and forget the driver."""
        if self._driver is not None:
            await self._driver.close()
            self._driver = None


class _Batch:
    """What holds for all orders of one `run`."""

    def __init__(self, orders: Sequence[Order], until: float, attempts: int) -> None:
        self.orders = orders
        self.until = until
        self.attempts = attempts
        self.done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._unmoved = {order.key for order in orders}
        self._all_moved = asyncio.Event()

    @property
    def time_left(self) -> float:
        """Seconds until the deadline."""
        return self.until - time.monotonic()

    def moved(self, key: int) -> None:
        """The relay of this order is confirmed, or its first attempt has failed."""
        self._unmoved.discard(key)
        if not self._unmoved:
            self._all_moved.set()

    async def relays_first(self) -> None:
        """Wait until every relay has had its turn, but not long: a plug that hangs must not delay the others."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELAYS_FIRST_FOR):
                await self._all_moved.wait()


class Fleet:
    """The plugs of one process. May be called from any thread, and again after a fork."""

    def __init__(self, *, attempt_for: float = ATTEMPT_FOR, pauses: Sequence[float] = PAUSES) -> None:
        self._attempt_for = attempt_for
        self._pauses = pauses
        self._engines: dict[int, _Engine] = {}

    def run(
        self, orders: Iterable[Order], *, deadline: float = DEADLINE, attempts: int = ATTEMPTS
    ) -> Iterator[list[Outcome]]:
        """Start every order now and yield the outcomes as the plugs finish, in groups that came together.

        `deadline` is in seconds and holds for every order; `attempts` 1 suits plugs that are known to be dead.
        A failing plug is an outcome with an error. An exception means a bug; it comes after the last outcome.
        """
        batch = _Batch(list(orders), time.monotonic() + deadline, attempts)
        self._engine().start(batch)
        return _gathered(batch)

    def close(self) -> None:
        """Close every connection and stop the event loop. A later `run` starts afresh."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.close()

    def _engine(self) -> "_Engine":
        pid = os.getpid()
        engine = self._engines.get(pid)
        if engine is None:  # first use in this process: a parent's threads did not survive the fork
            engine = self._engines.setdefault(pid, _Engine(self._attempt_for, self._pauses))
        return engine


def _gathered(batch: _Batch) -> Iterator[list[Outcome]]:
    bugs: list[BaseException] = []
    missing = len(batch.orders)
    while missing:
        items = [batch.done.get()]
        until = time.monotonic() + GATHER_FOR
        with contextlib.suppress(queue.Empty):
            while len(items) < missing:
                items.append(batch.done.get(timeout=max(0.0, until - time.monotonic())))
        missing -= len(items)
        group = [item for item in items if isinstance(item, Outcome)]
        bugs += [item for item in items if not isinstance(item, Outcome)]
        if group:
            yield group
    if bugs:
        raise bugs[0]


class _Engine:
    """An event loop in a thread and the lanes that belong to it."""

    def __init__(self, attempt_for: float, pauses: Sequence[float]) -> None:
        self._attempt_for = attempt_for
        self._pauses = pauses
        self._lanes: dict[int, _Lane] = {}
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._gate = Gate(PLACES, PLACE_FOR)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, batch: _Batch) -> None:
        self._running_loop().call_soon_threadsafe(self._begin, batch)

    def close(self) -> None:
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._close_lanes(), self._loop).result(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started at the first use: an engine that lost the race to be the process's one holds nothing."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="plug-fleet", daemon=True)
                self._thread.start()
            return self._loop

    async def _close_lanes(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.close()
        await asyncio.sleep(0)  # closed connections are told in the next round

    def _begin(self, batch: _Batch) -> None:
        for order in batch.orders:
            task = asyncio.get_running_loop().create_task(self._carry_out(order, batch))
            self._tasks.add(task)  # the loop itself keeps only a weak reference
            task.add_done_callback(functools.partial(self._finish, order.key, batch))

    def _finish(self, key: int, batch: _Batch, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            batch.done.put(Outcome(key, error=TimedOut("the fleet was closed")))
        else:
            batch.done.put(task.exception() or task.result())

    async def _carry_out(self, order: Order, batch: _Batch) -> Outcome:
        lane = self._lanes.setdefault(order.key, _Lane())
        try:
            async with asyncio.timeout(batch.time_left):
                await lane.turn.acquire()
        except TimeoutError:
            batch.moved(order.key)
            return Outcome(order.key, error=TimedOut("the plug is busy with another order"))
        try:
            return await self._retried(lane, order, batch)
        finally:
            lane.turn.release()  # kept during the pauses: an older order must not overtake a newer one

    async def _retried(self, lane: _Lane, order: Order, batch: _Batch) -> Outcome:
        sent_at: datetime | None = None
        may_have_happened = False
        attempt = 0
        while True:
            attempt += 1
            try:
                outcome = await self._attempt(lane, order, batch)
                break
            except DriverError as error:
                batch.moved(order.key)
                # what an earlier attempt may have done stays true although this one got nowhere
                sent_at = sent_at or error.sent_at
                error.may_have_happened = may_have_happened = may_have_happened or error.may_have_happened
                outcome = Outcome(order.key, error=error)
                pause = self._pause(attempt)
                if not error.retryable or attempt >= batch.attempts or pause >= batch.time_left:
                    break
                await asyncio.sleep(pause)
        sent_at = sent_at or outcome.sent_at
        return replace(outcome, attempts=attempt, sent_at=sent_at, generation=lane.generation)

    async def _attempt(self, lane: _Lane, order: Order, batch: _Batch) -> Outcome:
        driver = await lane.driver_for(order.endpoint)
        if order.want is None:
            async with self._turn(batch) as deadline:
                reading = await driver.read(deadline)
            batch.moved(order.key)
            return Outcome(order.key, reading)
        async with self._turn(batch) as deadline:
            done = await driver.set(order.want, deadline, order.hold_above_w)
        batch.moved(order.key)
        if done.held:
            return Outcome(order.key, done.reading, held=True)
        reading = await self._measured(driver, done.reading, batch)
        return Outcome(order.key, reading, sent_at=done.sent_at, confirmed_at=done.reading.read_at)

    async def _measured(self, driver: PlugDriver, reading: PlugReading, batch: _Batch) -> PlugReading:
        await batch.relays_first()
        try:
            async with self._turn(batch) as deadline:
                return await driver.measure(reading, min(METER_FOR, deadline))
        except DriverError:
            return reading  # the relay is confirmed; a meter that fails does not take that back

    @contextlib.asynccontextmanager
    async def _turn(self, batch: _Batch) -> AsyncIterator[float]:
        """A place at the gate and the seconds one attempt may take from now on."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(batch.time_left):
                    await stack.enter_async_context(self._gate.place())
            except TimeoutError:
                raise TimedOut("too many plugs at once for the time given") from None
            # The only attempt may take all the time there is: a slow plug has to get through its login.
            yield batch.time_left if batch.attempts == 1 else min(self._attempt_for, batch.time_left)

    def _pause(self, attempt: int) -> float:
        pause = self._pauses[min(attempt, len(self._pauses)) - 1]
        return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads load, guards nothing


_FLEETS: dict[int, Fleet] = {}


def fleet() -> Fleet:
    """The fleet of this process; a forked child gets its own."""
    pid = os.getpid()
    return _FLEETS.get(pid) or _FLEETS.setdefault(pid, Fleet())
