"""Doors: rooms and when they are open; and what people have to have learned, once no machine asks for it."""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from itertools import pairwise

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Qualification
from core.actor import Actor
from core.domain import saving
from core.errors import Refused
from journal.domain.recording import Event, record
from printers.models import Location, OpeningHours

# ISO weekday, from, until.
Opening = tuple[int, time, time]


@transaction.atomic
def save_location(
    location: Location,
    *,
    changed: Collection[str],
    actor: Actor,
    now: datetime,
    hours: Sequence[Opening] | None = None,
) -> Location:
    """Add a room or change it. ``hours`` are its opening hours from now on, all of them; None: as they are.

    Bookings that stand are kept. Raises :class:`Refused` for hours that overlap.
    """
    is_new = saving.save(location, changed)
    if hours is not None:
        _demand_order(hours)
        location.hours.all().delete()
        OpeningHours.objects.bulk_create(
            OpeningHours(location=location, weekday=weekday, opens=opens, closes=closes)
            for weekday, opens, closes in hours
        )
    kind = "location.added" if is_new else "location.changed"
    record([Event(kind, location, {"fields": sorted(changed)})], actor=actor, now=now)
    return location


def _demand_order(hours: Sequence[Opening]) -> None:
    for (day, _opens, closes), (next_day, opens, _closes) in pairwise(sorted(hours)):
        if day == next_day and opens < closes:
            message = _("Two of the opening hours overlap.")
            raise Refused.because("hours_overlap", message, field="opening_hours")


@transaction.atomic
def remove_location(location: Location, *, actor: Actor, now: datetime) -> None:
    """Forget a room, with its hours and closures. Raises :class:`Refused` while machines stand there."""
    saving.remove(location, why_not=_("Machines stand there. Move them first."))
    record([Event("location.removed", location)], actor=actor, now=now)


@transaction.atomic
def remove_qualification(qualification: Qualification, *, actor: Actor, now: datetime) -> None:
    """Forget a qualification, and who holds it. Raises :class:`Refused` while a machine asks for it.

    Else the machine would be open to everybody from one moment to the next.
    """
    Qualification.objects.select_for_update().get(pk=qualification.pk)
    if qualification.printers.exists():
        raise Refused.because("in_use", _("Machines ask for it. Take it from them first."))
    saving.remove(qualification, why_not=_("Something still needs it."))
    record([Event("qualification.removed", qualification)], actor=actor, now=now)
