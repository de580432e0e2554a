"""Outages and closures: here and not with the machines, since only bookings know what they hit."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter

from core import clock
from core.theme import ThemedAdmin, actor_of
from journal.domain.recording import Event, record
from printers.domain import keeping
from printers.models import LONGEST_MINUTES, Outage
from reservations.choices import OCCUPYING
from reservations.models import Job
from reservations.presenting import words


def bookings_hit(outage: Outage) -> QuerySet[Job]:
    """Jobs that stand inside the outage; they stay until somebody moves them."""
    where = (
        Q(printer_id=outage.printer_id) if outage.printer_id else Q(printer__location_id=outage.location_id)
    )
    reach = outage.starts_at - timedelta(minutes=LONGEST_MINUTES)
    return Job.objects.filter(
        where,
        state__in=OCCUPYING,
        starts_at__gt=reach,
        starts_at__lt=outage.ends_at,
        ends_at__gt=outage.starts_at,
    )


@admin.register(Outage)
class OutageAdmin(ThemedAdmin[Outage]):
    """A machine or a whole room is shut for a while."""

    fields = [("printer", "location"), "starts_at", "ends_at", "reason"]
    list_display = ["what", "window", "reason"]
    list_filter = [("printer", RelatedDropdownFilter), ("location", RelatedDropdownFilter)]
    list_select_related = ["printer", "location"]
    date_hierarchy = "starts_at"

    def save_model(self, request: HttpRequest, obj: Outage, form: Any, change: bool) -> None:
        """Through the door; then say how many bookings it hits."""
        if change and not form.changed_data:
            return
        keeping.save_outage(obj, actor=actor_of(request), now=clock.now())
        if hit := bookings_hit(obj).count():
            said = ngettext(
                "%(count)d booking lies inside. It stands until somebody moves or cancels it.",
                "%(count)d bookings lie inside. They stand until somebody moves or cancels them.",
                hit,
            )
            messages.warning(request, said % {"count": hit})

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Outage]) -> Any:
        """There is no door to lift an outage: the journal is written here."""
        record([Event("outage.lifted", row) for row in queryset], actor=actor_of(request), now=clock.now())

    @admin.display(description=gettext_lazy("machine or location"))
    def what(self, outage: Outage) -> str:
        """What is shut."""
        return str(outage.printer or outage.location)

    @admin.display(description=gettext_lazy("window"), ordering="starts_at")
    def window(self, outage: Outage) -> str:
        """From when until when."""
        return words.window(outage.starts_at, outage.ends_at, clock.now())
