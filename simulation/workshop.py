"""Many plugs in one process, their state on disk, and a small control server to break and mend them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core import clock as core_clock
from simulation.control import ControlServer
from simulation.plug import SimulatedPlug
from simulation.server import Fault, FaultKind, PlugServer
from simulation.spec import PlugSpec

SAVE_AFTER = 0.05  # seconds; 200 relays that move together make one write
SAVE_EVERY = 30.0  # seconds; energy goes on while no relay moves

Clock = Callable[[], datetime]


class Workshop:
    """The plugs of one event loop. `state_file` None keeps nothing across restarts."""

    def __init__(
        self, specs: Iterable[PlugSpec], state_file: Path | None = None, clock: Clock = core_clock.now
    ) -> None:
        self.servers: dict[str, PlugServer] = {}
        self._state_file = state_file
        self._save_soon: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        known = _load(state_file)
        for spec in specs:
            if spec.name in self.servers:
                raise ValueError(f"two plugs are named {spec.name}")
            plug = SimulatedPlug(spec, clock, self.changed)
            if spec.name in known:
                plug.restore(known[spec.name])
            self.servers[spec.name] = PlugServer(plug)

    async def start(self) -> None:
        """Open every port. `OSError` when one is taken; then none stays open."""
        self._loop = asyncio.get_running_loop()
        try:
            for server in self.servers.values():
                await server.start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Save, then close every port and connection."""
        self.save()
        for server in self.servers.values():
            await server.stop()

    def changed(self) -> None:
        """A relay moved; may be called from any thread."""
        if self._loop is not None and self._state_file is not None:
            self._loop.call_soon_threadsafe(self._plan_save)

    def save(self) -> None:
        """Write the state file at once: a new file takes the old one's place, never half of one."""
        if self._save_soon is not None:
            self._save_soon.cancel()
            self._save_soon = None
        if self._state_file is None:
            return
        state = {name: server.plug.state() for name, server in self.servers.items()}
        fresh = self._state_file.with_name(self._state_file.name + ".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self._state_file)

    def _plan_save(self) -> None:
        if self._save_soon is None:
            self._save_soon = asyncio.get_running_loop().call_later(SAVE_AFTER, self.save)


def _load(state_file: Path | None) -> Mapping[str, Any]:
    if state_file is None or not state_file.exists():
        return {}
    known: Mapping[str, Any] = json.loads(state_file.read_text())
    return known


async def serve(
    specs: Iterable[PlugSpec],
    state_file: Path | None,
    control_port: int,
    *,
    stop: asyncio.Event | None = None,
    ready: Callable[[Workshop, ControlServer], None] = lambda _workshop, _control: None,
) -> None:
    """Run a workshop until `stop` is set (or the task is cancelled). `control_port` 0 means any free port."""
    workshop = Workshop(specs, state_file)
    await workshop.start()
    control = ControlServer(workshop.servers, control_port)
    try:
        await control.start()
        ready(workshop, control)
        await _save_until(workshop, stop or asyncio.Event())
    finally:
        await control.stop()
        await workshop.stop()


async def _save_until(workshop: Workshop, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), SAVE_EVERY)
        except TimeoutError:
            workshop.save()


class SimulatedWorkshop:
    """A workshop in a background thread, for tests.

    with SimulatedWorkshop([PlugSpec("p1")]) as workshop:
        workshop.address("p1"); workshop.plug("p1").on; workshop.fault("p1", "hang")
    """

    def __init__(
        self, specs: Iterable[PlugSpec], *, state_file: Path | None = None, clock: Clock = core_clock.now
    ) -> None:
        self._workshop = Workshop(specs, state_file, clock)
        self._control = ControlServer(self._workshop.servers, 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-workshop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._workshop.start())
        self._do(self._control.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._control.stop())
        self._do(self._workshop.stop())
        self._do(asyncio.sleep(0))  # lets the aborted connections be told
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def control_url(self) -> str:
        """Where the control server listens."""
        return f"http://{self._control.address}"

    @property
    def addresses(self) -> dict[str, str]:
        """host:port by name."""
        return {name: server.address for name, server in self._workshop.servers.items()}

    def address(self, name: str) -> str:
        """host:port of one plug."""
        return self._workshop.servers[name].address

    def plug(self, name: str) -> SimulatedPlug:
        """The plug itself: relay, meter, counters."""
        return self._workshop.servers[name].plug

    def fault(self, name: str, kind: str | None, seconds: float = 0.0) -> None:
        """Break a plug, or mend it with None. Returns when it is so."""
        fault = Fault(FaultKind(kind), seconds) if kind else None
        self._do(self._workshop.servers[name].set_fault(fault))

    def power_cut(self, name: str, seconds: float) -> None:
        """Cut the mains of one plug for that many seconds of its clock."""
        self._do(self._workshop.servers[name].power_cut(seconds))

    def _do(self, work: Any) -> None:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(10)
