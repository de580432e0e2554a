"""Plugs for trainers: how they are, test, switch, trust; what they were told and what they said."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.paginator import InfinitePaginator

from accounts.choices import Role
from core import clock
from core.actor import Actor
from core.theme import ReadOnlyAdmin, actor_of, chip, on_off_chip, watts
from core.verbs import Verb, VerbAdmin
from core.words import ago, moment
from journal.domain.recording import Event, record
from plugs.choices import CommandResult, Health
from plugs.domain import reconciling, registering, switching
from plugs.forms import PlugForm, SwitchForm
from plugs.models import DEAD_AFTER, PlugCommand, PlugReading, PlugState, SmartPlug
from plugs.wording import fault_words, reason_words

TONES = {
    Health.FINE: "free",
    Health.TROUBLE: "attention",
    Health.DEAD: "fault",
    Health.SUSPENDED: "fault",
    Health.UNKNOWN: "unknown",
}
RESULT_TONES = {
    CommandResult.PENDING: "booked",
    CommandResult.CONFIRMED: "free",
    CommandResult.HELD: "attention",
    CommandResult.FAILED: "fault",
    CommandResult.SUPERSEDED: "unknown",
}
BY_HEALTH = {
    Health.FINE: Q(state__is_suspended=False, state__failures=0, state__last_contact_at__isnull=False),
    Health.TROUBLE: Q(state__is_suspended=False, state__failures__gt=0, state__failures__lt=DEAD_AFTER),
    Health.DEAD: Q(state__is_suspended=False, state__failures__gte=DEAD_AFTER),
    Health.SUSPENDED: Q(state__is_suspended=True),
    Health.UNKNOWN: Q(state__is_suspended=False, state__failures=0, state__last_contact_at__isnull=True),
}


def _test(plug: SmartPlug, /, *, actor: Actor, now: datetime) -> None:
    reconciling.contact_now([plug], now=now)


def _trust(plug: SmartPlug, /, *, actor: Actor, now: datetime) -> None:
    registering.trust_device(plug, actor=actor, now=now)


def _switch(
    plug: SmartPlug,
    /,
    *,
    actor: Actor,
    now: datetime,
    on: bool,
    until: datetime | None,
    reason: str,
    cut: bool,
) -> None:
    switching.override(plug, on=on, until=until, reason=reason, cut=cut, actor=actor, now=now)


def _back_to_plan(plug: SmartPlug, /, *, actor: Actor, now: datetime) -> None:
    switching.end_override([plug], actor=actor, now=now)


VERBS = (
    Verb(
        name="test",
        label=gettext_lazy("Test now"),
        done=gettext_lazy("%(names)s: asked. The answer appears here within seconds."),
        act=_test,
        icon="network_check",
    ),
    Verb(
        name="switch",
        label=gettext_lazy("Switch now …"),
        question=gettext_lazy(
            "Your word goes before the plan, until the time you name or until it is taken back."
        ),
        done=gettext_lazy("%(names)s: told. The plug follows within seconds."),
        act=_switch,
        form=SwitchForm,
        icon="power_settings_new",
        in_list=False,
    ),
    Verb(
        name="back-to-plan",
        label=gettext_lazy("Back to the plan"),
        done=gettext_lazy("%(names)s: follows the plan again."),
        act=_back_to_plan,
        icon="event_repeat",
        is_offered=lambda plug, now: plug.state.override_on is not None,
    ),
    Verb(
        name="trust",
        label=gettext_lazy("Trust the device that answers now …"),
        question=gettext_lazy(
            "A plug is known by its identity. After a plug was replaced, whatever device answers at the address "
            "next is taken as the right one."
        ),
        done=gettext_lazy("%(names)s: the device that answers next is trusted."),
        act=_trust,
        icon="verified_user",
        is_danger=True,
    ),
)


class HealthFilter(admin.SimpleListFilter):
    """By how well we reach the plug."""

    title = gettext_lazy("contact")
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Every health there is."""
        return list(Health.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[SmartPlug]) -> QuerySet[SmartPlug]:
        """Only those."""
        wanted = self.value()
        return queryset.filter(BY_HEALTH[Health(wanted)]) if wanted in BY_HEALTH else queryset


class DriverFilter(admin.AllValuesFieldListFilter):
    """By driver, as used here."""


@admin.register(SmartPlug)
class SmartPlugAdmin(VerbAdmin[SmartPlug]):
    """Configured here, driven by the reconciler."""

    form = PlugForm
    verbs = VERBS
    list_display = ["name", "machine", "wanted", "observed", "draw", "health", "contact", "protocol", "fault"]
    list_filter = [HealthFilter, ("driver", DriverFilter)]
    list_select_related = ["state", "printer"]
    search_fields = ["name", "address", "printer__name"]
    change_form_outer_after_template = "admin/plugs/_commands.html"

    def save_model(self, request: HttpRequest, obj: SmartPlug, form: Any, change: bool) -> None:
        """Through the door; nothing is written when nothing differs."""
        if form.changed_data or not change:
            registering.save_plug(obj, changed=form.changed_data, actor=actor_of(request), now=clock.now())

    def has_delete_permission(self, request: HttpRequest, obj: SmartPlug | None = None) -> bool:
        """Administrators only."""
        return request.user.is_authenticated and request.user.role is Role.ADMINISTRATOR

    def get_deleted_objects(
        self, objs: Sequence[SmartPlug] | QuerySet[SmartPlug], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Its state and history go with it; a machine that uses it holds it. Never lists a million readings."""
        machines = [str(plug.printer) for plug in objs if hasattr(plug, "printer")]
        return [str(plug) for plug in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), machines

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[SmartPlug]) -> Any:
        """There is no door to remove a plug: the journal is written here."""
        record([Event("plug.removed", plug) for plug in queryset], actor=actor_of(request), now=clock.now())

    def panel(self, row: SmartPlug, now: datetime) -> list[tuple[str, object]]:
        """How it is right now."""
        state = row.state
        facts: list[tuple[str, object]] = [
            (_("wanted"), self.wanted(row)),
            (_("observed"), self.observed(row)),
            (_("contact"), self.health(row)),
            (_("last contact"), ago(state.last_contact_at, now)),
            (_("draw"), watts(state.power_w)),
            (_("energy today"), _watt_hours(state.energy_today_wh)),
            (_("protocol"), state.generation or "–"),
            (_("firmware"), state.firmware or "–"),
            (_("signal"), "–" if state.rssi is None else f"{state.rssi} dBm"),
        ]
        return [*facts, *_special_facts(state, now)]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """The latest commands stand below the form."""
        if plug := context.get("original"):
            now = clock.now()
            latest = plug.commands.select_related("actor").order_by("-id")[:10]
            context["commands"] = [command_line(command, now) for command in latest]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("machine"), ordering="printer__name")
    def machine(self, plug: SmartPlug) -> str:
        """The machine behind it."""
        return str(getattr(plug, "printer", "–"))

    @admin.display(description=gettext_lazy("wanted"), ordering="state__wanted")
    def wanted(self, plug: SmartPlug) -> object:
        """What the plan, or a person, wants."""
        return on_off_chip(plug.state.wanted) if plug.state.wanted is not None else "–"

    @admin.display(description=gettext_lazy("observed"), ordering="state__observed")
    def observed(self, plug: SmartPlug) -> object:
        """What it was last seen doing; dashed when that is not certain any more."""
        return on_off_chip(plug.state.observed, is_sure=plug.state.health is Health.FINE)

    @admin.display(description=gettext_lazy("draw"), ordering="state__power_w")
    def draw(self, plug: SmartPlug) -> str:
        """Watts."""
        return watts(plug.state.power_w)

    @admin.display(description=gettext_lazy("contact"))
    def health(self, plug: SmartPlug) -> object:
        """How well we reach it."""
        return chip(TONES[plug.state.health], plug.state.health.label)

    @admin.display(description=gettext_lazy("last contact"), ordering="state__last_contact_at")
    def contact(self, plug: SmartPlug) -> str:
        """When it last answered."""
        return ago(plug.state.last_contact_at, clock.now())

    @admin.display(description=gettext_lazy("protocol"), ordering="state__generation")
    def protocol(self, plug: SmartPlug) -> str:
        """Which generation answers."""
        return plug.state.generation or "–"

    @admin.display(description=gettext_lazy("last fault"))
    def fault(self, plug: SmartPlug) -> str:
        """The present fault, in words."""
        return fault_words(plug.state.error_code) if plug.state.error_code else "–"


def _special_facts(state: PlugState, now: datetime) -> list[tuple[str, object]]:
    """What is out of the ordinary: a person's word, a fault."""
    facts: list[tuple[str, object]] = []
    if state.override_on is not None:
        until = moment(state.override_until, now) if state.override_until else _("taken back")
        said = {
            "state": _("on") if state.override_on else _("off"),
            "until": until,
            "reason": state.override_reason,
        }
        facts.append((_("switched by hand"), _("%(state)s until %(until)s: %(reason)s") % said))
    if state.error_code:
        facts.append((_("last fault"), f"{fault_words(state.error_code)} ({ago(state.error_at, now)})"))
    return facts


def _watt_hours(energy: float | None) -> str:
    return "–" if energy is None else f"{number_format(energy / 1000, decimal_pos=2)} kWh"


def lateness(command: PlugCommand) -> str:
    """From the planned instant to the plug's own confirmation."""
    if command.confirmed_at is None:
        return "–"
    late: timedelta = command.confirmed_at - command.planned_at
    return f"{number_format(late.total_seconds(), decimal_pos=2)} s"


def command_line(command: PlugCommand, now: datetime) -> dict[str, object]:
    """One command for the table on the plug's page."""
    return {
        "at": moment(command.planned_at, now),
        "on": on_off_chip(command.on),
        "reason": reason_words(command.reason),
        "who": command.actor or _("the system"),
        "result": chip(RESULT_TONES[CommandResult(command.result)], command.get_result_display()),
        "lateness": lateness(command),
        "attempts": command.attempts,
    }


@admin.register(PlugCommand)
class PlugCommandAdmin(ReadOnlyAdmin[PlugCommand]):
    """What plugs were told, and what became of it."""

    list_display = ["planned_at", "plug", "to", "why", "actor", "outcome", "late", "attempts", "fault"]
    list_filter = [("plug", RelatedDropdownFilter), ("result", ChoicesDropdownFilter), "on"]
    list_select_related = ["plug", "actor"]
    date_hierarchy = "planned_at"
    ordering = ["-id"]

    @admin.display(description=gettext_lazy("switch"), ordering="on")
    def to(self, command: PlugCommand) -> object:
        """On or off."""
        return on_off_chip(command.on)

    @admin.display(description=gettext_lazy("why"), ordering="reason")
    def why(self, command: PlugCommand) -> str:
        """The reason in words."""
        return reason_words(command.reason)

    @admin.display(description=gettext_lazy("result"), ordering="result")
    def outcome(self, command: PlugCommand) -> object:
        """What became of it."""
        return chip(RESULT_TONES[CommandResult(command.result)], command.get_result_display())

    @admin.display(description=gettext_lazy("lateness"), ordering=F("confirmed_at") - F("planned_at"))
    def late(self, command: PlugCommand) -> str:
        """Planned to confirmed."""
        return lateness(command)

    @admin.display(description=gettext_lazy("fault"))
    def fault(self, command: PlugCommand) -> str:
        """Why it failed, in words."""
        return fault_words(command.error_code) if command.error_code else "–"


@admin.register(PlugReading)
class PlugReadingAdmin(ReadOnlyAdmin[PlugReading]):
    """What plugs said. There are very many: they are never counted."""

    list_display = ["at", "plug", "relay", "draw", "energy"]
    list_filter = [("plug", RelatedDropdownFilter)]
    list_select_related = ["plug"]
    date_hierarchy = "at"
    ordering = ["-id"]
    paginator = InfinitePaginator

    @admin.display(description=gettext_lazy("power"))
    def relay(self, reading: PlugReading) -> object:
        """On or off."""
        return on_off_chip(reading.on)

    @admin.display(description=gettext_lazy("draw"), ordering="power_w")
    def draw(self, reading: PlugReading) -> str:
        """Watts."""
        return watts(reading.power_w)

    @admin.display(description=gettext_lazy("energy today"))
    def energy(self, reading: PlugReading) -> str:
        """Since midnight, as the plug counts."""
        return _watt_hours(reading.energy_today_wh)
