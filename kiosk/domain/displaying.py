"""The doors of the display: switch it on, switch it off, ask how it is."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from core import clock
from core.actor import Actor
from journal.domain.recording import Event, record
from kiosk.models import Display
from reservations.domain.rights import demand_role

SOLE_ID = 1


def status() -> Display:
    """What is wanted of the display, also before anybody has ever switched it."""
    return Display.objects.filter(pk=SOLE_ID).first() or Display(pk=SOLE_ID)


def activate(*, actor: Actor, now: datetime | None = None) -> Display:
    """Let the display show the machines. Trainers only; nothing happens where it does already."""
    return _set(True, actor=actor, now=now)


def deactivate(*, actor: Actor, now: datetime | None = None) -> Display:
    """Let the display show that it is switched off. Trainers only; nothing happens where it does already."""
    return _set(False, actor=actor, now=now)


@transaction.atomic
def _set(is_active: bool, *, actor: Actor, now: datetime | None) -> Display:
    demand_role(actor, _("Only trainers may do that."))
    now = now or clock.now()
    Display.objects.get_or_create(pk=SOLE_ID)
    display = Display.objects.select_for_update().get(pk=SOLE_ID)
    if display.is_active is not is_active:
        display.is_active = is_active
        display.changed_at = now
        display.changed_by_id = actor.user_id
        display.save()
        kind = "display.activated" if is_active else "display.deactivated"
        record([Event(kind, display)], actor=actor, now=now)
    return display
