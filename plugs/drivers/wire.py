"""One bare HTTP request without credentials, for finding out who is there. No session, no redirect, no proxy."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

from plugs.drivers.errors import BadReply, Unreachable

_LONGEST_BODY = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body."""

    status: int
    body: bytes


def host_and_port(address: str) -> tuple[str, int]:
    """Split host or host:port; the port is 80 when it is left out. `Unreachable` when it is neither."""
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise Unreachable(f"{address!r} is neither a host nor host:port")
    return host, port or 80


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a TCP connection. `Unreachable` when nobody listens; the caller bounds the time."""
    host, port = host_and_port(address)
    try:
        return await asyncio.open_connection(host, port)
    except OSError as error:
        raise Unreachable(f"{address}: {error.strerror or type(error).__name__}") from None


async def post(address: str, path: str, body: bytes) -> Answer:
    """POST and return whatever status comes. `Unreachable`, or `BadReply` when it is no HTTP."""
    reader, writer = await connect(address)
    try:
        return await _exchange(reader, writer, address, path, body)
    except OSError as error:
        raise Unreachable(f"{address}: {type(error).__name__}") from None
    except h11.RemoteProtocolError:
        raise BadReply(f"{address} does not speak HTTP") from None
    finally:
        writer.close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, path: str, body: bytes
) -> Answer:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", address), ("Content-Length", str(len(body))), ("Connection", "close")]
    if body.startswith(b"{"):
        headers.append(("Content-Type", "application/json"))
    head = http.send(h11.Request(method="POST", target=path, headers=headers))
    writer.write((head or b"") + (http.send(h11.Data(data=body)) or b""))
    http.send(h11.EndOfMessage())
    status, received, has_spoken = 0, bytearray(), False
    while len(received) <= _LONGEST_BODY:
        event = http.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(_LONGEST_BODY)
            if not data and not has_spoken:
                raise Unreachable(f"{address} closed the connection without a word")
            has_spoken = True
            http.receive_data(data)
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            received += event.data
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, bytes(received))
    raise BadReply(f"{address} answers without end")
