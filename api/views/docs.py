"""The API describes itself: the schema for programs, a page for people."""

from functools import cache
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.request import Request
from rest_framework.response import Response

from api.views.base import Endpoint


@cache
def described() -> dict[str, Any]:
    """The whole schema, in English: it is the same for everybody, and made once."""
    with translation.override("en"):
        generator = SchemaGenerator()  # type: ignore[no-untyped-call]
        return cast(dict[str, Any], generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


class Schema(Endpoint):
    """OpenAPI 3.1; JSON, or YAML with ``?format=yaml``."""

    schema = None
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2]

    def get(self, request: Request) -> Response:
        """The schema."""
        return Response(described())


@require_safe
@login_required
def docs(request: HttpRequest) -> HttpResponse:
    """Every operation, with a form to try it out in the present session."""
    return render(request, "api/docs.html")
