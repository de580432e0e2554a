"""Plugs' work by the clock."""

from datetime import datetime, timedelta

from core.registry import on_due, periodic
from plugs.domain import reconciling, retention


@on_due(name="plugs.contact", order=200, next_due=reconciling.next_due, while_stopped=True)
def contact(now: datetime, *, is_running: bool) -> None:
    """Hand every plug that is due to a worker; while the scheduler is stopped, only to read it."""
    reconciling.claim_due(now, is_switching=is_running)


@periodic(every=timedelta(hours=24), name="plugs.forget_old_readings", while_stopped=True)
def forget_old_readings(now: datetime) -> None:
    """Raw readings are kept for a season."""
    retention.forget_old_readings(now)
