"""The API's work by the clock."""

from datetime import datetime, timedelta

from api.idempotency import forget_answers
from core.registry import periodic


@periodic(every=timedelta(hours=1), name="api.forget_answers", while_stopped=True)
def forget(now: datetime) -> None:
    """Answers kept for repeated requests are forgotten after a day."""
    forget_answers(now)
