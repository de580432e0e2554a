"""How the API describes itself (OpenAPI 3.1).

What every operation has in common is added here once, so that no view has to repeat it: readable ids, the errors
an operation can answer, the headers of the answers, ``Idempotency-Key`` and ``If-Match``, and how to sign in.
"""

import re
from collections.abc import Iterator
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from rest_framework.permissions import SAFE_METHODS

from api import describing

VERBS = {
    "list": "list",
    "retrieve": "get",
    "create": "create",
    "update": "replace",
    "partial_update": "update",
    "destroy": "delete",
}
BY_METHOD = {"GET": "get", "POST": "", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


class Described(AutoSchema):
    """Every operation, with the errors it can answer."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """As drf-spectacular sees it, with what it cannot see."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("parameters", []).extend(self._headers_to_send())
        for status, response in operation["responses"].items():
            if headers := list(self._headers_of(int(status))):
                response.setdefault("headers", {}).update(
                    {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
                )
        for status in self._errors(operation):
            operation["responses"].setdefault(
                str(status), {"$ref": f"#/components/responses/{describing.NAMES[status]}"}
            )
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        """What we show may be empty: an address that nobody has named is no address."""
        schema = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if direction == "response" and schema and schema.get("format") in {"email", "uri"}:
            schema = {name: value for name, value in schema.items() if name != "format"}
        return schema

    def _resolve_path_parameters(self, variables: Any) -> list[dict[str, Any]]:
        """An id is a number, though the routes name the digits."""
        found: list[dict[str, Any]] = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        for parameter in found:
            if parameter["schema"].get("pattern", "").startswith("^[0-9]"):
                parameter["schema"] = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
        return found

    def map_parsers(self) -> list[str]:
        """Forms are read as well, but only the log-in says so: clients that are generated send one kind."""
        return ["application/json"]

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        """They judge what comes in, and say nothing of what we show."""
        if not field.read_only:
            super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]

    def get_operation_id(self) -> str:
        """``jobs_list``, ``jobs_extend``, ``auth_token_refresh``."""
        return "_".join(filter(None, [*self._words(), self._verb()]))

    def get_tags(self) -> list[str]:
        """The first word of the path; the two short ways in belong to the others."""
        first = self._words()[0]
        return ["auth" if first in {"login", "logout"} else first]

    def get_summary(self) -> str:
        """The first line of the method's own words."""
        said = super().get_summary()
        if said:
            return str(said)
        first = _plain(get_doc(self._handler())).partition("\n")[0].rstrip(".")
        if self._is_inherited():
            return f"{self.get_tags()[0].capitalize()}: {first[:1].lower()}{first[1:]}"
        return first

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular's
        """What else the method says, and what is true for the whole resource."""
        _first, _line, rest = _plain(get_doc(self._handler())).partition("\n")
        return "\n\n".join(filter(None, [rest.strip(), _plain(get_doc(type(self.view)))]))

    def _words(self) -> list[str]:
        """The fixed parts of the path, as words."""
        parts = [part for part in self.path.strip("/").split("/") if part and "{" not in part]
        words = [re.sub(r"\W+", "_", part.rpartition(".")[0] or part) for part in parts]
        return words[1:]

    def _verb(self) -> str:
        action = getattr(self.view, "action", None)
        if action in VERBS:
            return VERBS[action]
        if len({method.upper() for method in self.view.allowed_methods} - {"OPTIONS", "HEAD"}) < 2:
            return ""
        return BY_METHOD[self.method]

    def _handler(self) -> Any:
        return getattr(self.view, getattr(self.view, "action", None) or self.method.lower())

    def _is_inherited(self) -> bool:
        return getattr(self.view, "action", None) in {"list", "retrieve"}

    def _takes_key(self) -> bool:
        return bool(getattr(self._handler(), "answers_once", False))

    def _changes_one(self) -> bool:
        return self.method == "PATCH" or (self.method not in SAFE_METHODS and "{" in self.path)

    def _takes_match(self) -> bool:
        return self._changes_one() and hasattr(self.view, "demand_match")

    def _headers_to_send(self) -> Iterator[dict[str, str]]:
        names = []
        if self._takes_key():
            names.append("IdempotencyKey")
        if self._takes_match():
            names.append("IfMatch")
        if self.method == "GET":
            names.append("IfNoneMatch")
        if self._is_inherited():
            names.append("Fields")
        return ({"$ref": f"#/components/parameters/{name}"} for name in names)

    def _headers_of(self, status: int) -> Iterator[str]:
        """Of an answer that is no error; those of the errors stand in their components."""
        if status in {200, 201}:
            yield "ETag"
        if status == 201 and getattr(self.view, "action", None) == "create":
            yield "Location"
        if self._takes_key():
            yield "Idempotency-Replayed"
        yield from describing.LIMITS

    def _errors(self, operation: dict[str, Any]) -> Iterator[int]:
        """The statuses with a problem document, and 304."""
        yield from (401, 403, 406, 429)
        sends = "requestBody" in operation
        asks = any(parameter.get("in") == "query" for parameter in operation["parameters"])
        if sends or asks or self._is_inherited() or self._takes_key() or self.get_filter_backends():
            yield 400
        if "{" in self.path:
            yield 404
        if self.method == "GET":
            yield 304
        elif self.get_tags() != ["auth"] or self._takes_key():
            yield 409
        if self._takes_match():
            yield 412
        if sends:
            yield from (413, 415)
        if self._takes_key():
            yield 422


def _plain(doc: str) -> str:
    """Docstrings are written for Sphinx; descriptions are Markdown."""
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", doc).replace("``", "`").strip()


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Both kinds of bearer."""

    target_class = "api.authentication.BearerAuthentication"
    name = ["personalToken", "accessToken"]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """One for each name."""
        return [describing.SCHEMES[name] for name in self.name]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """One of them is enough."""
        return [{name: []} for name in self.name]


class CookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """A browser's session; changes need the CSRF token as well."""

    target_class = "api.authentication.CookieAuthentication"
    name = ["session", "csrfToken"]

    def get_security_definition(self, auto_schema: Any) -> Any:
        """One for each name."""
        return [describing.SCHEMES[name] for name in self.name]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """Both for a change."""
        names = ["session"] if auto_schema.method in SAFE_METHODS else ["session", "csrfToken"]
        return {name: [] for name in names}


class CalendarScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Calendars know nothing but a name and a password."""

    target_class = "api.authentication.CalendarAuthentication"
    name = "calendarToken"

    def get_security_definition(self, auto_schema: Any) -> Any:
        """Basic."""
        return describing.SCHEMES["calendarToken"]


def complete(result: dict[str, Any], **_more: Any) -> dict[str, Any]:
    """drf-spectacular's last hook: the parts that the operations refer to."""
    result["info"]["description"] = describing.DESCRIPTION
    components = result["components"]
    components["schemas"] = dict(sorted({**components.get("schemas", {}), **describing.SCHEMAS}.items()))
    components["responses"] = describing.responses()
    components["headers"] = describing.HEADERS
    components["parameters"] = describing.PARAMETERS
    return result
