"""Who is locked out, with the key to it; and the log of all attempts."""

from datetime import datetime
from typing import Any, TypeVar

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.choices import GuardKind
from accounts.domain import guarding
from accounts.models import LoginGuard, named
from core import clock
from core.actor import Actor
from core.theme import ReadOnlyAdmin, chip
from core.verbs import Verb, VerbAdmin
from core.words import ago, moment

M = TypeVar("M", bound=Model)


def _lift(guard: LoginGuard, /, *, actor: Actor, now: datetime) -> None:
    guarding.lift(guard.pk, actor=actor, now=now)


LIFT = Verb(
    name="lift",
    label=gettext_lazy("Lift the lock"),
    done=gettext_lazy("Open again: %(names)s"),
    act=_lift,
    icon="lock_open",
    is_offered=lambda guard, now: guarding.has_anything(guard),
)


class LockedFilter(admin.SimpleListFilter):
    """Shut at this moment, or only counted."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Two states."""
        return [("locked", gettext_lazy("locked")), ("open", gettext_lazy("open"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LoginGuard]) -> QuerySet[LoginGuard]:
        """By the end of the lock."""
        locked = Q(locked_until__gt=clock.now())
        if self.value() == "locked":
            return queryset.filter(locked)
        return queryset.exclude(locked) if self.value() == "open" else queryset


@admin.register(LoginGuard)
class LoginGuardAdmin(VerbAdmin[LoginGuard], ReadOnlyAdmin[LoginGuard]):
    """Names and addresses with failures: locked until when, and a button that opens them again."""

    list_display = ["name", "kind", "state", "failures", "level", "last"]
    list_filter = [LockedFilter, "kind"]
    search_fields = ["key"]
    search_help_text = gettext_lazy("User name or address")
    ordering = ["-changed_at"]
    fields = ["name", "kind", "failures", "tried", "level"]
    verbs = (LIFT,)

    def may_act(self, request: HttpRequest, row: LoginGuard | None = None) -> bool:
        """Trainers; whose lock they may lift, the door decides. The row itself is written by the door alone."""
        return request.user.has_perm("accounts.change_loginguard")

    def panel(self, row: LoginGuard, now: datetime) -> list[tuple[str, object]]:
        """Shut or open, and since when."""
        return [(_("State"), _state(row, now)), (_("Last failure"), ago(row.changed_at, now))]

    @admin.display(description=gettext_lazy("name or address"), ordering="key")
    def name(self, guard: LoginGuard) -> str:
        """Whom or what it holds."""
        return named(guard.key)

    @admin.display(description=gettext_lazy("state"), ordering="locked_until")
    def state(self, guard: LoginGuard) -> SafeString:
        """Locked, and until when."""
        return _state(guard, clock.now())

    @admin.display(description=gettext_lazy("last attempt"), ordering="changed_at")
    def last(self, guard: LoginGuard) -> str:
        """How long ago."""
        return ago(guard.changed_at, clock.now())

    @admin.display(description=gettext_lazy("names that failed from there"))
    def tried(self, guard: LoginGuard) -> str:
        """For an address: what counts there."""
        if guard.kind != GuardKind.ADDRESS:
            return "–"
        return ", ".join(named(key) for key, _at in guard.names) or "–"


def _state(guard: LoginGuard, now: datetime) -> SafeString:
    if guard.locked_until is not None and guarding.is_locked(guard, now):
        return chip("fault", _("locked until %(time)s") % {"time": moment(guard.locked_until, now)})
    return chip("free", _("open"))


class AttemptAdmin(ReadOnlyAdmin[M]):
    """What axes wrote down; nobody changes or deletes it, it goes by itself after 90 days."""

    search_fields = ["username", "ip_address", "path_info"]
    search_help_text = gettext_lazy("User name, address or path")
    date_hierarchy = "attempt_time"
    ordering = ["-attempt_time"]

    @admin.display(description=gettext_lazy("name"), ordering="username")
    def name(self, attempt: Any) -> str:
        """Who it was, or said to be."""
        return named(attempt.username or "")


@admin.register(AccessFailureLog)
class AccessFailureLogAdmin(AttemptAdmin[AccessFailureLog]):
    """Log-ins that failed."""

    list_display = ["attempt_time", "name", "ip_address", "path_info", "led_to", "user_agent"]
    list_filter = ["locked_out", "attempt_time"]
    fields = ["attempt_time", "name", "ip_address", "path_info", "led_to", "user_agent"]

    @admin.display(description=gettext_lazy("led to"), ordering="locked_out")
    def led_to(self, attempt: AccessFailureLog) -> object:
        """The failure that locked stands out."""
        return chip("fault", _("lock-out")) if attempt.locked_out else "–"


@admin.register(AccessLog)
class AccessLogAdmin(AttemptAdmin[AccessLog]):
    """Log-ins that succeeded."""

    list_display = ["attempt_time", "name", "ip_address", "path_info", "logout_time", "user_agent"]
    list_filter = ["attempt_time"]
    fields = ["attempt_time", "name", "ip_address", "path_info", "logout_time", "user_agent"]
