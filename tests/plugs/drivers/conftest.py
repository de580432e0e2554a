"""Rigs: every driver in front of something to drive, with one way to break it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from plugs.drivers.base import Endpoint, PlugDriver
from plugs.drivers.registry import open_driver
from simulation.plug import SimulatedPlug
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop

T = TypeVar("T")
NAME = "ender"
USER, PASSWORD = "workshop@example.org", "workshop"
WIRED = ("tapo_passthrough-passthrough", "tapo_klap-klap", "tapo-passthrough", "tapo-klap")
REAL = ("tapo-real",) if os.environ.get("MYP_REAL_PLUG") else ()


@dataclass
class Rig:
    """A driver's endpoint and, where there is one, the plug behind it."""

    endpoint: Endpoint
    workshop: SimulatedWorkshop | None = None

    @property
    def plug(self) -> SimulatedPlug:
        assert self.workshop is not None
        return self.workshop.plug(NAME)

    def fault(self, kind: str | None, seconds: float = 0.0) -> None:
        assert self.workshop is not None
        self.workshop.fault(NAME, kind, seconds)

    def run(self, use: Callable[[PlugDriver], Awaitable[T]], **changes: Any) -> T:
        """Open the driver, use it in an event loop of its own, close it."""

        async def session() -> T:
            driver = open_driver(replace(self.endpoint, **changes))
            try:
                return await use(driver)
            finally:
                await driver.close()

        return asyncio.run(session())


def _wired(kind: str) -> Iterator[Rig]:
    driver, _, generation = kind.partition("-")
    with SimulatedWorkshop([PlugSpec(NAME, generation=generation)]) as workshop:  # type: ignore[arg-type]
        address = workshop.address(NAME)
        yield Rig(Endpoint(driver, address, USER, PASSWORD), workshop)


@pytest.fixture(params=WIRED)
def wired(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A driver in front of a plug that can be broken."""
    yield from _wired(request.param)


@pytest.fixture(params=(*WIRED, "simulated", *REAL))
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Every driver there is; with MYP_REAL_PLUG=address,user,password a real plug too."""
    if request.param == "simulated":
        monkeypatch.setenv("MYP_SIMULATED_DIR", str(tmp_path))
        yield Rig(Endpoint("simulated", NAME))
    elif request.param == "tapo-real":
        address, user, password = os.environ["MYP_REAL_PLUG"].split(",", 2)
        yield Rig(Endpoint("tapo", address, user, password))
    else:
        yield from _wired(request.param)
