"""A person at a page: one connection, cookies, forms."""

import http.client
from collections.abc import Mapping
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from bench.furnishing import PASSWORD
from bench.product import HOST


class Browser:
    """Use it as a context manager; not for several threads."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=30)
        self._cookies: dict[str, str] = {}

    def log_in(self, username: str) -> None:
        """Through the login page. `RuntimeError` when it does not let us in."""
        self.get("/accounts/login/")
        status, place, _body = self.post("/accounts/login/", {"login": username, "password": PASSWORD})
        if status != 302 or "login" in place:
            raise RuntimeError(f"login of {username}: {status} {place}")

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Status, where it sends us to, body."""
        return self._ask("GET", path, None)

    def post(self, path: str, fields: Mapping[str, str]) -> tuple[int, str, bytes]:
        """Send a form, with the token that the cookie holds."""
        return self._ask("POST", path, {**fields, "csrfmiddlewaretoken": self._cookies.get("csrftoken", "")})

    def forget(self, cookie: str) -> None:
        """As if a page had shown it and thrown it away."""
        self._cookies.pop(cookie, None)

    def _ask(self, method: str, path: str, fields: Mapping[str, str] | None) -> tuple[int, str, bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = None
        if fields is not None:
            body = urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        received = answer.read()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.coded_value
        return answer.status, answer.headers.get("Location", ""), received

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
