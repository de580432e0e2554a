"""A small keep-alive HTTP session that PyP100 talks through instead of `requests`.

PyP100 asks once without any timeout and would follow a proxy of the environment; here every request ends at the
deadline, and the plug's refusals become our errors before PyP100 stumbles over them with `KeyError: 'result'`.
It also takes a quarter of the processor time, which decides how fast 100 plugs switch.
"""

import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from plugs.drivers import wire
from plugs.drivers.errors import (
    AccessDisabled,
    BadReply,
    ProtocolMismatch,
    SessionLost,
    TimedOut,
    Unreachable,
)
from plugs.drivers.tapo_json import error_from_code

READ_TIMEOUT = 2.0  # seconds a plug may stay silent within one request


class Reply:
    """As much of an answer as PyP100 looks at."""

    def __init__(self, envelope: Mapping[str, Any], cookies: Mapping[str, str]) -> None:
        self._envelope = envelope
        self.cookies = cookies

    def json(self) -> Mapping[str, Any]:
        """The body, already read; its error code is 0."""
        return self._envelope


class Session:
    """One TCP connection to one plug. `until` is the monotonic instant at which everything ends."""

    def __init__(self, address: str) -> None:
        self._host, self._port = wire.host_and_port(address)
        self._connection: http.client.HTTPConnection | None = None
        self._handover = threading.Lock()
        self._is_lent = False
        self._is_aborted = False
        self.until = 0.0

    def post(
        self,
        url: str,
        *,
        json: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        timeout: float = READ_TIMEOUT,
    ) -> Reply:
        """What PyP100 calls. Every failure is a `DriverError`."""
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            status, cookies, body = self._exchange(target, json, headers or {}, timeout)
        except TimeoutError:
            self.close()
            raise TimedOut("the plug is silent") from None
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError) as error:
            self.close()
            raise Unreachable(f"the connection failed ({type(error).__name__})") from None
        except (http.client.HTTPException, CookieError):
            self.close()
            raise BadReply("the plug does not speak HTTP") from None
        return Reply(_envelope(status, body, is_handshake=json.get("method") == "handshake"), cookies)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def lend(self) -> None:
        """A thread is about to use the session; it calls `settle` at the end."""
        self._is_lent = True

    def settle(self) -> None:
        """The thread is done."""
        with self._handover:
            self._is_lent = False
            if self._is_aborted:
                self.close()

    def abort(self) -> None:
        """Wake the thread that waits for an answer, so that it is free again; the session is of no more use."""
        with self._handover:
            self._is_aborted = True
            sock = self._connection.sock if self._connection else None
            if not self._is_lent:
                self.close()
            elif sock is not None:
                with contextlib.suppress(OSError):  # not connected any more: nobody is waiting
                    sock.shutdown(socket.SHUT_RDWR)

    def _exchange(
        self, target: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout: float
    ) -> tuple[int, dict[str, str], bytes]:
        left = self.until - time.monotonic()
        if left <= 0 or self._is_aborted:
            raise TimeoutError
        connection = self._connected(min(left, timeout))
        payload = json.dumps(body).encode()
        connection.request("POST", target, payload, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        received = response.read()
        cookie = SimpleCookie(response.headers.get("Set-Cookie", ""))
        return response.status, {name: morsel.value for name, morsel in cookie.items()}, received

    def _connected(self, timeout: float) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is None or connection.sock is None or _is_dropped(connection):
            self.close()
            connection = self._connection = http.client.HTTPConnection(
                self._host, self._port, timeout=timeout
            )
        else:
            connection.sock.settimeout(timeout)
        return connection


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """An idle connection with something to read was closed by the plug: sending on it would only look like a failure."""
    poll = select.poll()  # select() cannot look at descriptors above 1023
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _envelope(status: int, body: bytes, *, is_handshake: bool) -> Mapping[str, Any]:
    if status == http.client.FORBIDDEN:
        if is_handshake:
            raise AccessDisabled("the plug forbids third-party access")
        raise SessionLost("the plug does not accept the session")
    if status == http.client.NOT_FOUND:
        raise ProtocolMismatch("the plug does not know the address of this protocol")
    try:
        envelope: Mapping[str, Any] = json.loads(body)
        code = int(envelope["error_code"])
    except (ValueError, KeyError, TypeError):
        raise BadReply("the plug's answer is not the expected JSON") from None
    if code:
        raise error_from_code(code)
    return envelope
