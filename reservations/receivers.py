"""What people, plugs and machines tell us: jobs end, the plan of the power may come out differently."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.dispatch import receiver
from django.utils import formats, timezone, translation

from accounts.models import User
from accounts.signals import Ended, person_deactivated
from core.actor import SYSTEM, Actor
from plugs.signals import locking, override_changed, power_observed
from printers.signals import printer_changed
from reservations.domain import leaving, lifecycle
from reservations.models import Job


@receiver(locking)
def lock_machines(sender: object, *, plug_ids: set[int], **kwargs: Any) -> None:
    """Person, machine, plug: take the machines before the plugs."""
    if connection.features.has_select_for_update:
        lifecycle.lock_behind(plug_ids)


@receiver(power_observed)
def replan_after_reading(sender: object, *, plug_ids: set[int], now: datetime, **kwargs: Any) -> None:
    """A draw fell or rose: an overrun may be over, a held job may start."""
    lifecycle.plan_for_plugs(plug_ids, actor=SYSTEM, now=now)


@receiver(override_changed)
def replan_after_override(
    sender: object, *, plug_ids: set[int], actor: Actor, now: datetime, **kwargs: Any
) -> set[int]:
    """A trainer's word, or its end; returns the plugs that have a plan."""
    return lifecycle.plan_for_plugs(plug_ids, actor=actor, now=now)


@receiver(printer_changed)
def replan_after_change(
    sender: object, *, printer_ids: set[int], actor: Actor, now: datetime, **kwargs: Any
) -> None:
    """Another plug, another service state, other limits."""
    lifecycle.advance(printer_ids, actor=actor, now=now)


@receiver(person_deactivated)
def release_jobs(sender: object, *, person: User, actor: Actor, now: datetime, **kwargs: Any) -> Ended:
    """Somebody was switched off: what they have booked is free for others."""
    cancelled, running = leaving.release(person.pk, actor=actor, now=now)
    with translation.override(settings.LANGUAGE_CODE):  # for a letter, and we do not know its reader's
        return Ended(tuple(map(_line, cancelled)), tuple(map(_line, running)))


def _line(job: Job) -> str:
    """The job in one line, with its date in full."""
    begin, end = timezone.localtime(job.starts_at), timezone.localtime(job.ends_at)
    return f"{job.printer}: {formats.date_format(begin, 'SHORT_DATETIME_FORMAT')} – {formats.date_format(end, 'SHORT_DATETIME_FORMAT')}"
