"""What browsers are told to forbid, on every kind of answer; and who a request comes from."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from core.middleware import API_METHODS, PAGE_METHODS, ClientAddress
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
EXACT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def policy(answer: HttpResponse) -> dict[str, list[str]]:
    """The Content-Security-Policy, taken apart."""
    parts = [part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip()]
    return {name: values for name, *values in parts}


@pytest.fixture
def clients(people: object, db: None) -> dict[str, Client]:
    found = {"stranger": Client(), "trainee": Client(), "trainer": Client()}
    found["trainee"].force_login(people.alice)
    found["trainer"].force_login(people.bob)
    for client in found.values():
        client.raise_request_exception = False
    return found


@pytest.fixture
def kinds(clients: dict[str, Client], settings: object) -> Iterator[dict[str, HttpResponse]]:
    """One answer of every kind that the product gives."""
    machine = factories.PrinterFactory()
    name = default_storage.save("printers/kinds.png", ContentFile(b"\x89PNG"))
    settings.ALLOWED_HOSTS = ["testserver"]
    stranger, trainee, trainer = clients["stranger"], clients["trainee"], clients["trainer"]
    found = {
        "page": trainee.get("/"),
        "form": trainee.get(f"/printers/{machine.pk}"),
        "log-in": stranger.get("/accounts/login/"),
        "redirect": stranger.get("/"),
        "not found": stranger.get("/nowhere"),
        "admin, not allowed": trainee.get("/admin/printers/printer/"),
        "no token": Client(enforce_csrf_checks=True).post("/accounts/login/", {}),
        "bad host": stranger.get("/", headers={"host": "evil.example"}),
        "bad host of a file": stranger.get("/static/css/app.css", headers={"host": "evil.example"}),
        "odd method": stranger.generic("TRACE", "/"),
        "static": stranger.get("/static/css/app.css"),
        "media": trainee.get(f"/media/{name}"),
        "api": trainee.get("/api/jobs"),
        "api, nobody": stranger.get("/api/jobs"),
        "api, nothing there": stranger.get("/api/nowhere"),
        "health": stranger.get("/healthz"),
        "admin": trainer.get("/admin/"),
        "admin, not found": trainer.get("/admin/nowhere/"),
        "admin, verb": trainer.get("/admin/core/schedulerstate/1/do/stop/"),
        "history": trainer.get(f"/admin/printers/printer/{machine.pk}/history/"),
    }
    yield found
    for answer in found.values():
        answer.close()
    default_storage.delete(name)


def test_every_kind_of_answer_carries_every_header(kinds: dict[str, HttpResponse]) -> None:
    wrong = {
        (kind, name): answer.get(name)
        for kind, answer in kinds.items()
        for name, value in EXACT.items()
        if answer.get(name) != value
    }
    assert wrong == {}
    for kind, answer in kinds.items():
        forbidden = answer["Permissions-Policy"].split(", ")
        assert {"camera=()", "microphone=()", "geolocation=()", "usb=()", "payment=()"} <= set(forbidden), (
            kind
        )
    assert kinds["bad host"].status_code == 400
    assert kinds["odd method"].status_code == 405


def test_the_policy_is_strict_everywhere_but_in_the_admin(kinds: dict[str, HttpResponse]) -> None:
    for kind, answer in kinds.items():
        found = policy(answer)
        assert "default-src" in found, kind
        assert found["frame-ancestors"] == ["'none'"], kind
        assert found["form-action"] in (["'self'"], ["'none'"]) if "sandbox" not in found else True, kind
        said = {value for values in found.values() for value in values}
        if kind.startswith("admin") or kind == "history":
            assert said & {"'unsafe-eval'", "'unsafe-inline'"} == {"'unsafe-eval'", "'unsafe-inline'"}
            assert found["script-src"] == ["'self'", "'unsafe-eval'"]
            assert found["style-src"] == ["'self'", "'unsafe-inline'"]
            said -= {"'unsafe-eval'", "'unsafe-inline'"}
        # Nothing from other sites, whatever the page.
        assert said <= {"'self'", "'none'", "data:"}, (kind, said)


def test_an_error_of_ours_carries_them_too(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("reservations.presenting.pages.live", broken)
    answer = clients["trainee"].get("/")

    assert answer.status_code == 500
    assert {name: answer.get(name) for name in EXACT} == EXACT
    assert policy(answer)["script-src"] == ["'self'"]
    assert b"RuntimeError" not in answer.content


class TestOtherOrigins:
    """CORS is off; switched on it is for the named origins and the API alone, and never with cookies."""

    def preflight(self, path: str, origin: str = "https://board.example") -> HttpResponse:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return Client().options(path, headers=asked)

    def test_off_by_default(self, db: None) -> None:
        for path in ("/api/jobs", "/auth/login", "/"):
            answer = self.preflight(path)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")], path
            plain = Client().get(path, headers={"Origin": "https://board.example"})
            assert "Access-Control-Allow-Origin" not in plain

    def test_per_origin_and_for_the_api_alone(self, db: None, settings: object) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://board.example"]

        allowed = self.preflight("/api/jobs")
        assert allowed["Access-Control-Allow-Origin"] == "https://board.example"
        assert "Access-Control-Allow-Credentials" not in allowed
        assert "authorization" in allowed["Access-Control-Allow-Headers"]
        assert self.preflight("/auth/login")["Access-Control-Allow-Origin"] == "https://board.example"
        for path, origin in [
            ("/api/jobs", "https://evil.example"),
            ("/api/jobs", "https://board.example.evil.example"),
            ("/api/jobs", "http://board.example"),
            ("/api/jobs", "null"),
            ("/", "https://board.example"),
            ("/admin/", "https://board.example"),
            ("/accounts/login/", "https://board.example"),
        ]:
            assert "Access-Control-Allow-Origin" not in self.preflight(path, origin), (path, origin)


class TestAddress:
    """Only a trusted proxy is believed, and only what it wrote itself."""

    def seen(self, peer: str, forwarded: str | None = None, **more: str) -> HttpRequest:
        request = RequestFactory().get("/", REMOTE_ADDR=peer, **more)
        if forwarded is not None:
            request.META["HTTP_X_FORWARDED_FOR"] = forwarded
        ClientAddress(lambda r: HttpResponse())(request)
        return request

    @pytest.mark.parametrize(
        ("peer", "forwarded", "address"),
        [
            ("10.0.0.9", "1.1.1.1", "10.0.0.9"),  # not our proxy: its word counts for nothing
            ("127.0.0.1", None, "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "10.0.0.9", "10.0.0.9"),
            ("127.0.0.1", "1.1.1.1, 10.0.0.9", "10.0.0.9"),  # the client's own word stands before
            ("127.0.0.1", "1.1.1.1, 10.0.0.9, 10.0.0.2", "10.0.0.9"),  # a second proxy of ours
            ("127.0.0.1", "1.1.1.1, unknown", "127.0.0.1"),
            ("127.0.0.1", "1.1.1.1, 10.0.0.9, <script>", "127.0.0.1"),
            ("127.0.0.1", "1.1.1.1,", "127.0.0.1"),
            ("::ffff:127.0.0.1", "::ffff:10.0.0.9", "10.0.0.9"),
            ("::1", "2001:DB8:0::1", "2001:db8::1"),
        ],
    )
    def test_behind_a_proxy(self, settings: object, peer: str, forwarded: str, address: str) -> None:
        settings.TRUSTED_PROXIES = ["127.0.0.1", "::1", "10.0.0.2"]
        assert self.seen(peer, forwarded).META["REMOTE_ADDR"] == address

    def test_without_a_proxy_nothing_is_believed(self, settings: object) -> None:
        settings.TRUSTED_PROXIES = []
        assert self.seen("127.0.0.1", "1.1.1.1").META["REMOTE_ADDR"] == "127.0.0.1"

    @pytest.mark.parametrize(("peer", "is_secure"), [("127.0.0.1", True), ("10.0.0.9", False)])
    def test_the_scheme_is_the_proxys_word_alone(self, settings: object, peer: str, is_secure: bool) -> None:
        settings.TRUSTED_PROXIES = ["127.0.0.1"]
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        assert self.seen(peer, HTTP_X_FORWARDED_PROTO="https").is_secure() is is_secure


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND", "G" * 200])
def test_odd_methods_are_refused_everywhere(clients: dict[str, Client], method: str) -> None:
    for path in ("/", "/accounts/login/", "/admin/", "/api/jobs", "/static/css/app.css"):
        answer = clients["trainer"].generic(method, path, HTTP_X_SECRET="do not echo")
        assert answer.status_code == 405, (method, path)
        assert answer["Allow"] == ", ".join(API_METHODS if path == "/api/jobs" else PAGE_METHODS)
        assert b"do not echo" not in answer.content


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_pages_know_get_and_post_alone(clients: dict[str, Client], method: str) -> None:
    for path in (
        "/",
        "/jobs",
        "/jobs/1/cancel",
        "/accounts/login/",
        "/admin/printers/printer/",
        "/language",
        "/healthz",
    ):
        assert clients["trainer"].generic(method, path).status_code == 405, path


SETTINGS = """
import django
from django.conf import settings as s
django.setup()
from django.test import Client
from django.core.management import call_command
call_command("migrate", verbosity=0)
answer = Client().get("/accounts/login/", secure=True)
print(repr({
    "cookies": {name: (bool(c["secure"]), bool(c["httponly"]), c["samesite"]) for name, c in answer.cookies.items()},
    "session": (s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE),
    "hsts": answer.get("Strict-Transport-Security"),
    "plain": Client().get("/accounts/login/").headers.get("Location"),
    "debug": s.DEBUG,
}))
"""


def in_production(tmp_path: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "myp_project.settings",
        "MYP_ENV_FILE": os.devnull,
        "MYP_DATA_DIR": str(tmp_path),
        "MYP_SECRET_KEY": "aBcD1234" * 8,
        "MYP_FIELD_KEY": "9fE8d7C6" * 8,
        "MYP_ALLOWED_HOSTS": "testserver,myp.example",
        "MYP_DATABASE_URL": "sqlite://:memory:",
        "MYP_SIMULATION": "false",
        "MYP_HTTPS": "true",
        **more,
    }
    (tmp_path / "static").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *argv], env=environment, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )  # fmt: skip


def test_in_production_cookies_are_for_https_alone_and_not_for_scripts(tmp_path: Path) -> None:
    done = in_production(tmp_path, "-c", SETTINGS, MYP_HSTS_SECONDS="3600")
    assert done.returncode == 0, done.stderr
    found = eval(done.stdout)  # what the child printed a line above

    assert found["cookies"]["csrftoken"] == (True, True, "Lax")
    assert all(cookie[0] for cookie in found["cookies"].values())
    assert found["session"] == (True, True, "Lax")
    assert found["hsts"] == "max-age=3600"
    assert found["plain"] == "https://testserver/accounts/login/"
    assert found["debug"] is False


def test_in_production_passwords_are_hashed_slowly() -> None:
    """The tests hash quickly; the product's own settings do not."""
    first = import_module("myp_project.settings").PASSWORD_HASHERS[0]
    assert first == f"{BCryptSHA256PasswordHasher.__module__}.{BCryptSHA256PasswordHasher.__name__}"
    assert BCryptSHA256PasswordHasher.rounds == 12


def test_the_deployment_check_is_clean(tmp_path: Path) -> None:
    done = in_production(
        tmp_path, "manage.py", "check", "--deploy", "--tag", "security", "--fail-level", "WARNING",
        MYP_HSTS_SECONDS="3600",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
