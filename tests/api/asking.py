"""Programs that ask the API: JSON goes in, JSON comes out."""

from typing import Any

from django.test import Client

from accounts.choices import Scope
from accounts.domain.tokens import issue
from accounts.models import User
from core import clock
from core.actor import Actor, Channel

PASSWORD = "demo"  # of everybody the factories make


class Caller(Client):
    """Django's client, with JSON as the language. ``headers`` go along with every request."""

    def generic(self, method: str, path: str, data: Any = "", content_type: str = "", **more: Any) -> Any:
        """Whatever is no text goes out as JSON (see ``_encode_json``)."""
        return super().generic(method, path, data, content_type or "application/json", **more)

    def send(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        """One request; header names with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = "" if data is None else self._encode_json(data, "application/json")
        return self.generic(method, path, body, "application/json", headers=given)

    def ask(self, path: str, **headers: str) -> Any:
        """GET."""
        return self.send("GET", path, **headers)

    def tell(self, path: str, data: Any = None, **headers: str) -> Any:
        """POST."""
        return self.send("POST", path, data, **headers)

    def change(self, path: str, data: Any = None, **headers: str) -> Any:
        """PATCH."""
        return self.send("PATCH", path, data, **headers)


def bearing(credential: str, **more: str) -> Caller:
    """With a bearer's header; English, so that messages can be read here."""
    return Caller(headers={"authorization": f"Bearer {credential}", "accept-language": "en", **more})


def key_of(user: User, scope: Scope = Scope.WRITE, name: str = "script") -> str:
    """A new personal token."""
    _token, plain = issue(user.pk, name, scope, None, actor=Actor(user.pk, Channel.WEB), now=clock.now())
    return plain


def by_token(user: User, scope: Scope = Scope.WRITE, name: str = "script") -> Caller:
    """With a personal token of the person's."""
    return bearing(key_of(user, scope, name))


def codes(answer: Any) -> set[str]:
    """The codes of a problem document."""
    return {error["code"] for error in answer.json()["errors"]}


def is_problem(answer: Any, status: int) -> bool:
    """A problem document of this status, whole."""
    document = answer.json()
    return (
        answer.status_code == status == document["status"]
        and answer["Content-Type"] == "application/problem+json"
        and {"type", "title", "status", "detail", "errors"} <= set(document)
        and all(set(error) == {"code", "field", "message", "overridable"} for error in document["errors"])
    )
