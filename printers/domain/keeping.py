"""Doors: a machine comes or changes, its service state changes, an outage is set."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from core.actor import Actor
from journal.domain.recording import Event, record
from printers.choices import Service
from printers.models import Outage, Printer
from printers.signals import printer_changed


@transaction.atomic
def save_printer(printer: Printer, *, changed: Collection[str], actor: Actor, now: datetime) -> Printer:
    """Add a machine or change the named fields of it."""
    is_new = printer.pk is None
    columns = {field.name for field in Printer._meta.concrete_fields}
    printer.save(update_fields=None if is_new else [name for name in changed if name in columns])
    printer_changed.send(sender=Printer, printer_ids={printer.pk}, actor=actor, now=now)
    kind = "printer.added" if is_new else "printer.changed"
    record([Event(kind, printer, {"fields": sorted(changed)})], actor=actor, now=now)
    return printer


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
    is_new = outage.pk is None
    outage.save()
    data = {
        "from": outage.starts_at.isoformat(),
        "until": outage.ends_at.isoformat(),
        "reason": outage.reason,
    }
    record([Event("outage.set" if is_new else "outage.changed", outage, data)], actor=actor, now=now)
    return outage
