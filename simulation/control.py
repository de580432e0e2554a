"""The workshop's control server: a person (or a browser test) presses buttons and breaks things over HTTP.

GET  /plugs                              what every plug does
POST /plugs/<name>/fault                 {"fault": "hang"}, {"fault": "slow", "seconds": 2}, {"fault": null}
POST /plugs/<name>/button                the button on the case
POST /plugs/<name>/print                 {"seconds": 600}
POST /plugs/<name>/power_cut             {"seconds": 30}
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from simulation.http import HttpConnection, Request, Response, json_response
from simulation.server import Fault, FaultKind, PlugServer

Deed = Callable[[PlugServer, Mapping[str, Any]], Awaitable[None]]


class ControlServer:
    """Listens on loopback only: whoever reaches it may switch the simulated mains."""

    def __init__(self, servers: Mapping[str, PlugServer], port: int, host: str = "127.0.0.1") -> None:
        self._servers = servers
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[HttpConnection] = set()

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Open the port. `OSError` when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _ControlConnection(self), self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._open):
            connection.abort()

    def joined(self, connection: HttpConnection) -> None:
        """A connection was accepted."""
        self._open.add(connection)

    def left(self, connection: HttpConnection) -> None:
        """A connection is gone."""
        self._open.discard(connection)

    def take(self, connection: HttpConnection, request: Request) -> None:
        """Answer a request as soon as the deed is done."""
        task = asyncio.get_running_loop().create_task(self._answer(connection, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: HttpConnection, request: Request) -> None:
        try:
            response = await self.respond(request)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            response = json_response({"error": str(error)}, status=400)
        connection.reply(response)

    async def respond(self, request: Request) -> Response:
        """Do what one request asks."""
        if (request.method, request.path) == ("GET", "/plugs"):
            return json_response([describe(server) for server in self._servers.values()])
        match [unquote(part) for part in request.path.strip("/").split("/")]:
            case ["plugs", name, deed] if (
                request.method == "POST" and deed in _DEEDS and name in self._servers
            ):
                server = self._servers[name]
                await _DEEDS[deed](server, json.loads(request.body or b"{}"))
                return json_response(describe(server))
        return json_response({"error": "no such plug or deed"}, status=404)


def describe(server: PlugServer) -> dict[str, Any]:
    """One plug as JSON: what a person in the workshop would see. Power in W."""
    plug = server.plug
    return {
        "name": plug.spec.name,
        "address": server.address,
        "on": plug.on,
        "power_w": round(plug.power_w, 1),
        "phase": plug.phase,
        "has_mains": plug.has_mains,
        "fault": server.fault.kind if server.fault else None,
        "generation": server.generation,
        "switches": plug.counters.switches,
    }


async def _fault(server: PlugServer, asked: Mapping[str, Any]) -> None:
    kind = asked["fault"]
    await server.set_fault(Fault(FaultKind(kind), float(asked.get("seconds", 0.0))) if kind else None)


async def _button(server: PlugServer, _asked: Mapping[str, Any]) -> None:
    server.plug.press_button()


async def _print(server: PlugServer, asked: Mapping[str, Any]) -> None:
    seconds = asked.get("seconds")
    server.plug.start_print(None if seconds is None else float(seconds))


async def _power_cut(server: PlugServer, asked: Mapping[str, Any]) -> None:
    await server.power_cut(float(asked["seconds"]))


_DEEDS: dict[str, Deed] = {"fault": _fault, "button": _button, "print": _print, "power_cut": _power_cut}


class _ControlConnection(HttpConnection):
    def __init__(self, control: ControlServer) -> None:
        super().__init__()
        self._control = control

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._control.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._control.left(self)

    def received(self, request: Request) -> None:
        self._control.take(self, request)
