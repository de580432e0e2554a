"""Machines and the rooms they stand in. Outages are kept in ``reservations.admin``, which knows what they hit."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, ImageField, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminImageFieldWidget

from core import clock
from core.actor import Actor
from core.theme import ThemedAdmin, ThemedInline, actor_of, chip, watts
from core.verbs import OptionalReasonForm, ReasonForm, Verb, VerbAdmin
from journal.admin import JournalledAdmin
from printers.choices import Activity, Service
from printers.domain import keeping
from printers.domain.activity import judge
from printers.forms import PictureField
from printers.models import Location, OpeningHours, Printer

SERVICE_TONES = {
    Service.IN_SERVICE: "free",
    Service.MAINTENANCE: "attention",
    Service.OUT_OF_ORDER: "fault",
}
ACTIVITY_TONES = {
    Activity.UNPOWERED: "unknown",
    Activity.IDLE: "free",
    Activity.BUSY: "running",
    Activity.UNKNOWN: "unknown",
}


def _set(service: Service) -> Any:
    def act(printer: Printer, /, *, actor: Actor, now: datetime, reason: str = "") -> None:
        keeping.set_service([printer], service, note=reason, actor=actor, now=now)

    return act


VERBS = (
    Verb(
        name="in-service",
        label=gettext_lazy("Back in service"),
        done=gettext_lazy("%(names)s: in service again."),
        act=_set(Service.IN_SERVICE),
        icon="check_circle",
        is_offered=lambda printer, now: printer.service != Service.IN_SERVICE,
    ),
    Verb(
        name="maintenance",
        label=gettext_lazy("Maintenance …"),
        question=gettext_lazy(
            "Nobody can book it meanwhile; bookings that stand are kept. Power goes off unless you switch by hand."
        ),
        done=gettext_lazy("%(names)s: in maintenance."),
        act=_set(Service.MAINTENANCE),
        form=OptionalReasonForm,
        icon="build",
        is_offered=lambda printer, now: printer.service != Service.MAINTENANCE,
    ),
    Verb(
        name="out-of-order",
        label=gettext_lazy("Take out of service …"),
        question=gettext_lazy(
            "Nobody can book it meanwhile; bookings that stand are kept. Everybody sees the reason."
        ),
        done=gettext_lazy("%(names)s: out of order."),
        act=_set(Service.OUT_OF_ORDER),
        form=ReasonForm,
        icon="block",
        is_danger=True,
        is_offered=lambda printer, now: printer.service != Service.OUT_OF_ORDER,
    ),
)


@admin.register(Printer)
class PrinterAdmin(VerbAdmin[Printer]):
    """What a machine is, what booking it asks for, and how its power is handled."""

    verbs = VERBS
    list_display = ["name", "thumb", "place", "service_chip", "activity", "plug", "kind", "approval"]
    list_filter = [
        ("service", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("location", RelatedDropdownFilter),
        "needs_approval",
    ]
    list_select_related = ["location", "plug__state"]
    search_fields = ["name", "maker", "model"]
    formfield_overrides = {
        **ThemedAdmin.formfield_overrides,
        ImageField: {"form_class": PictureField, "widget": UnfoldAdminImageFieldWidget},
    }
    fieldsets = [
        (
            gettext_lazy("What it is"),
            {
                "fields": [
                    ("name", "kind"),
                    ("maker", "model"),
                    ("location", "network_address"),
                    "picture",
                    "note",
                ]
            },
        ),
        (
            gettext_lazy("Booking rules"),
            {
                "fields": [
                    ("step_minutes", "buffer_minutes"),
                    ("min_minutes", "max_minutes"),
                    ("horizon_days", "notice_minutes"),
                    ("is_open_at_night", "needs_approval"),
                    "qualifications",
                ]
            },
        ),
        (
            gettext_lazy("Power"),
            {
                "fields": [
                    "plug",
                    ("lead_minutes", "cool_down_minutes"),
                    ("idle_below_w", "busy_above_w"),
                    "hard_limit_minutes",
                ]
            },
        ),
    ]

    def save_model(self, request: HttpRequest, obj: Printer, form: Any, change: bool) -> None:
        """Through the door; nothing is written when nothing differs."""
        if form.changed_data or not change:
            keeping.save_printer(obj, changed=form.changed_data, actor=actor_of(request), now=clock.now())

    def panel(self, row: Printer, now: datetime) -> list[tuple[str, object]]:
        """Its service state, and what its plug says."""
        facts: list[tuple[str, object]] = [(_("service"), self.service_chip(row))]
        if row.service_note:
            facts.append((_("reason, shown to everybody"), row.service_note))
        return [*facts, (_("activity"), self.activity(row))]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Qualifications are few: boxes to tick, which need no script."""
        return super().formfield_for_manytomany(
            db_field, request, **{"widget": UnfoldAdminCheckboxSelectMultipleWidget(), **kwargs}
        )

    @admin.display(description=gettext_lazy("approval"), ordering="needs_approval")
    def approval(self, printer: Printer) -> str:
        """Whether each booking needs a trainer's approval."""
        return _("needed") if printer.needs_approval else "–"

    @admin.display(description="")
    def thumb(self, printer: Printer) -> str:
        """Its picture, small."""
        if not printer.picture:
            return ""
        return format_html('<img class="myp-thumb" src="{}" alt="" loading="lazy">', printer.picture.url)

    @admin.display(description=gettext_lazy("location"), ordering="location__name")
    def place(self, printer: Printer) -> str:
        """The room."""
        return str(printer.location or "–")

    @admin.display(description=gettext_lazy("service"), ordering="service")
    def service_chip(self, printer: Printer) -> object:
        """Whether it may be used."""
        return chip(SERVICE_TONES[Service(printer.service)], printer.get_service_display())

    @admin.display(description=gettext_lazy("activity"))
    def activity(self, printer: Printer) -> object:
        """What it does, judged by its draw."""
        state = getattr(printer.plug, "state", None)
        if state is None:
            return "–"
        found = judge(is_on=state.observed, power_w=state.power_w, busy_above_w=printer.busy_above_w)
        draw = f" · {watts(state.power_w)}" if state.observed and state.power_w is not None else ""
        weight = "dashed" if found is Activity.UNKNOWN else "solid"
        return chip(ACTIVITY_TONES[found], f"{found.label}{draw}", weight=weight)


class OpeningHoursInline(ThemedInline):
    """When the room is open."""

    model = OpeningHours
    extra = 0
    fields = ("weekday", "opens", "closes")


@admin.register(Location)
class LocationAdmin(JournalledAdmin[Location]):
    """Rooms and when they are open."""

    journal_name: ClassVar[str] = "location"
    inlines = [OpeningHoursInline]
    list_display = ["name", "machines", "opening"]
    search_fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Location]:
        """With what the list shows."""
        return (
            super().get_queryset(request).annotate(machine_count=Count("printers")).prefetch_related("hours")
        )

    @admin.display(description=gettext_lazy("machines"), ordering="machine_count")
    def machines(self, location: Location) -> int:
        """How many stand there."""
        return int(getattr(location, "machine_count", 0))

    @admin.display(description=gettext_lazy("opening hours"))
    def opening(self, location: Location) -> str:
        """The week in a line."""
        hours = [str(row) for row in location.hours.all()]
        return ", ".join(hours) or _("always open")
