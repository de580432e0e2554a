"""What becomes of a person's jobs when the account is switched off."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from core.actor import Actor
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking
from reservations.models import OCCUPIES, Job


def release(owner_id: int, *, actor: Actor, now: datetime) -> tuple[Sequence[Job], Sequence[Job]]:
    """Cancel all that has not begun; returns the cancelled jobs and those that are running, which go on.

    The caller has locked the owner, so no new job can come. The machines are locked in their order, and the jobs
    are cancelled together: the plugs and the journal come after all machines.
    """
    mine = Job.objects.filter(OCCUPIES, owner_id=owner_id)
    machines = Printer.objects.select_for_update().filter(pk__in=mine.values("printer_id"))
    list(machines.order_by("pk"))
    jobs = list(mine.select_related("printer").order_by("starts_at", "pk"))
    running = [job for job in jobs if job.state == State.RUNNING]
    cancelled = [job for job in jobs if job.state != State.RUNNING]
    if cancelled:
        reason = _("The account was switched off.")
        booking.cancel_taken(cancelled, actor=actor, reason=reason, now=now)
    return cancelled, running
