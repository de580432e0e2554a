"""One running product for all attacks, and visitors with addresses of their own.

It believes the proxy on this machine, so that every visitor can come from another address: what one attack
gets locked does not shut the others out.
"""

import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller

from core.supervision.ports import free_ports
from tests.processes.running import health, manage, started, wait_until

PASSWORD = "demo"
REQUEST_SECONDS = 3
_hosts = itertools.count(1)
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Target:
    """The product under attack."""

    def __init__(self, data: Path, port: int, pid: int, mails: "Mailbox") -> None:
        self.data, self.port, self.pid, self.mails = data, port, pid, mails
        self.url = f"http://127.0.0.1:{port}"
        self.visitors: list[Visitor] = []
        self._cookies: dict[str, dict[str, str]] = {}

    def visitor(self, address: str = "") -> "Visitor":
        """Somebody who has not logged in, from an address nobody else has."""
        number = next(_hosts)
        visitor = Visitor(self.url, address or f"10.66.{number // 250}.{number % 250 + 1}")
        self.visitors.append(visitor)
        return visitor

    def person(self, name: str, *, anew: bool = False) -> "Visitor":
        """Somebody who has logged in; in a session of their own if ``anew``, since each costs a password's check."""
        visitor = self.visitor()
        if anew or name not in self._cookies:
            answer = visitor.log_in(name, PASSWORD)
            assert answer.status_code == 302, (answer.status_code, answer.text[:500])
        if not anew:
            visitor.take(self._cookies.setdefault(name, dict(visitor.cookies)))
        return visitor

    def let_in(self, names: list[str]) -> None:
        """Sessions for many, without the price of a password's check each."""
        keys = self.run(
            "from django.test import Client\nfrom accounts.models import User\nout = {}\n"
            f"for name in {names!r}:\n"
            "    client = Client()\n    client.force_login(User.objects.get(username=name))\n"
            "    out[name] = client.cookies['sessionid'].value"
        )
        for name, key in keys.items():
            visitor = self.visitor()
            visitor.take({"sessionid": key})
            visitor.token("/")
            self._cookies[name] = dict(visitor.cookies)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What stands in the database, read beside the product."""
        connection = sqlite3.connect(f"file:{self.data / 'myp.sqlite3'}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def run(self, code: str) -> Any:
        """Run Python inside the product's Django; what it binds to ``out`` comes back as JSON."""
        done = manage(
            self.data, "shell", "-v", "0", "-c", f"{code}\nimport json; print('\\n' + json.dumps(out))"
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def ports(self) -> list[int]:
        """Where the simulated plugs listen, and last the control port."""
        found: list[int] = json.loads((self.data / "simulation-ports.json").read_text())
        return found

    def log(self) -> str:
        """What the product wrote."""
        return (self.data / "output.log").read_text(encoding="utf-8", errors="replace")


class Visitor(requests.Session):
    """A browser without a screen: cookies, forms with their token, and no following of redirects by itself."""

    def __init__(self, url: str, address: str) -> None:
        super().__init__()
        self.trust_env = False
        self.base, self.address = url, address
        self.headers["X-Forwarded-For"] = address

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Paths instead of addresses; redirects are answers."""
        kwargs.setdefault("allow_redirects", False)
        kwargs.setdefault("timeout", 60)
        return super().request(method, url if url.startswith("http") else self.base + url, *args, **kwargs)

    def get(self, url: Any, **kwargs: Any) -> requests.Response:
        """Without following, unless asked."""
        return super().get(url, **{"allow_redirects": False, **kwargs})

    def take(self, cookies: dict[str, str]) -> None:
        """Use somebody's cookies."""
        for name, value in cookies.items():
            self.cookies.set(name, value, domain="127.0.0.1", path="/")

    def token(self, page: str = "/accounts/login/") -> str:
        """A CSRF token that fits the cookie."""
        answer = self.get(page, allow_redirects=True)
        found = _TOKEN.search(answer.text)
        assert found, (page, answer.status_code)
        return found.group(1)

    def submit(
        self, path: str, data: dict[str, Any] | None = None, *, page: str = "", **more: Any
    ) -> requests.Response:
        """Send a form, with the token of ``page`` (by default any page of this person's)."""
        if "csrftoken" not in self.cookies or page:
            self.token(page or "/accounts/login/")
        body = {"csrfmiddlewaretoken": self.cookies["csrftoken"], **(data or {})}
        return self.post(path, data=body, **more)

    def log_in(self, name: str, password: str, **more: str) -> requests.Response:
        """Name and password into the page's form."""
        return self.submit("/accounts/login/", {"login": name, "password": password, **more})

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """A call with the session's cookie and its token, as a script on one of our pages would make it."""
        headers.setdefault("X-CSRFToken", self.cookies.get("csrftoken") or "")
        return self.request(method, path, json=body, headers=headers)


class Mailbox:
    """Takes every mail that the product sends."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        """aiosmtpd's name for it."""
        self.letters.append(envelope.content.decode("utf-8", errors="replace"))
        return "250 OK"


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The demo with its example workshop, behind a proxy that we play."""
    data = tmp_path_factory.mktemp("attacked")
    port, mail_port = free_ports(2)
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mail_port)
    controller.start()
    settings = {
        "DJANGO_SETTINGS_MODULE": "myp_project.settings",
        "MYP_SIMULATION": "true",
        "MYP_BEHIND_PROXY": "true",
        "MYP_TRUSTED_PROXIES": "127.0.0.1",
        "MYP_TWO_FACTOR_ROLES": "",
        "MYP_REQUEST_SECONDS": str(REQUEST_SECONDS),
        "MYP_EMAIL_HOST": "127.0.0.1",
        "MYP_EMAIL_PORT": str(mail_port),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MYP_DATABASE_URL", raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        with started(data, "manage.py", "demo", "--port", str(port)) as process:
            log = data / "output.log"

            def is_ready() -> bool:
                assert process.poll() is None, log.read_text()
                return health(port)[0] == 200

            wait_until(is_ready, 120, "the demo did not become healthy")
            yield Target(data, port, process.pid, mailbox)
    controller.stop()


def faults(target: Target) -> int:
    """How often the product has answered 500, or worse."""
    return len(re.findall(r"Internal Server Error|Exception in ASGI application", target.log()))


def last_faults(target: Target) -> str:
    """Where, and the last line of each traceback."""
    said = re.findall(
        r"Internal Server Error.*|^\S+ +\| (?:[\w.]+Error|[\w.]+Exception)\b.*", target.log(), re.MULTILINE
    )
    return "\n".join(said[-12:])


@pytest.fixture(autouse=True)
def nothing_broke(target: Target) -> Iterator[None]:
    """Whatever is thrown at it: the product has not broken, whether the attack saw it or not."""
    before = faults(target)
    yield
    while target.visitors:
        target.visitors.pop().close()
    assert faults(target) == before, last_faults(target)
