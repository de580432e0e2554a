"""Accounts' work by the clock."""

from datetime import datetime, timedelta

from axes.models import AccessFailureLog, AccessLog

from accounts.domain import guarding, sessions
from core.registry import periodic

LOGS_KEPT_FOR = timedelta(days=90)


@periodic(every=timedelta(hours=24), name="accounts.forget_attempts", while_stopped=True)
def forget_attempts(now: datetime) -> None:
    """Who logged in and who failed is nobody's business for longer than a season; quiet guards go at once."""
    for rows in (AccessFailureLog, AccessLog):
        rows.objects.filter(attempt_time__lt=now - LOGS_KEPT_FOR).delete()
    guarding.forget_quiet(now)


@periodic(every=timedelta(hours=1), name="accounts.forget_sessions", while_stopped=True)
def forget_sessions(now: datetime) -> None:
    """Sessions that ended by themselves leave rows behind; sweep them up."""
    sessions.forget_expired(now)
