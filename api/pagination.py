"""Lists come in pages that stay right while rows are added: by cursor, not by number."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
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
    # REST framework's 1000 would give the same page for ever where more rows than that are level.
    offset_cutoff = 10_000_000

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> Any:
        """As asked, and by id where that leaves rows level: a cursor needs an order without ties."""
        ordering = tuple(super().get_ordering(request, queryset, view))
        names = {name.lstrip("-") for name in ordering}
        return ordering if names & {"id", "pk"} else (*ordering, "id")

    def decode_cursor(self, request: Request) -> Any:
        """Raises ValidationError at ``cursor`` where REST framework says 404."""
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise _not_ours() from error
        if cursor and not str(cursor.position).isprintable():
            raise _not_ours()
        return cursor

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Raises ValidationError at ``cursor`` for a place that is none in this order."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, DjangoValidationError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            raise _not_ours() from error


def _not_ours() -> ValidationError:
    return ValidationError({"cursor": [_("This is not a cursor we gave.")]})
