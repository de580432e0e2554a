"""Bookings' work by the clock."""

from datetime import datetime, timedelta

from core.registry import on_due, periodic
from reservations.domain import lifecycle


@on_due(name="reservations.advance", order=100, next_due=lifecycle.next_due)
def advance(now: datetime, *, is_running: bool) -> None:
    """Start and end the jobs that are due and plan the power; before the plugs' turn, which then switch."""
    lifecycle.advance_due(now)


@periodic(every=timedelta(minutes=10), name="reservations.plan_the_unplanned")
def plan_the_unplanned(now: datetime) -> None:
    """Machines that came in by an import or a restore get a plan."""
    lifecycle.plan_the_unplanned(now)
