"""One plug on one TCP port: HTTP/1.1 with keep-alive, and the faults a plug has in a workshop."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simulation.device import Quirks
from simulation.http import HttpConnection, Request, Response
from simulation.klap import Klap
from simulation.passthrough import Passthrough
from simulation.plug import SimulatedPlug


class FaultKind(StrEnum):
    """What can be wrong with a plug."""

    UNREACHABLE = "unreachable"  # the port is closed
    REFUSE = "refuse"  # the connection is reset after it was accepted
    HANG = "hang"  # accepted, never answered
    SLOW = "slow"  # answered after `seconds`
    GARBAGE = "garbage"  # bytes that are not HTTP
    NONSENSE = "nonsense"  # HTTP with a body that means nothing
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  somebody changed the account
    EXPIRED_SESSION = "expired_session"  # every session is dropped once; no lasting fault
    OTHER_GENERATION = "other_generation"  # the firmware was updated (or set back)
    CLOCK_UNSET = "clock_unset"  # no time server: no energy figures
    ACCESS_DISABLED = "access_disabled"  # third-party access is off: 403
    STUCK_RELAY = "stuck_relay"  # says yes, does not switch
    REJECTS = "rejects"  # answers commands with an error code


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and, for `slow`, how many seconds an answer takes."""

    kind: FaultKind
    seconds: float = 0.0


class _Speaker(Protocol):
    password: str

    def handle(self, request: Request) -> Response: ...
    def forget_sessions(self) -> None: ...


class PlugServer:
    """Serves one `SimulatedPlug`. All methods belong to the event loop that started it."""

    def __init__(self, plug: SimulatedPlug, host: str = "127.0.0.1") -> None:
        self.plug = plug
        self.fault: Fault | None = None
        self._host = host
        self._port = plug.spec.port
        self._quirks = Quirks()
        self._speakers: dict[str, _Speaker] = {
            "passthrough": Passthrough(plug, self._quirks),
            "klap": Klap(plug, self._quirks),
        }
        self._server: asyncio.Server | None = None
        self._open: set[HttpConnection] = set()

    @property
    def address(self) -> str:
        """host:port, stable for the life of the server even while the port is closed by a fault."""
        return f"{self._host}:{self._port}"

    @property
    def generation(self) -> str:
        """The protocol the plug speaks now."""
        own = self.plug.spec.generation
        if self._has(FaultKind.OTHER_GENERATION):
            return "klap" if own == "passthrough" else "passthrough"
        return own

    async def start(self) -> None:
        """Open the port (again). Does nothing when it is open."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._abort_all()

    async def set_fault(self, fault: Fault | None) -> None:
        """Break the plug in one way, or mend it with None."""
        if fault is not None and fault.kind is FaultKind.EXPIRED_SESSION:
            self._forget_sessions()
            return
        before, self.fault = self.fault, fault
        self.plug.clock_is_set = not self._has(FaultKind.CLOCK_UNSET)
        self.plug.is_stuck = self._has(FaultKind.STUCK_RELAY)
        self._quirks.rejects_commands = self._has(FaultKind.REJECTS)
        changed = "-changed" if self._has(FaultKind.WRONG_PASSWORD) else ""
        for speaker in self._speakers.values():
            speaker.password = self.plug.spec.password + changed
        if self._has(FaultKind.WRONG_PASSWORD) or self._has(FaultKind.OTHER_GENERATION):
            self._forget_sessions()
        await self._open_or_close(before)

    async def power_cut(self, seconds: float) -> None:
        """The mains fails: the plug vanishes for that many seconds of its own clock and comes back by itself."""
        self.plug.power_cut(seconds)
        self._forget_sessions()
        self._abort_all()

    def respond(self, request: Request) -> Response:
        """The answer to one request, with the faults that show on the level of HTTP."""
        if self._has(FaultKind.ACCESS_DISABLED):
            return Response(403)
        if self._has(FaultKind.NONSENSE):
            return Response(200, secrets.token_bytes(48))
        return self._speakers[self.generation].handle(request)

    @property
    def refuses(self) -> bool:
        """True when a connection is reset as soon as it stands."""
        return self._has(FaultKind.REFUSE) or not self.plug.has_mains

    def joined(self, connection: HttpConnection) -> None:
        """A connection was accepted."""
        self._open.add(connection)

    def left(self, connection: HttpConnection) -> None:
        """A connection is gone."""
        self._open.discard(connection)

    def _has(self, kind: FaultKind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _forget_sessions(self) -> None:
        for speaker in self._speakers.values():
            speaker.forget_sessions()

    def _abort_all(self) -> None:
        for connection in list(self._open):
            connection.abort()

    async def _open_or_close(self, before: Fault | None) -> None:
        if self._has(FaultKind.UNREACHABLE):
            await self.stop()
        elif before is not None and before.kind is FaultKind.UNREACHABLE:
            await self.start()
        elif self._has(FaultKind.REFUSE):
            self._abort_all()


class _Connection(HttpConnection):
    def __init__(self, server: PlugServer) -> None:
        super().__init__()
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.joined(self)
        if self._server.refuses:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.left(self)

    def received(self, request: Request) -> None:
        if self._server.refuses:
            self.abort()
            return
        fault = self._server.fault
        misbehave = _MISBEHAVIOUR.get(fault.kind) if fault else None
        if misbehave is not None and fault is not None:
            misbehave(self, request, fault)
        else:
            self.answer(request)

    def answer(self, request: Request) -> None:
        self.reply(self._server.respond(request))


def _hang(_connection: _Connection, _request: Request, _fault: Fault) -> None:
    """Never answer."""


def _slow(connection: _Connection, request: Request, fault: Fault) -> None:
    asyncio.get_running_loop().call_later(fault.seconds, connection.answer, request)


def _garbage(connection: _Connection, _request: Request, _fault: Fault) -> None:
    connection.write(secrets.token_bytes(64) + b"\r\n\r\n")
    connection.close()


_MISBEHAVIOUR: dict[FaultKind, Callable[[_Connection, Request, Fault], None]] = {
    FaultKind.HANG: _hang,
    FaultKind.SLOW: _slow,
    FaultKind.GARBAGE: _garbage,
}
