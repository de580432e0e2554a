"""What stands between the socket and Django: a request has to be small enough, and to arrive in time."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings

from core.middleware import API_PREFIXES, SecurityHeaders

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Cut(Exception):  # noqa: N818 - a verdict, not a fault
    """The request is not waited for any longer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class BodyLimits:
    """Answers 413 to a body that is too large, however its length is told, and 408 to one that does not arrive.

    Also 400 to a length that is told in two ways.

    Django reads the whole body before it looks at anything else: without this a stranger fills the disk. Forms
    with files may be as large as the largest upload; everything else is a form or JSON.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, with a body that counts and looks at the clock."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, scope)
        try:
            await self.app(scope, body.receive, send)
        except _Cut as cut:
            await body.drain()
            await _answer(cut.status, scope, send)


class _Body:
    """The client's side of one request."""

    def __init__(self, receive: Receive, scope: Scope) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        self._most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if headers.get(b"content-type", b"").startswith(b"multipart/form-data"):
            self._most += settings.UPLOAD_MAX_BYTES
        declared = headers.get(b"content-length", b"0")
        # Two lengths: a proxy may have read it otherwise than we do, and taken the rest for another's request.
        self._is_ambiguous = b"content-length" in headers and b"transfer-encoding" in headers
        self._size = 0
        self._declared = int(declared) if declared.isdigit() else 0
        self._is_complete = False
        self._deadline = asyncio.get_running_loop().time() + settings.REQUEST_SECONDS

    async def receive(self) -> Message:
        """The next piece; raises where the limits are passed."""
        if self._is_complete:
            return (
                await self._receive()
            )  # Django waits for the client to hang up, as long as the answer takes
        if self._is_ambiguous:
            raise _Cut(HTTPStatus.BAD_REQUEST)
        if self._declared > self._most:
            raise _Cut(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await self._next()
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            raise _Cut(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise _Cut(HTTPStatus.REQUEST_TIMEOUT) from error
        self._is_complete = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Throw the rest away, as long as it comes in time: most clients read no answer before they have sent all."""
        try:
            while not self._is_complete:
                await self._next()
        except _Cut:
            return


async def _answer(status: HTTPStatus, scope: Scope, send: Send) -> None:
    content_type, body = "text/plain; charset=utf-8", f"{status.value} {status.phrase}"
    if scope["path"].startswith(API_PREFIXES):
        content_type = "application/problem+json"
        words = {"type": "about:blank", "title": status.phrase, "detail": status.description}
        body = json.dumps({**words, "status": status.value, "errors": []})
    headers = {**SecurityHeaders.HEADERS, "Content-Type": content_type, "Content-Length": str(len(body))}
    headers["Connection"] = "close"
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status.value, "headers": raw})
    await send({"type": "http.response.body", "body": body.encode()})
