"""The driver a person picks for a Tapo plug: it finds out which protocol the plug speaks and lets that driver do it."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from plugs.drivers import wire
from plugs.drivers.base import Endpoint, PlugDriver, PlugReading
from plugs.drivers.errors import AccessDisabled, BadReply, ProtocolMismatch
from plugs.drivers.registry import open_driver

DRIVER_OF = {"passthrough": "tapo_passthrough", "klap": "tapo_klap", "tpap": "tapo_klap"}

_OK, _FORBIDDEN = 200, 403
_OTHER_GENERATION = 1003
_HANDSHAKE_SIZE = 48

_T = TypeVar("_T")


class TapoDriver(PlugDriver):
    """Trusts the generation of the endpoint, else probes. A plug whose firmware changed is probed again once."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.generation = endpoint.generation if endpoint.generation in DRIVER_OF else ""
        self._speaker: PlugDriver | None = None

    def reset(self) -> None:
        if self._speaker is not None:
            self._speaker.reset()

    async def close(self) -> None:
        if self._speaker is not None:
            await self._speaker.close()

    async def _detect(self) -> str:
        found = await detect_generation(self.endpoint.address)
        if found != self.generation:
            self.reset()  # the old protocol's connection must not stay open
            self.generation, self._speaker = found, None
        return found

    async def _state(self) -> PlugReading:
        return await self._spoken(lambda speaker: speaker._state())

    async def _with_energy(self, reading: PlugReading) -> PlugReading:
        return await self._spoken(lambda speaker: speaker._with_energy(reading))

    async def _switch(self, on: bool) -> None:
        await self._spoken(lambda speaker: speaker._switch(on))

    async def _spoken(self, call: Callable[[PlugDriver], Awaitable[_T]]) -> _T:
        try:
            return await call(await self._speaking())
        except ProtocolMismatch:
            before = self.generation
            if await self._detect() == before:
                raise
        return await call(await self._speaking())

    async def _speaking(self) -> PlugDriver:
        if not self.generation:
            await self._detect()
        if self._speaker is None:
            name = DRIVER_OF[self.generation]
            self._speaker = open_driver(replace(self.endpoint, driver=name, generation=self.generation))
        self._speaker._until = self._until
        return self._speaker


async def detect_generation(address: str) -> str:
    """Ask a plug which protocol it speaks, without credentials: passthrough, klap or tpap.

    `AccessDisabled` when it forbids third parties, `ProtocolMismatch` when it is none of the three,
    `BadReply` and `Unreachable` as everywhere.
    """
    nego = await wire.post(address, "/app", b'{"method":"component_nego"}')
    if nego.status == _OK and _json(nego).get("error_code") != _OTHER_GENERATION:
        return "passthrough"
    greeting = await wire.post(address, "/app/handshake1", secrets.token_bytes(16))
    if greeting.status == _OK and len(greeting.body) == _HANDSHAKE_SIZE:
        return "klap"
    if greeting.status != _FORBIDDEN:
        raise ProtocolMismatch("the plug speaks none of the known protocols")
    discovery = await wire.post(address, "/", b'{"method":"login","params":{"sub_method":"discover"}}')
    if discovery.status == _OK and "tpap" in (_json(discovery).get("result") or {}):
        return "tpap"
    raise AccessDisabled("the plug forbids third-party access")


def _json(answer: wire.Answer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadReply("the plug's answer is not the expected JSON")
    return value
