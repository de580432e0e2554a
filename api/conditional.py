"""ETags: what has not changed is not sent again, and a change does not run over another.

An ETag reads ``"version.content"``. The content part is a digest of the answer, for conditional GETs. The version
part is a digest of what can be edited, without what a machine keeps changing by itself (watts, last contact):
``If-Match`` compares it alone, or a change of a plug could never be made in time.
"""

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from api.problems import Lost


def version_of(representation: Mapping[str, Any], volatile: Collection[str] = ()) -> str:
    """A digest of the representation's lasting part, 16 hex digits."""
    lasting = {name: value for name, value in representation.items() if name not in volatile}
    return sha256(json.dumps(lasting, sort_keys=True, cls=JSONEncoder).encode()).hexdigest()[:16]


def demand_match(request: Request, version: str) -> None:
    """Raise :class:`Lost` (412) where ``If-Match`` names another version than the present one."""
    header = request.headers.get("If-Match", "").strip()
    if not header or header == "*":
        return
    known = {etag.strip('"').partition(".")[0] for etag in parse_etags(header) if etag.startswith('"')}
    if version not in known:
        raise Lost


def settle(request: HttpRequest, response: Any) -> HttpResponseBase | None:
    """Called when the answer is rendered: give it its ETag, or send 304 in its place."""
    content = sha256(response.content).hexdigest()[:16]
    etag = f'"{getattr(response, "version", "")}.{content}"'
    response["ETag"] = etag
    if request.method not in {"GET", "HEAD"} or response.status_code != 200:
        return None
    # If-Match on a GET has no meaning here; Django would answer 412.
    return get_conditional_response(_without_match(request), etag=etag, response=response)


def _without_match(request: HttpRequest) -> HttpRequest:
    request.META.pop("HTTP_IF_MATCH", None)
    return request
