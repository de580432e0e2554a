"""Questions about machines."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from printers.models import OpeningHours, Outage, Printer


def all_printers() -> QuerySet[Printer]:
    """Every machine with its place, plug and the plug's state, in the order people know them."""
    return Printer.objects.select_related("location", "plug__state")


def hours_of(location_ids: Iterable[int]) -> dict[int, list[OpeningHours]]:
    """Opening hours by location; a location that is missing has none and is always open."""
    hours: dict[int, list[OpeningHours]] = defaultdict(list)
    for row in OpeningHours.objects.filter(location_id__in=set(location_ids)):
        hours[row.location_id].append(row)
    return hours


def outages_between(printers: Collection[Printer], start: datetime, end: datetime) -> list[Outage]:
    """Outages and closures that touch ``[start, end)`` for any of the machines."""
    touching = Q(starts_at__lt=end, ends_at__gt=start)
    ours = Q(printer__in=printers) | Q(location__in={p.location_id for p in printers if p.location_id})
    return list(Outage.objects.filter(touching, ours).order_by("starts_at"))


def shuts(outage: Outage, printer: Printer) -> bool:
    """Whether the outage is the machine's, or its room's."""
    is_of_room = outage.location_id is not None and outage.location_id == printer.location_id
    return outage.printer_id == printer.pk or is_of_room
