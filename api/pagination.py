"""Lists come in pages that stay right while rows are added: by cursor, not by number."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request


class Pages(pagination.CursorPagination):
    """``{"next": url or null, "previous": url or null, "results": […]}``; ``limit`` rows, 50 unless told."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-id"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> Any:
        """As asked, and by id where that leaves rows level: a cursor needs an order without ties."""
        ordering = tuple(super().get_ordering(request, queryset, view))
        names = {name.lstrip("-") for name in ordering}
        return ordering if names & {"id", "pk"} else (*ordering, "id")

    def decode_cursor(self, request: Request) -> Any:
        """Raises ValidationError at ``cursor`` where REST framework says 404."""
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            raise ValidationError({"cursor": [_("This is not a cursor we gave.")]}) from error
