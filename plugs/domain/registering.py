"""Doors: a plug comes, changes its address or account, is trusted anew, or goes."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from core.actor import Actor
from core.domain import saving
from core.errors import Refused
from journal.domain.recording import Event, record
from plugs.drivers.registry import driver_names
from plugs.models import PlugState, SmartPlug
from plugs.signals import locking

# A change of one of these means that another device may answer.
ENDPOINT_FIELDS = ("driver", "address", "username", "password")


@transaction.atomic
def save_plug(plug: SmartPlug, *, changed: list[str], actor: Actor, now: datetime) -> SmartPlug:
    """Add a plug or change it; it is contacted at once. ``changed`` names the fields that differ.

    Raises :class:`Refused` for a driver that the registry does not know.
    """
    if plug.driver not in driver_names():
        message = _("There is no driver “%(name)s”. Choose one of: %(known)s.")
        known = {"name": plug.driver, "known": ", ".join(driver_names())}
        raise Refused.because("driver_unknown", message % known, field="driver")
    is_new = saving.save(plug, changed)
    if is_new:
        PlugState.objects.create(plug=plug, next_poll_at=now)
    elif set(changed) & set(ENDPOINT_FIELDS):
        forget_device(plug, now=now)
    # Field names only: values may be secret.
    record(
        [Event("plug.added" if is_new else "plug.changed", plug, {"fields": changed})], actor=actor, now=now
    )
    return plug


@transaction.atomic
def trust_device(plug: SmartPlug, *, actor: Actor, now: datetime) -> None:
    """Take whatever device answers at the address as the right one from now on."""
    forget_device(plug, now=now)
    record([Event("plug.trusted_anew", plug)], actor=actor, now=now)


@transaction.atomic
def remove_plug(plug: SmartPlug, *, actor: Actor, now: datetime) -> None:
    """Forget a plug with all it ever said. Raises :class:`Refused` while a machine uses it."""
    take(plug.pk)
    why_not = _("A machine uses this plug. Take it from the machine first.")
    saving.remove(plug, why_not=why_not)
    record([Event("plug.removed", plug)], actor=actor, now=now)


def take(plug_id: int) -> SmartPlug:
    """Lock what a change of the plug may touch, in the order everybody locks: the machine behind it, the plug."""
    locking.send(sender=SmartPlug, plug_ids={plug_id})
    return SmartPlug.objects.select_for_update().get(pk=plug_id)


def forget_device(plug: SmartPlug, *, now: datetime) -> None:
    """Forget identity, protocol and faults; ask at once."""
    PlugState.objects.filter(plug=plug).update(
        device_id="",
        generation="",
        failures=0,
        is_suspended=False,
        error_code="",
        error_text="",
        next_poll_at=now,
    )
