"""The journal in the admin: to read, never to change; and a base for pages that write to it themselves."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core import clock
from core.theme import ReadOnlyAdmin, ThemedAdmin, actor_of
from journal.domain.recording import Event, record
from journal.models import Entry
from journal.wording import KINDS, kind_words

M = TypeVar("M", bound=models.Model)


class JournalledAdmin(ThemedAdmin[M]):
    """Rows without a door of their own: this page writes the journal, in the transaction of the change."""

    journal_name: ClassVar[str]
    journal_verbs: ClassVar[Mapping[str, str]] = {}

    def _kind(self, verb: str) -> str:
        return f"{self.journal_name}.{self.journal_verbs.get(verb, verb)}"

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, dict[str, list[str]]]]:
        """The names of the fields that differ; never their values, which may be secret."""
        fields = sorted(form.changed_data)
        fields += sorted({name for part in formsets or () for row in part.forms for name in row.changed_data})
        return [{"changed": {"fields": fields}}]

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """A row came."""
        self._record(request, Event(self._kind("added"), obj))

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> Any:
        """A row changed."""
        if fields := message[0]["changed"]["fields"]:
            self._record(request, Event(self._kind("changed"), obj, {"fields": fields}))

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[M]) -> Any:
        """Rows are about to go."""
        self._record(request, *(Event(self._kind("removed"), row) for row in queryset))

    @staticmethod
    def _record(request: HttpRequest, *events: Event) -> None:
        record(events, actor=actor_of(request), now=clock.now())


class KindFilter(admin.SimpleListFilter):
    """By what happened, in words."""

    title = _("what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every kind we know."""
        return sorted(((kind, str(words)) for kind, words in KINDS.items()), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        """Only that kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin[Entry]):
    """Newest first; filter by kind and surface, search by subject."""

    list_display = ["at", "what", "subject_link", "actor", "channel"]
    list_filter = [KindFilter, "channel"]
    search_fields = ["subject", "subject_label"]
    search_help_text = _("Search by subject, for example job:17 or a machine's name")
    date_hierarchy = "at"
    ordering = ["-id"]
    list_select_related = ["actor"]
    fields = ["at", "what", "subject_link", "actor", "channel", "details"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Other pages link here with a subject."""
        return lookup == "subject" or super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("what"), ordering="kind")
    def what(self, entry: Entry) -> str:
        """The kind in words."""
        return kind_words(entry.kind)

    @admin.display(description=_("subject"), ordering="subject")
    def subject_link(self, entry: Entry) -> str:
        """The subject as it was called then, with a way to its page where there is one."""
        url = self._url_of(entry.subject)
        if url is None:
            return entry.subject_label
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, entry.subject_label
        )

    def _url_of(self, subject: str) -> str | None:
        name, _colon, key = subject.partition(":")
        for model in self.admin_site._registry:
            if model._meta.model_name == name:
                try:
                    return reverse(f"admin:{model._meta.app_label}_{name}_change", args=[key])
                except NoReverseMatch:
                    return None
        return None

    @admin.display(description=_("details"))
    def details(self, entry: Entry) -> SafeString:
        """Name and value, line by line."""
        lines = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", _lines(entry.data))
        return format_html('<dl class="myp-facts">{}</dl>', lines or "–")


def _lines(data: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{before}{key} · ")
        elif isinstance(value, list):
            yield f"{before}{key}", ", ".join(map(str, value)) or "–"
        else:
            yield f"{before}{key}", "–" if value in (None, "") else str(value)
