"""A request has to be small enough and to arrive in time; pieces as a server hands them over."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from core.asgi import BodyLimits

SILENCE = object()
MB = 1024 * 1024


async def _read_all(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Stands for Django: reads everything, then answers with the size."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def talk(pieces: Iterable[object], path: str = "/", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a body in these pieces."""
    sent: list[dict[str, Any]] = []
    rest = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = rest.pop(0) if rest else SILENCE
        if piece is SILENCE:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": piece, "more_body": bool(rest)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(BodyLimits(_read_all)({"type": "http", "path": path, "headers": raw}, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message["body"] for message in sent[1:])


def test_what_is_small_goes_through_untouched() -> None:
    assert talk([b"abc", b"def"])[::2] == (200, b"6")
    assert talk([b""])[::2] == (200, b"0")
    assert talk([b"x" * MB])[::2] == (200, str(MB).encode())


@pytest.mark.parametrize("headers", [{}, {"content_length": str(2 * MB)}], ids=["counted", "declared"])
def test_what_is_too_large_is_a_413(headers: dict[str, str]) -> None:
    status, said, _body = talk([b"x" * MB, b"x" * MB], **headers)

    assert status == 413
    assert said["connection"] == "close"
    assert said["x-content-type-options"] == "nosniff"


def test_the_api_says_so_in_its_own_way() -> None:
    _status, said, body = talk([b"x" * 2 * MB], path="/api/jobs")

    assert said["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == 413


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 200), (12, 413)])
def test_forms_with_files_may_be_larger(size: int, status: int) -> None:
    form = {"content_type": "multipart/form-data; boundary=x"}
    assert talk([b"x" * MB] * size, **form)[0] == status


@pytest.mark.parametrize("before", [[], [b"half", b"of", SILENCE]])
def test_what_does_not_arrive_is_a_408(settings: Any, before: list[object]) -> None:
    settings.REQUEST_SECONDS = 0.05
    assert talk([*before, SILENCE])[0] == 408


def test_dripping_does_not_win_time(settings: Any) -> None:
    """The deadline is the request's, not the piece's."""
    settings.REQUEST_SECONDS = 0.2

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(
        asyncio.wait_for(BodyLimits(_read_all)({"type": "http", "path": "/", "headers": []}, drip, send), 30)
    )
    assert sent[0]["status"] == 408


def test_two_lengths_are_a_400() -> None:
    assert talk([b"x"], content_length="1", transfer_encoding="chunked")[0] == 400


def test_a_client_that_hangs_up_is_not_answered() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"

    asyncio.run(BodyLimits(app)({"type": "http", "path": "/", "headers": []}, receive, None))
