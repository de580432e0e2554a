"""``Idempotency-Key``: a request whose answer was lost can be sent again, and is done once.

The key, the work and the answer are one transaction: either all of them are there after a crash, or none.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.models import GivenAnswer
from api.problems import CONTENT_TYPE, Reused
from core import clock

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 200
# Answers that say nothing about the request itself: the next try may fare better.
_FLEETING = {401, 403, 429}

V = TypeVar("V", bound=Callable[..., Response])


def once(handler: V) -> V:
    """Decorate a handler that creates: a repeat with the same key gives the first answer."""

    @wraps(handler)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
            raise ValidationError({"Idempotency-Key": [_("1 to 200 printable characters.")]})
        fingerprint = _fingerprint(request)
        with transaction.atomic():
            given, is_new = GivenAnswer.objects.get_or_create(
                user=view.person, key=key, defaults={"fingerprint": fingerprint, "at": clock.now()}
            )
            if not is_new:
                return _again(given, fingerprint)
            response = _try(handler, view, request, *args, **kwargs)
            _keep(given, response)
        return response

    wrapper.answers_once = True  # type: ignore[attr-defined] # the schema looks for it
    return wrapper  # type: ignore[return-value]


def _fingerprint(request: Request) -> str:
    inner = request._request
    # The body first: once REST framework has read the stream, it is gone.
    text = b"\n".join([(inner.method or "").encode(), inner.get_full_path().encode(), inner.body])
    return sha256(text).hexdigest()


def _try(handler: Callable[..., Response], view: Any, *args: Any, **kwargs: Any) -> Response:
    """The handler's answer, a refusal included; what it wrote before a refusal is taken back."""
    try:
        with transaction.atomic():
            return handler(view, *args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the view's own handler raises again what is not a refusal
        answer: Response = view.handle_exception(error)
        return answer


def _keep(given: GivenAnswer, response: Response) -> None:
    if response.status_code >= 500 or response.status_code in _FLEETING:
        given.delete()
        return
    given.status = response.status_code
    kept = {
        "data": response.data,
        "version": getattr(response, "version", ""),
        "at": response.get("Location"),
    }
    given.body = JSONRenderer().render(kept).decode()
    given.save(update_fields=["status", "body"])


def _again(given: GivenAnswer, fingerprint: str) -> Response:
    if given.fingerprint != fingerprint:
        raise Reused
    kept = json.loads(given.body)
    content_type = CONTENT_TYPE if given.status >= 400 else None
    response = Response(kept["data"], status=given.status, content_type=content_type)
    response.version = kept["version"]  # type: ignore[attr-defined] # for the ETag
    if kept["at"]:
        response["Location"] = kept["at"]
    response["Idempotency-Replayed"] = "true"
    return response


def forget_answers(now: datetime) -> int:
    """Delete answers older than a day; returns how many."""
    deleted, _per_model = GivenAnswer.objects.filter(at__lt=now - KEPT_FOR).delete()
    return deleted
