"""The health page."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import clock
from core.domain import health


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when web, database, worker and scheduler work, else 503; each part's state and age. For everybody."""
    found = health.examine(clock.now())
    answer = JsonResponse(found.as_json(), status=200 if found.is_ok else 503)
    answer["Cache-Control"] = "no-store"
    answer._has_been_logged = True  # type: ignore[attr-defined]  # a 503 here is an answer, not an error of ours
    return answer
