"""The product's addresses, and beside them a view that does nothing: what everything else is compared with."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def bare(request: HttpRequest) -> JsonResponse:
    """A bare Django view, behind the same middleware."""
    return JsonResponse({"ok": True})


urlpatterns = [path("bare", bare), path("", include("myp_project.urls"))]
