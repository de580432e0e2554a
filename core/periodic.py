"""The core's own periodic work."""

from datetime import datetime, timedelta

from core.domain import beating
from core.registry import periodic


@periodic(every=timedelta(hours=1), name="core.forget_silent_workers", while_stopped=True)
def forget_silent_workers(now: datetime) -> None:
    """Clusters that were killed leave a sign of life behind; sweep it up."""
    beating.forget_silent(now)
