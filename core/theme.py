"""Base classes of the admin pages.

Rows that doors guard are saved through them; the journal is the record, so the admin's own log is not kept.
"""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget

from core.actor import Actor, Channel
from core.errors import Refused
from core.forms import DoorForm

M = TypeVar("M", bound=models.Model)

if TYPE_CHECKING:

    class _Themed(admin.ModelAdmin[M], Generic[M]):
        """What mypy sees: the theme ships no types."""

    class ThemedInline(admin.TabularInline[Any, Any]):
        """Rows inside another row's page."""

else:
    _Themed = ModelAdmin

    class ThemedInline(TabularInline):
        """Rows inside another row's page."""


# ------------------------------------------------------------------ small words for every page

SHAPES = {"free": "●", "booked": "◷", "running": "▶", "attention": "▲", "fault": "✕", "unknown": "◌"}


def chip(tone: str, word: object, *, weight: str = "solid", shape: str = "") -> SafeString:
    """A state: colour, shape and word. Solid when measured, outline when planned, dashed when assumed."""
    return format_html(
        '<span class="myp-chip myp-{} myp-{}"><span aria-hidden="true">{}</span> {}</span>',
        tone,
        weight,
        shape or SHAPES[tone],
        word,
    )


def on_off_chip(on: bool | None, *, is_sure: bool = True) -> SafeString:
    """Whether power is on, as a state."""
    if on is None:
        return chip("unknown", _("unknown"), weight="dashed")
    weight = "solid" if is_sure else "dashed"
    return chip("running" if on else "unknown", _("on") if on else _("off"), weight=weight)


def watts(draw: float | None) -> str:
    """A draw in watts; nothing where nothing is known."""
    return "–" if draw is None else f"{draw:.0f} W"


def actor_of(request: HttpRequest) -> Actor:
    """The person at the admin."""
    return Actor(request.user.pk, Channel.ADMIN)


# ------------------------------------------------------------------ base classes

# Columns that no list may be filtered by.
SECRETS = frozenset({"password", "digest", "session_key", "secret"})


class LookedUpSelect(AutocompleteSelect):
    """Django's own asks the database for whatever was sent, and breaks on what is no key."""

    def optgroups(self, name: str, value: list[str], attr: Any = None) -> Any:  # type: ignore[override]
        """The chosen row, if a key of that kind was sent."""
        keys = [key for key in value if str(key).isdecimal() and len(str(key)) < 19]
        return super().optgroups(name, keys, attr)


class ThemedAdmin(_Themed[M]):
    """The admin theme's ModelAdmin with our defaults; what a door refuses on saving becomes form errors."""

    form: type[forms.ModelForm[Any]] = DoorForm
    formfield_overrides = {models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = True
    list_per_page = 50
    show_full_result_count = False
    save_as = False

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form, knowing who acts and what was refused a moment ago."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.actor = actor_of(request)  # type: ignore[attr-defined]
        form.refusal = getattr(request, "refusal", None)  # type: ignore[attr-defined]
        return form

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """People are many: they are looked up while one types."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", LookedUpSelect(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whoever can filter by a secret reads it letter by letter."""
        return SECRETS.isdisjoint(lookup.split("__")) and super().lookup_allowed(lookup, value, request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A race that was lost after the form had been found in order: nothing is saved, the form says why."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as no:
            request.refusal = no  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The journal knows."""
        subject = f"{self.opts.model_name}:{unquote(object_id)}"
        return HttpResponseRedirect(reverse("admin:journal_entry_changelist", query={"subject": subject}))

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """The door has written it to the journal."""

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """The door has written it to the journal."""

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[M]) -> Any:
        """The door has written it to the journal."""


class ReadOnlyAdmin(ThemedAdmin[M]):
    """Rows that people read and never change."""

    actions = None
    # The first column: on a phone the theme labels one that leads nowhere "Select record".
    list_display_links: tuple[str, ...] = ()
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Never."""
        return False
