"""The limits for everybody: one row."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from journal.admin import JournalledAdmin
from reservations.models import BookingLimits


@admin.register(BookingLimits)
class BookingLimitsAdmin(JournalledAdmin[BookingLimits]):
    """There is one row: the list leads straight to it."""

    journal_name: ClassVar[str] = "limits"
    fields = ["open_jobs", "week_hours"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        """Go to the row."""
        return HttpResponseRedirect(reverse("admin:reservations_bookinglimits_change", args=[1]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never a second one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BookingLimits | None = None) -> bool:
        """Never: empty means no limit."""
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: Any = None
    ) -> BookingLimits | None:
        """The row, also on a system where nobody has looked yet."""
        if object_id == "1":
            BookingLimits.objects.get_or_create(pk=1)
        return super().get_object(request, object_id, from_field)
