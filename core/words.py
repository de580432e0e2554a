"""Times in the words of a workshop."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _


def ago(at: datetime | None, now: datetime) -> str:
    """How long since: "12 s ago", "5 min ago", "3 h ago", then the date."""
    if at is None:
        return _("never")
    seconds = max(int((now - at).total_seconds()), 0)
    if seconds < 60:
        return _("%(count)d s ago") % {"count": seconds}
    if seconds < 3600:
        return _("%(count)d min ago") % {"count": seconds // 60}
    if seconds < 24 * 3600:
        return _("%(count)d h ago") % {"count": seconds // 3600}
    return formats.date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")


def day(at: datetime, now: datetime) -> str:
    """The day as people say it: "today", "tomorrow", "yesterday", then the date."""
    local, today = timezone.localtime(at).date(), timezone.localtime(now).date()
    said = {0: _("today"), 1: _("tomorrow"), -1: _("yesterday")}
    return said.get((local - today).days) or formats.date_format(local, "SHORT_DATE_FORMAT")


def clock_time(at: datetime) -> str:
    """The time of day."""
    return formats.date_format(timezone.localtime(at), "H:i")


def moment(at: datetime, now: datetime) -> str:
    """Day and time: "today 14:30"."""
    return f"{day(at, now)} {clock_time(at)}"
