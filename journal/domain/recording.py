"""The one way into the journal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, models

from core.actor import Actor
from journal.models import Entry

# Two writers' ids can become visible out of order on PostgreSQL; a reader that asks for "id > last" would
# miss the later one. Writers therefore queue up on this lock, which is why the insert comes last.
_ORDER_LOCK = 0x4D5950_01


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to ``subject``, not yet written down."""

    kind: str
    subject: models.Model
    data: dict[str, Any] = field(default_factory=dict)


def subject_key(subject: models.Model) -> str:
    """The stable name of a row: "job:17"."""
    return f"{subject._meta.model_name}:{subject.pk}"


def record(events: Iterable[Event], *, actor: Actor, now: datetime) -> None:
    """Append the events; call it last in the transaction that changed the subjects."""
    entries = [
        Entry(
            kind=event.kind,
            actor_id=actor.user_id,
            channel=actor.channel,
            subject=subject_key(event.subject),
            subject_label=str(event.subject)[:200],
            data=event.data,
            at=now,
        )
        for event in events
    ]
    if not entries:
        return
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ORDER_LOCK])
    Entry.objects.bulk_create(entries)
