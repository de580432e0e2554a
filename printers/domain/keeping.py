"""Doors: a machine comes, changes or goes, its service state changes, an outage is set or lifted."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Qualification
from core.actor import Actor
from core.domain import saving
from journal.domain.recording import Event, record
from plugs.domain import switching
from plugs.models import SmartPlug
from printers.choices import Service
from printers.models import Outage, Printer
from printers.signals import printer_changed


@transaction.atomic
def save_printer(
    printer: Printer,
    *,
    changed: Collection[str],
    actor: Actor,
    now: datetime,
    qualifications: Collection[Qualification] | None = None,
) -> Printer:
    """Add a machine or change the named fields of it. ``qualifications`` are those it asks for; None: as they are."""
    is_unplugged = printer.pk is not None and "plug" in changed
    plugs_left = list(SmartPlug.objects.filter(printer__pk=printer.pk)) if is_unplugged else []
    is_new = saving.save(printer, changed)
    if qualifications is not None:
        printer.qualifications.set(qualifications)
    printer_changed.send(sender=Printer, printer_ids={printer.pk}, actor=actor, now=now)
    switching.settle(plugs_left, actor=actor, now=now)
    kind = "printer.added" if is_new else "printer.changed"
    record([Event(kind, printer, {"fields": sorted(changed)})], actor=actor, now=now)
    return printer


@transaction.atomic
def remove_printer(printer: Printer, *, actor: Actor, now: datetime) -> None:
    """Forget a machine that nobody ever booked; its plug is left alone from then on.

    Raises :class:`Refused` for one that has jobs, past ones too: they are on record.
    """
    Printer.objects.select_for_update().get(pk=printer.pk)
    plug = printer.plug
    why_not = _("The machine has jobs on record. Take it out of service instead.")
    saving.remove(printer, why_not=why_not)
    if plug is not None:
        switching.settle([plug], actor=actor, now=now)
    record([Event("printer.removed", printer)], actor=actor, now=now)


@transaction.atomic
def set_service(
    printers: Collection[Printer], service: Service, *, note: str, actor: Actor, now: datetime
) -> None:
    """Take machines out of service or back; the plan of their power follows at once."""
    rows = Printer.objects.filter(pk__in=[printer.pk for printer in printers])
    list(rows.select_for_update().order_by("pk").values_list("pk"))  # lock in the order everybody locks
    rows.update(service=service, service_note=note)
    printer_changed.send(
        sender=Printer, printer_ids={printer.pk for printer in printers}, actor=actor, now=now
    )
    record(
        [
            Event("printer.service_set", printer, {"service": service.value, "note": note})
            for printer in printers
        ],
        actor=actor,
        now=now,
    )


@transaction.atomic
def save_outage(outage: Outage, *, actor: Actor, now: datetime) -> Outage:
    """Add or change an outage; bookings inside it stand until somebody moves them."""
    is_new = saving.save(
        outage, [field.name for field in Outage._meta.concrete_fields if not field.primary_key]
    )
    record([Event("outage.set" if is_new else "outage.changed", outage, _told(outage))], actor=actor, now=now)
    return outage


@transaction.atomic
def lift_outage(outage: Outage, *, actor: Actor, now: datetime) -> None:
    """Take an outage back, whether it has begun or not."""
    told = _told(outage)
    saving.remove(outage, why_not=_("Something still needs it."))
    record([Event("outage.lifted", outage, told)], actor=actor, now=now)


def _told(outage: Outage) -> dict[str, str]:
    return {
        "from": outage.starts_at.isoformat(),
        "until": outage.ends_at.isoformat(),
        "reason": outage.reason,
    }
