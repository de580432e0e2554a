"""Requests that no browser sends: forged, huge, deep, slow, torn, and with other people's names on them."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.attacks.conftest import REQUEST_SECONDS, Target, Visitor
from tests.processes.running import wait_until
from tests.routes import routes

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

HEADERS = (
    "Content-Security-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
)


def raw(target: Target, text: bytes, seconds: float = 20) -> bytes:
    """Send bytes as they are; what came back until the other side closed."""
    with socket.create_connection(("127.0.0.1", target.port), seconds) as wire:
        wire.settimeout(seconds)
        with contextlib.suppress(OSError):
            wire.sendall(text)
        answer = b""
        with contextlib.suppress(OSError):
            while piece := wire.recv(65536):
                answer += piece
                wire.settimeout(1)  # a connection that is kept for the next request
    return answer


def status(answer: bytes) -> int:
    """Of a raw answer; 0 when the connection was just closed."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


class TestForged:
    """CSRF: a page of another site sends what the browser's session allows."""

    def test_every_page_that_changes_something_wants_the_token(self, target: Target) -> None:
        visitor = target.person("admin")
        answered = {
            route.route: visitor.post(route.fill(), data={"x": "1"}).status_code
            for route in routes()
            if not getattr(route.view, "csrf_exempt", False)
        }
        assert len(answered) > 100
        assert {route: found for route, found in answered.items() if found != 403} == {}

    def test_the_token_of_somebody_else_is_none(self, target: Target) -> None:
        victim, thief = target.person("alice"), target.visitor()
        token = thief.token()
        answer = victim.post("/jobs/1/cancel", data={"csrfmiddlewaretoken": token})
        assert answer.status_code == 403

    def test_every_call_of_the_api_with_a_session_wants_the_token(self, target: Target) -> None:
        visitor = target.person("admin")
        exempt = [r for r in routes() if getattr(r.view, "csrf_exempt", False) and r.route != "<var>"]
        assert exempt
        for route in exempt:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
                answer = visitor.request(method, route.fill(), data="{}", headers=headers)
                assert answer.status_code in {401, 403, 404, 405, 415}, (
                    method,
                    route.route,
                    answer.status_code,
                )

    def test_nobody_is_logged_in_unawares(self, target: Target) -> None:
        body = {"username": "alice", "password": "demo"}
        for headers in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
        ):
            visitor = target.visitor()
            answer = visitor.post("/auth/login", data=body, headers=headers)
            assert answer.status_code == 403, headers
            assert "sessionid" not in visitor.cookies


class TestHeaders:
    def test_every_kind_of_answer_has_them(self, target: Target) -> None:
        person, trainer = target.person("alice"), target.person("trainer")
        picture = target.rows("SELECT picture FROM printers_printer WHERE picture <> '' LIMIT 1")[0][0]
        asked = {
            "page": person.get("/"),
            "404": person.get("/nowhere"),
            "400": person.get("/", headers={"Host": "evil.example"}),
            "static": person.get("/static/icons/icons.svg"),
            "static 304": person.get(
                "/static/icons/icons.svg", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
            ),
            "no file": person.get("/static/nothing.css"),
            "media": person.get(f"/media/{picture}"),
            "health": person.get("/healthz"),
            "api": person.get("/api/jobs"),
            "api 404": person.get("/api/nothing"),
            "admin": trainer.get("/admin/"),
            "trace": person.request("TRACE", "/"),
            "too large": person.post("/", data=b"x" * 2_000_000, headers={"Content-Type": "text/plain"}),
            "too large for the api": person.post("/api/jobs", data=b"x" * 2_000_000),
        }
        missing = [(kind, h) for kind, answer in asked.items() for h in HEADERS if h not in answer.headers]
        assert missing == []
        assert {kind for kind, answer in asked.items() if "unsafe" in answer.headers[HEADERS[0]]} == {"admin"}
        assert asked["static"].status_code == asked["media"].status_code == 200
        assert asked["400"].status_code == 400
        assert {asked[kind].status_code for kind in ("too large", "too large for the api")} == {413}
        assert asked["too large for the api"].headers["Content-Type"] == "application/problem+json"
        assert not any("Server" in answer.headers for answer in asked.values())

    @pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "DEBUG", "FOO"])
    def test_odd_methods(self, target: Target, method: str) -> None:
        text = f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Secret: echo\r\nConnection: close\r\n\r\n"
        answer = raw(target, text.encode())
        assert status(answer) in {400, 405}
        assert b"echo" not in answer

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:1@evil",
            "",
            "[::1",
            "127.0.0.1:99999999",
            "a b",
        ],
    )
    def test_a_forged_host_is_refused(self, target: Target, host: str) -> None:
        text = f"GET /accounts/login/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = raw(target, text.encode())
        assert status(answer) in {400, 404} or (status(answer) == 200 and host.startswith("127.0.0.1:"))
        assert b"evil" not in answer

    def test_line_breaks_do_not_become_headers(self, target: Target) -> None:
        alice = target.person("alice")
        evil = "x\r\nX-Injected: 1\r\nSet-Cookie: sessionid=evil"
        coded = "x%0d%0aX-Injected:%201%0d%0aSet-Cookie:%20sessionid=evil"
        asked = [
            alice.get(f"/{coded}"),
            alice.get(f"/printers/1?from={coded}"),
            alice.get(f"/media/{coded}"),
            alice.get(f"/static/{coded}"),
            target.visitor().get(f"/jobs?{coded}"),
            target.visitor().get(f"/admin/{coded}"),
            alice.submit("/language", {"language": evil, "next": evil}),
            alice.submit("/jobs/1/cancel", {"next": evil, "reason": evil}),
            alice.api(
                "POST",
                "/api/jobs",
                {"printer": 1, "minutes": 30, "title": evil},
                **{"Idempotency-Key": "k-1"},
            ),
            alice.api("GET", f"/api/jobs?ordering={coded}"),
            alice.api("GET", f"/api/jobs?cursor={coded}"),
        ]
        for answer in asked:
            assert answer.status_code < 500
            assert "X-Injected" not in answer.headers
            assert "evil" not in answer.headers.get("Set-Cookie", "")
        for name in ("Idempotency-Key", "Origin", "Accept-Language", "If-Match"):
            text = f"GET /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: a\rX-Injected: 1\r\nConnection: close\r\n\r\n"
            assert b"X-Injected" not in raw(target, text.encode())

    @pytest.mark.parametrize(
        "text",
        [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        ],
        ids=["smuggle", "two lengths", "negative", "odd coding", "two hosts", "space", "version", "nul", "tls", "header", "path"],
    )  # fmt: skip
    def test_a_torn_request_is_refused(self, target: Target, text: bytes) -> None:
        answer = raw(target, text, 10)
        assert status(answer) in {0, 400, 404, 431, 501, 505, 302}
        assert answer.count(b"HTTP/1.1 ") <= 1, "one request, one answer: nothing smuggled"


class TestLarge:
    @pytest.mark.parametrize(
        "path", ["/api/jobs", "/auth/login", "/accounts/login/", "/jobs/1/cancel", "/nowhere"]
    )
    def test_fifty_megabytes_are_refused(self, target: Target, path: str) -> None:
        visitor = target.visitor()
        answer = visitor.post(path, data=b" " * 50_000_000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413

    def test_also_without_telling_their_length(self, target: Target) -> None:
        def pieces() -> Iterator[bytes]:
            for _n in range(50):
                yield b" " * 1_000_000

        answer = target.visitor().post(
            "/api/jobs", data=pieces(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413

    def test_a_form_with_files_may_be_as_large_as_a_picture(self, target: Target) -> None:
        trainer = target.person("trainer")
        files = {"picture": ("a.png", b"\0" * 14_000_000, "image/png")}
        form = {"csrfmiddlewaretoken": trainer.cookies["csrftoken"]}
        assert trainer.post("/admin/printers/printer/1/change/", data=form, files=files).status_code == 413
        files = {"picture": ("a.png", b"\0" * 9_000_000, "image/png")}
        answer = trainer.post("/admin/printers/printer/1/change/", data=form, files=files)
        assert answer.status_code == 200  # the form again: this is no picture

    def test_a_thousand_fields_and_files(self, target: Target) -> None:
        trainer = target.person("trainer")
        token = trainer.cookies["csrftoken"]
        many = {f"f{n}": "1" for n in range(5000)}
        answer = trainer.post("/language", data={"csrfmiddlewaretoken": token, **many})
        assert answer.status_code in {400, 403}
        files = [("picture", (f"{n}.png", b"x", "image/png")) for n in range(500)]
        answer = trainer.post(
            "/admin/printers/printer/1/change/", data={"csrfmiddlewaretoken": token}, files=files
        )
        assert answer.status_code in {400, 403}

    @pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
    @pytest.mark.parametrize("path", ["/api/jobs", "/auth/login", "/api/auth/token"])
    def test_bottomless_json(self, target: Target, text: str, path: str) -> None:
        person = target.person("alice") if path == "/api/jobs" else target.visitor()
        headers = {"Content-Type": "application/json", "X-CSRFToken": person.cookies.get("csrftoken") or ""}
        answer = person.post(path, data=text, headers=headers)
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "text",
        ["", "null", "[]", '"x"', "1e999", "NaN", '{"minutes": 1e400}', '{"printer": ' + "9" * 5000 + "}",
         '{"title": "\\ud800"}', '{"a": 1, "a": 2}', "\xff\xfe", '{"printer": {"$gt": 0}}', '{"printer": [1]}',
         '{"minutes": true, "printer": 1}', '{"starts_at": "9999-12-31T23:59:59Z", "minutes": 30, "printer": 1}'],
    )  # fmt: skip
    def test_odd_json(self, target: Target, text: str) -> None:
        person = target.person("clara")
        headers = {"Content-Type": "application/json", "X-CSRFToken": person.cookies["csrftoken"]}
        answer = person.post("/api/jobs", data=text.encode("latin-1"), headers=headers)
        assert answer.status_code in {400, 409}, answer.text

    def test_a_bomb_that_unpacks_itself_is_not_unpacked(self, target: Target) -> None:
        import gzip  # noqa: PLC0415

        person = target.person("alice")
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "X-CSRFToken": person.cookies["csrftoken"],
        }
        bomb = gzip.compress(b"[" * 50_000_000)
        assert person.post("/api/jobs", data=bomb, headers=headers).status_code in {400, 413, 415}


class TestPaths:
    @pytest.mark.parametrize("before", ["/media/", "/static/"])
    @pytest.mark.parametrize(
        "path",
        ["../myp.sqlite3", "..%2fmyp.sqlite3", "%2e%2e/myp.sqlite3", "....//myp.sqlite3", "..%5cmyp.sqlite3",
         "%2e%2e%2fmyp.sqlite3", "printers/../../myp.sqlite3", "/etc/passwd", "%2fetc%2fpasswd", "..%c0%af..%c0%afetc/passwd",
         "x%00.png", "css/../../../myp.env", "%252e%252e/myp.sqlite3"],
    )  # fmt: skip
    def test_nothing_outside_is_served(self, target: Target, before: str, path: str) -> None:
        person = target.person("alice") if before == "/media/" else target.visitor()
        cookies = "; ".join(f"{c.name}={c.value}" for c in person.cookies)
        text = f"GET {before}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
        answer = raw(target, text.encode())
        assert status(answer) in {400, 404}
        assert b"SQLite format" not in answer
        assert b"root:" not in answer


class TestSlow:
    def test_a_hundred_that_drip_keep_nobody_waiting(self, target: Target) -> None:
        person = target.person("alice")
        stop = threading.Event()
        wires = [socket.create_connection(("127.0.0.1", target.port), 10) for _n in range(100)]
        for n, wire in enumerate(wires):
            head = b"POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            body = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
            wire.sendall(head if n % 2 else head + body)

        def drip() -> None:
            while not stop.wait(0.5):
                for wire in wires:
                    with contextlib.suppress(OSError):
                        wire.send(b"X")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            for _n in range(10):
                began = time.monotonic()
                assert person.get("/").status_code == 200
                assert time.monotonic() - began < 10
            # None of them is still there once the deadline has passed.
            for wire in wires:
                wire.settimeout(REQUEST_SECONDS + 20)
                with contextlib.suppress(OSError):
                    answer = wire.recv(65536)
                    assert answer == b"" or status(answer) in {400, 408}
        finally:
            stop.set()
            thread.join()
            for wire in wires:
                wire.close()
        assert person.get("/").status_code == 200

    @pytest.mark.parametrize(
        "text",
        [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"],
        ids=["nothing", "one byte", "half of the headers"],
    )
    def test_who_does_not_finish_is_cut(self, target: Target, text: bytes) -> None:
        began = time.monotonic()
        answer = raw(target, text, REQUEST_SECONDS + 20)
        assert time.monotonic() - began < REQUEST_SECONDS + 15
        assert answer == b""

    def test_a_body_that_does_not_come_is_a_408(self, target: Target) -> None:
        text = b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"
        answer = raw(target, text, REQUEST_SECONDS + 20)
        assert status(answer) == 408
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["status"] == 408

    def test_a_second_request_on_the_same_wire_is_watched_too(self, target: Target) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", target.port, timeout=REQUEST_SECONDS + 20)
        wire.request("GET", "/healthz")
        wire.getresponse().read()
        wire.sock.sendall(b"GET /heal")
        assert wire.sock.recv(10) == b""
        wire.close()

    def test_idle_connections_do_not_pile_up(self, target: Target) -> None:
        wires = [socket.create_connection(("127.0.0.1", target.port), 10) for _n in range(50)]
        for wire in wires:
            wire.settimeout(0.0)

        def all_cut() -> bool:
            gone = 0
            for wire in wires:
                with contextlib.suppress(BlockingIOError):
                    gone += wire.recv(1) == b""
            return gone == len(wires)

        wait_until(all_cut, REQUEST_SECONDS + 20, "idle connections are kept")
        for wire in wires:
            wire.close()


def test_visitors_have_addresses_of_their_own(target: Target) -> None:
    """The attacks above would else get in each other's way, and prove nothing."""
    first, second = target.visitor(), target.visitor()
    assert isinstance(first, Visitor)
    assert first.address != second.address
