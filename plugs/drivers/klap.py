"""Plugs with firmware 1.3.0 and later (KLAP, TPAP), through the package tapo."""

import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tapo import ApiClient, PlugEnergyMonitoringHandler

from plugs.drivers.base import Endpoint, PlugDriver, PlugReading
from plugs.drivers.errors import (
    AccessDisabled,
    AuthFailed,
    BadReply,
    DeviceRejected,
    DriverError,
    DriverMissing,
    ProtocolMismatch,
    SessionLost,
    TimedOut,
    Unreachable,
)
from plugs.drivers.tapo_json import CLOCK_UNSET, error_from_code, reading_from_info, with_power, with_usage

CONNECT_TIMEOUT = 2  # seconds, the package's own bound; the deadline of the call may be shorter

# The package names what the plug said; the kinds that are about us and not about the command:
_LOST = ("SESSION_TIMEOUT", "SESSION_EXPIRED", "TPAP_SESSION_INVALID")
_REFUSED_LOGIN = ("LOGIN", "CREDENTIAL", "HASH_MISMATCH", "AUTH_ATTEMPTS", "DEVICE_BLOCKED")


class _Runtime:
    """The package's own threads: started at its first use, and gone in a child that is forked afterwards."""

    pid: int | None = None

    @classmethod
    def enter(cls) -> None:
        """Call before the package is used. `DriverMissing` where it would wait for ever."""
        if cls.pid is None:
            cls.pid = os.getpid()
        if cls.pid != os.getpid():
            raise DriverMissing(
                "the package tapo was used before this process was forked: start the worker afresh"
            )


class KlapDriver(PlugDriver):
    """KLAP and TPAP. The handler lives while it works; after a failure a new one logs in."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.generation = "tpap" if endpoint.generation == "tpap" else "klap"
        self._handler: PlugEnergyMonitoringHandler | None = None

    def reset(self) -> None:
        self._handler = None

    async def _state(self) -> PlugReading:
        # the typed get_device_info() fails on firmware that leaves a field out
        return reading_from_info(await self._ask(lambda plug: plug.get_device_info_json()))

    async def _with_energy(self, reading: PlugReading) -> PlugReading:
        try:
            usage = await self._ask(lambda plug: plug.get_energy_usage())
            return with_usage(reading, usage.to_dict())
        except DeviceRejected as error:
            if error.device_code != CLOCK_UNSET:
                raise
        power = await self._ask(lambda plug: plug.get_current_power())
        return with_power(reading, power.to_dict())

    async def _switch(self, on: bool) -> None:
        await self._ask(lambda plug: plug.on() if on else plug.off())

    async def _ask(self, question: Callable[[PlugEnergyMonitoringHandler], Awaitable[Any]]) -> Any:
        _Runtime.enter()
        if self._handler is None:
            client = ApiClient(self.endpoint.username, self.endpoint.password, CONNECT_TIMEOUT)
            self._handler = await _translated(client.p110(self.endpoint.address))
        handler: PlugEnergyMonitoringHandler = self._handler
        try:
            return await _translated(question(handler))
        except SessionLost:
            await _translated(handler.refresh_session())
            return await _translated(question(handler))


async def _translated(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except Exception as error:  # noqa: BLE001  the package raises nothing else, whatever happened
        raise error_from_text(str(error)) from None


def error_from_text(text: str) -> DriverError:
    """Our error for one of the package's texts. The text itself is dropped: it may name what was typed in."""
    for pattern, build in _PATTERNS:
        found = re.match(pattern, text, re.DOTALL)
        if found:
            return build(found)
    return BadReply("the plug's answer cannot be read")


def _unauthorized(found: re.Match[str]) -> DriverError:
    if found[1] in _LOST:
        return SessionLost("the plug ended the session")
    if found[1] == "FORBIDDEN":
        return AccessDisabled("the plug forbids third-party access")
    return AuthFailed("the plug refused user name or password")


def _device_error(found: re.Match[str]) -> DriverError:
    code, kind = int(found[1]), found[2]
    if kind in _LOST:
        return SessionLost("the plug ended the session")
    if any(sign in kind for sign in _REFUSED_LOGIN):
        return AuthFailed("the plug refused user name or password")
    return error_from_code(code)


def _http_status(found: re.Match[str]) -> DriverError:
    status, where = int(found[1]), found[2]
    if status == 404:
        return ProtocolMismatch("the plug does not know the address of this protocol")
    if status == 403 and where.startswith("Handshake2"):
        return AuthFailed("the plug refused the login; it may have locked itself")
    return BadReply(f"the plug answered with HTTP status {status}")


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], DriverError]], ...] = (
    (r'Tapo\(Unauthorized \{ kind: "(\w+)"', _unauthorized),
    (r'Tapo\(DeviceError \{ code: (-?\d+), kind: "(\w+)"', _device_error),
    (r'Tapo\(HttpError \{ status_code: (\d+), description: "([^"]*)"', _http_status),
    (r".*legacy AES protocol", lambda _found: ProtocolMismatch("the plug speaks the older protocol")),
    (r"Http\(.*TimedOut", lambda _found: TimedOut("the plug is silent")),
    (r"Http\(.*Parse\(", lambda _found: BadReply("the plug does not speak HTTP")),
    (r"Http\(", lambda _found: Unreachable("the connection failed")),
)
