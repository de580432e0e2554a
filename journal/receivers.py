"""What the core tells and the journal keeps."""

from datetime import datetime
from typing import Any

from django.db import models
from django.dispatch import receiver

from core.actor import Actor
from core.signals import scheduler_changed
from journal.domain.recording import Event, record


@receiver(scheduler_changed)
def record_scheduler(
    sender: object,
    *,
    state: models.Model,
    is_running: bool,
    actor: Actor,
    reason: str,
    now: datetime,
    **kwargs: Any,
) -> None:
    """Somebody stopped or started the scheduler."""
    kind = "scheduler.started" if is_running else "scheduler.stopped"
    record([Event(kind, state, {"reason": reason})], actor=actor, now=now)
