"""HTTP/1.1 with keep-alive, and the two values that pass between it and a protocol."""

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import h11


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, already complete."""

    method: str
    path: str
    query: str = ""
    cookie: str = ""
    body: bytes = b""

    @property
    def session_id(self) -> str:
        """The value of the cookie TP_SESSIONID, or an empty text."""
        for part in self.cookie.split(";"):
            name, _, value = part.strip().partition("=")
            if name == "TP_SESSIONID":
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    cookie: str = ""
    content_type: str = "application/json"


def json_response(value: Any, *, status: int = 200, cookie: str = "") -> Response:
    """An answer that carries JSON."""
    return Response(status, json.dumps(value).encode(), cookie)


class HttpConnection(asyncio.Protocol, ABC):
    """One HTTP/1.1 connection. A subclass says what happens to a complete request."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None

    @abstractmethod
    def received(self, request: Request) -> None:
        """A request is complete; the subclass calls `reply`, now or later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            self._http.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError:
            self.abort()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is left, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def reply(self, response: Response) -> None:
        """Send one complete answer and get ready for the next request."""
        if self._transport is None:
            return
        headers = [("Content-Length", str(len(response.body))), ("Content-Type", response.content_type)]
        if response.cookie:
            headers.append(("Set-Cookie", response.cookie))
        parts = [self._http.send(h11.Response(status_code=response.status, headers=headers))]
        parts.append(self._http.send(h11.Data(data=response.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self.write(b"".join(part for part in parts if part))
        if self._http.our_state is h11.MUST_CLOSE:
            self.close()
            return
        self._http.start_next_cycle()
        self._read_events()

    def _read_events(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._head = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                self.received(_request(self._head, bytes(self._body)))
                return
            else:
                return


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode().partition("?")
    cookies = [value.decode() for name, value in head.headers if name == b"cookie"]
    return Request(head.method.decode(), path, query, "; ".join(cookies), body)
