"""Jobs for trainers: a list like a calendar, a form that asks the door, and a button for every verb."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    MultipleChoicesDropdownFilter,
    RelatedDropdownFilter,
)

from core import clock
from core.verbs import VerbAdmin
from reservations.admin_chips import badge_chip
from reservations.admin_forms import JobForm
from reservations.admin_verbs import VERBS
from reservations.choices import OCCUPYING, State
from reservations.dashboard import board_view
from reservations.models import Job
from reservations.presenting import words
from reservations.presenting.badges import job_badge

_DAY = timedelta(days=1)


class WhenFilter(admin.SimpleListFilter):
    """A calendar opens on today; whoever searches or picks a date sees everything."""

    title = gettext_lazy("when")
    parameter_name = "when"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        looks_wider = any(key == "q" or key.startswith("starts_at__") for key in request.GET)
        self.chosen = self.value() or ("all" if looks_wider else "coming")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """From what is on right now to everything."""
        return [
            ("coming", _("from today on")),
            ("now", _("running now")),
            ("today", _("today")),
            ("week", _("this week")),
            ("all", _("all")),
        ]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Without the stock "All", which here is a choice like the others."""
        for value, words_ in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": self.chosen == value, "query_string": query, "display": words_}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Jobs that touch the window."""
        now = clock.now()
        today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        monday = today - today.weekday() * _DAY
        touching = {
            "coming": Q(ends_at__gt=today),
            "now": Q(starts_at__lte=now, ends_at__gt=now, state__in=OCCUPYING),
            "today": Q(starts_at__lt=today + _DAY, ends_at__gt=today),
            "week": Q(starts_at__lt=monday + 7 * _DAY, ends_at__gt=monday),
        }
        return queryset.filter(touching[self.chosen]) if self.chosen in touching else queryset


@admin.register(Job)
class JobAdmin(VerbAdmin[Job]):
    """Every change goes through the door; a job is never deleted."""

    form = JobForm
    verbs = VERBS
    list_display = ["window", "printer", "owner", "title", "state_chip"]
    list_filter = [
        WhenFilter,
        ("state", MultipleChoicesDropdownFilter),
        ("printer", RelatedDropdownFilter),
        ("owner", AutocompleteSelectFilter),
    ]
    list_select_related = ["printer", "owner"]
    search_fields = ["title", "owner__username", "owner__first_name", "owner__last_name", "printer__name"]
    date_hierarchy = "starts_at"
    ordering = ["starts_at", "pk"]
    autocomplete_fields = ["owner"]

    def get_urls(self) -> list[URLPattern]:
        """The dashboard's fragment lives here too."""
        fragment = self.admin_site.admin_view(board_view)
        return [path("board/", fragment, name="reservations_board"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Never: a job is cancelled, refused, missed or aborted."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> list[str]:
        """A running job has begun where it began; one that is over keeps its window."""
        if obj is None:
            return []
        if obj.state == State.RUNNING:
            return ["owner", "printer", "starts_at"]
        return ["owner"] if obj.is_occupying else ["owner", "printer", "starts_at", "ends_at"]

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        """Who and where, when, what for; rules are waived only where there is a window to judge."""
        fields: list[Any] = [("printer", "owner"), "starts_at", "ends_at", "title", "note"]
        if obj is None or obj.is_occupying:
            fields.append("waive_reason")
        return [(None, {"fields": fields})]

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        """Through the doors; what they wrote is read back."""
        if change:
            form.change()
        else:
            obj.pk = form.book().pk
        obj.refresh_from_db()

    def panel(self, row: Job, now: datetime) -> list[tuple[str, object]]:
        """How it stands, and where it came from."""
        facts: list[tuple[str, object]] = [
            (_("state"), badge_chip(job_badge(State(row.state)))),
            (_("window"), words.window(row.starts_at, row.ends_at, now)),
            (_("booked by"), f"{row.created_by or '–'} · {row.channel}"),
            (_("booked at"), words.moment(row.created_at, now)),
        ]
        if row.started_at:
            facts.append((_("started at"), words.moment(row.started_at, now)))
        if row.finished_at:
            facts.append((_("finished at"), words.moment(row.finished_at, now)))
        if row.closed_reason:
            facts.append((_("reason of the end"), row.closed_reason))
        if row.waived:
            facts.append((_("waived rules"), f"{', '.join(row.waived)}: {row.waived_reason}"))
        return facts

    @admin.display(description=gettext_lazy("window"), ordering="starts_at")
    def window(self, job: Job) -> str:
        """ "today 14:30–17:00 (2 h 30 min)"."""
        return words.window(job.starts_at, job.ends_at, clock.now())

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_chip(self, job: Job) -> object:
        """As on every other page."""
        return badge_chip(job_badge(State(job.state)))
