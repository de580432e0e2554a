"""The parts of the schema that every operation shares: problems, headers, ways to sign in."""

from http import HTTPStatus
from typing import Any

from api.problems import CONTENT_TYPE

DESCRIPTION = """\
Books the machines of a workshop, and switches their mains.

**Signing in.** A browser uses its session (`POST /auth/login`) and sends the CSRF token in `X-CSRFToken` with every
change. A script uses a personal token, made at `/api/auth/tokens` and shown once: `Authorization: Bearer myp_…`. A program
that acts for a person for a while gets a pair of tokens at `POST /api/auth/token`.

**Errors** are problem documents (RFC 9457). `errors` names everything that is wrong at once: a stable `code`, the
`field`, a `message` in the language of `Accept-Language` (de, en), and whether a trainer may waive it (`overridable`).

**Repeating.** A `POST` that creates takes an `Idempotency-Key`: sent again with the same key, it gives the first
answer and creates nothing. **Changing.** Send the `ETag` you know as `If-Match`: 412 says that somebody else has changed
the thing meanwhile. **Reading again.** Send the `ETag` as `If-None-Match`: 304 has no body.

**Lists** come in pages: follow `next` until it is null. `limit` says how many rows, `ordering` in which order, `fields`
which members. Instants are ISO 8601 with offset. A slash at the end of a path may be there or not.
"""

NAMES = {
    304: "NotModified",
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "UnprocessableContent",
    429: "TooManyRequests",
}
_SAYS = {
    304: "What `If-None-Match` names is still right.",
    400: "The request is not valid; `errors` names every field.",
    401: "Not signed in, or with something that is not valid, or no longer.",
    403: "Signed in, but not allowed to do this; or the CSRF token is missing; or the token may only read.",
    404: "It is not there, or not for you to know of.",
    406: "We do not write what `Accept` asks for.",
    409: "The rules say no. `errors` has every reason; where the window was taken, `alternatives` has the next three that are free.",
    412: "It was changed since you read it (`If-Match`).",
    413: "The body is too large.",
    415: "We do not read this `Content-Type`.",
    422: "The `Idempotency-Key` was used for another request.",
    429: "Too many requests, or locked after too many failures. `Retry-After` says how many seconds to wait.",
}
_CODES = {
    400: ("required", "printer", "This field is required."),
    401: ("not_authenticated", "", "Authentication credentials were not provided."),
    403: ("not_allowed", "owner", "Only trainers book for others."),
    404: ("not_found", "", "Not found."),
    406: ("not_acceptable", "", "Could not satisfy the request Accept header."),
    409: ("window_taken", "starts_at", "The machine is taken from 10:00 to 12:00."),
    412: ("changed_meanwhile", "", "It has been changed since you read it. Read it again, then repeat the change."),
    413: ("too_large", "", "The request is too large."),
    415: ("unsupported_media_type", "", "Unsupported media type “application/xml” in request."),
    422: ("idempotency_key_reused", "", "This Idempotency-Key was used for another request. Choose a new one."),
    429: ("throttled", "", "Request was throttled. Expected available in 17 seconds."),
}  # fmt: skip

_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}

SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "What is wrong (RFC 9457).",
        "properties": {
            "type": {**_TEXT, "format": "uri", "description": "`about:blank`, `urn:myp:invalid` or `urn:myp:refused`."},
            "title": {**_TEXT, "description": "The status in words."},
            "status": {"type": "integer"},
            "detail": {**_TEXT, "description": "For people, in their language."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemError"}},
            "alternatives": {
                "type": "array",
                "description": "Only where the window was taken: the next that are free.",
                "items": {"$ref": "#/components/schemas/FreeWindow"},
            },
        },
        "required": ["type", "title", "status", "detail", "errors"],
    },
    "ProblemError": {
        "type": "object",
        "properties": {
            "code": {**_TEXT, "description": "Stable; made for programs."},
            "field": {**_TEXT, "description": "The field it belongs to; empty for the whole."},
            "message": {**_TEXT, "description": "For people, in their language."},
            "overridable": {"type": "boolean", "description": "Whether a trainer may waive it with a reason."},
        },
        "required": ["code", "field", "message", "overridable"],
    },
    "FreeWindow": {
        "type": "object",
        "properties": {"printer": {"type": "integer"}, "starts_at": _INSTANT, "ends_at": _INSTANT},
        "required": ["printer", "starts_at", "ends_at"],
    },
}  # fmt: skip

LIMITS = ("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
HEADERS: dict[str, Any] = {
    "ETag": {"description": "The version, for `If-Match` and `If-None-Match`.", "schema": _TEXT},
    "Location": {"description": "Where the new thing is.", "schema": {**_TEXT, "format": "uri"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to come in.", "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "`true`: this is the answer to an earlier request with the same key.",
        "schema": _TEXT,
    },
    "RateLimit": {
        "description": "What is left of each limit: `r` requests for `t` seconds.",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {"description": "The limits: `q` requests in `w` seconds.", "schema": _TEXT},
    "RateLimit-Limit": {"description": "Of the limit that is nearest.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "Requests left of it.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until it is whole again.", "schema": {"type": "integer"}},
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Of your choice, new for each thing to be created. A repeat with it gives the first answer.",
        "schema": {**_TEXT, "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` you know: 412 where it is no longer the present one.",
        "schema": _TEXT,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` you have: 304 where it is still the present one.",
        "schema": _TEXT,
    },
    "Fields": {
        "name": "fields",
        "in": "query",
        "description": "Only these members, with commas between them (`id,name`); all when left out.",
        "schema": _TEXT,
    },
}

SCHEMES: dict[str, Any] = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A browser's session, from `POST /auth/login` or the log-in page.",
    },
    "csrfToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "With a session, for every change: the token of the log-in's answer or of `GET /api/auth/session`.",
    },
    "personalToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "myp_…",
        "description": "A personal token; one that may only read is refused for changes.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "From `POST /api/auth/token`; valid for five minutes.",
    },
    "calendarToken": {
        "type": "http",
        "scheme": "basic",
        "description": "For calendar programs: the user name, and a personal token in place of the password.",
    },
}


def responses() -> dict[str, Any]:
    """One component for each status."""
    return {name: _response(status) for status, name in NAMES.items()}


def _response(status: int) -> dict[str, Any]:
    headers = [*LIMITS, *({401: ["WWW-Authenticate"], 429: ["Retry-After"], 304: ["ETag"]}.get(status, []))]
    described: dict[str, Any] = {
        "description": _SAYS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    if status == 304:
        return described
    example = _example(status)
    described["content"] = {
        CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    }
    return described


def _example(status: int) -> dict[str, Any]:
    code, field, message = _CODES[status]
    kind = {400: "urn:myp:invalid", 403: "urn:myp:refused", 409: "urn:myp:refused"}.get(status, "about:blank")
    more: dict[str, Any] = {}
    if status == 409:
        window = {"starts_at": "2026-03-02T12:00:00+01:00", "ends_at": "2026-03-02T14:00:00+01:00"}
        more["alternatives"] = [{"printer": 3, **window}]
    return {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "errors": [{"code": code, "field": field, "message": message, "overridable": False}],
        **more,
    }
