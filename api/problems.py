"""Every error as a problem document (RFC 9457): what is wrong, at which field, and the cure."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db.models import ProtectedError
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from core.errors import Refused, Violation

CONTENT_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="MYP"'  # what to show in place of what was refused
REFUSED = "urn:myp:refused"
INVALID = "urn:myp:invalid"

# Refusals that are about who asks, not about the state of things.
STATUS_OF_CODE = {
    "not_allowed": 403,
    "wrong_credentials": 401,
    "second_factor_needed": 401,
    "wrong_code": 401,
    "locked_out": 429,
    "password_change_needed": 403,
    "second_factor_missing": 403,
}


class Lost(exceptions.APIException):
    """Somebody else has changed the thing since the asker read it."""

    status_code = 412
    default_code = "changed_meanwhile"

    def __init__(self) -> None:
        super().__init__(_("It has been changed since you read it. Read it again, then repeat the change."))


class Taken(Refused):
    """The window is taken; here are others."""

    def __init__(self, no: Refused, alternatives: list[dict[str, Any]]) -> None:
        super().__init__(no.violations)
        self.alternatives = alternatives


class Reused(exceptions.APIException):
    """The idempotency key has already been used for something else."""

    status_code = 422
    default_code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(_("This Idempotency-Key was used for another request. Choose a new one."))


def problem(
    status: int,
    *,
    detail: str = "",
    errors: Iterable[Mapping[str, Any]] = (),
    type_: str = "about:blank",
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The document itself; ``more`` holds members beyond those every problem has."""
    return {
        "type": type_,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [dict(error) for error in errors],
        **(more or {}),
    }


def error(code: str, message: str, *, field: str = "", overridable: bool = False) -> dict[str, Any]:
    """One entry of ``errors``."""
    return {"code": code, "field": field, "message": message, "overridable": overridable}


def of_violations(violations: Iterable[Violation]) -> list[dict[str, Any]]:
    """What a door found wrong, as entries of ``errors``."""
    return [error(v.code, str(v.message), field=v.field, overridable=v.overridable) for v in violations]


def plain(document: Mapping[str, Any]) -> JsonResponse:
    """A problem for the answers that REST framework does not make: middleware, lock-out."""
    return JsonResponse(document, status=document["status"], content_type=CONTENT_TYPE)


def answer(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler; None lets a bug crash visibly."""
    document = _document(exc)
    if document is None:
        return None
    response = Response(document, status=document["status"], content_type=CONTENT_TYPE)
    if header := getattr(exc, "auth_header", CHALLENGE if response.status_code == 401 else None):
        response["WWW-Authenticate"] = header
    wait = getattr(exc, "wait", None) or document.pop("retry_after", None)
    if wait:
        response["Retry-After"] = str(int(wait))
    return response


def _document(exc: Exception) -> dict[str, Any] | None:
    if isinstance(exc, Refused):
        return of_refusal(exc)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied(str(exc) or None)
    elif isinstance(exc, RequestDataTooBig):
        return _single(413, "too_large", _("The request is too large."))
    elif isinstance(exc, ProtectedError):
        return _single(409, "in_use", _("It is still in use, so it cannot be deleted."))
    if isinstance(exc, exceptions.ValidationError):
        return problem(
            400,
            detail=_("The request is not valid; see “errors” for each field."),
            errors=_flat(exc.get_full_details()),
            type_=INVALID,
        )
    if isinstance(exc, exceptions.APIException):
        return _single(exc.status_code, str(exc.get_codes()), str(exc.detail))
    return None


def of_refusal(no: Refused) -> dict[str, Any]:
    """A refusal of a door: 409 unless it is about who asks."""
    errors = of_violations(no.violations)
    status = next((STATUS_OF_CODE[e["code"]] for e in errors if e["code"] in STATUS_OF_CODE), 409)
    detail = " ".join(e["message"] for e in errors)
    more = {name: getattr(no, name) for name in ("retry_after", "alternatives") if hasattr(no, name)}
    return problem(status, detail=detail, errors=errors, type_=REFUSED, more=more)


def _single(status: int, code: str, message: str) -> dict[str, Any]:
    return problem(status, detail=message, errors=[error(code, message)])


def _flat(details: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Every message of a serializer with the dotted path of its field."""
    if isinstance(details, Mapping):
        if "message" in details and "code" in details:
            yield error(str(details["code"]), str(details["message"]), field=path)
            return
        for name, inner in details.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flat(inner, ".".join(part for part in (path, own) if part))
    elif isinstance(details, list):
        for inner in details:
            yield from _flat(inner, path)
