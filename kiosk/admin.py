"""The display in the admin: is it on, who switched it and when, on and off."""

from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.actor import Actor
from core.theme import ReadOnlyAdmin, chip
from core.verbs import Verb, VerbAdmin
from core.words import ago
from kiosk.domain import displaying
from kiosk.models import Display


def _activate(row: Display, /, *, actor: Actor, now: datetime) -> None:
    displaying.activate(actor=actor, now=now)


def _deactivate(row: Display, /, *, actor: Actor, now: datetime) -> None:
    displaying.deactivate(actor=actor, now=now)


@admin.register(Display)
class DisplayAdmin(VerbAdmin[Display], ReadOnlyAdmin[Display]):
    """One page: there is one display."""

    fields = ["is_active", "changed_at", "changed_by"]
    verbs = (
        Verb(
            name="deactivate",
            label=gettext_lazy("Switch off …"),
            question=gettext_lazy("The display then shows no machines, only that it is switched off."),
            done=gettext_lazy("The display is switched off."),
            act=_deactivate,
            icon="tv_off",
            is_offered=lambda row, now: row.is_active,
        ),
        Verb(
            name="activate",
            label=gettext_lazy("Switch on"),
            done=gettext_lazy("The display is switched on."),
            act=_activate,
            icon="tv",
            is_offered=lambda row, now: not row.is_active,
        ),
    )

    def may_act(self, request: HttpRequest, row: Display | None = None) -> bool:
        """Trainers; the row itself is written by the door alone."""
        return request.user.has_perm("kiosk.change_display")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        """There is one row: go there."""
        return HttpResponseRedirect(reverse("admin:kiosk_display_change", args=[displaying.SOLE_ID]))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Display | None:
        """The row, also before anybody has ever switched the display."""
        return displaying.status() if object_id == str(displaying.SOLE_ID) else None

    def panel(self, row: Display, now: datetime) -> list[tuple[str, object]]:
        """Whether it is on, since when, by whom, and where its page is."""
        said = chip("free", _("switched on")) if row.is_active else chip("attention", _("switched off"))
        url = reverse("kiosk")
        page = format_html('<a class="text-primary-600 dark:text-primary-500" href="{0}">{0}</a>', url)
        return [
            (_("Display"), said),
            (_("Changed"), ago(row.changed_at, now)),
            (_("Changed by"), str(row.changed_by or "–")),
            (_("Page"), page),
        ]
