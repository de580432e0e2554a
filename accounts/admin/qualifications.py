"""Qualifications, and who holds them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import Grant, Qualification
from core import clock
from journal.admin import JournalledAdmin


@admin.register(Qualification)
class QualificationAdmin(JournalledAdmin[Qualification]):
    """What people must have learned before they may use a machine."""

    journal_name: ClassVar[str] = "qualification"
    list_display = ["name", "description"]
    search_fields = ["name"]


@admin.register(Grant)
class GrantAdmin(JournalledAdmin[Grant]):
    """Who holds what, until when, and who gave it."""

    journal_name: ClassVar[str] = "grant"
    journal_verbs = {"added": "given", "removed": "taken"}
    fields = ["user", "qualification", "expires_at"]
    list_display = ["user", "qualification", "granted_at", "expires_at", "granted_by"]
    list_filter = ["qualification"]
    list_select_related = ["user", "qualification", "granted_by"]
    search_fields = ["user__username", "user__first_name", "user__last_name", "qualification__name"]
    autocomplete_fields = ["user", "qualification"]
    date_hierarchy = "granted_at"
    ordering = ["-granted_at"]

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        """Who and when are ours to set."""
        if not change:
            obj.granted_at = clock.now()
            obj.granted_by_id = request.user.pk
        super().save_model(request, obj, form, change)
