"""Times, lengths and watts as people in a workshop say them. Times are the workshop's, whatever the browser's."""

from datetime import date, datetime, timedelta

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from reservations.domain.wording import duration

DAY = timedelta(days=1)


def day(on: date, now: datetime) -> str:
    """ "today", "tomorrow", "yesterday", else the weekday and date; the year where it is another one."""
    today = timezone.localtime(now).date()
    near = {today: _("today"), today + DAY: _("tomorrow"), today - DAY: _("yesterday")}
    if on in near:
        return near[on]
    short = formats.date_format(on, "SHORT_DATE_FORMAT")
    return short if on.year == today.year else f"{short} {on.year}"


def clock(at: datetime) -> str:
    """The time of day: "14:30"."""
    return timezone.localtime(at).strftime("%H:%M")


def moment(at: datetime, now: datetime) -> str:
    """The time alone when it is today, else the day too."""
    local = timezone.localtime(at)
    if local.date() == timezone.localtime(now).date():
        return clock(at)
    return f"{day(local.date(), now)} {clock(at)}"


def window(starts_at: datetime, ends_at: datetime, now: datetime) -> str:
    """ "today 14:30–17:00 (2 h 30 min)"."""
    first, last = timezone.localtime(starts_at).date(), timezone.localtime(ends_at).date()
    begin = f"{day(first, now)} {clock(starts_at)}"
    end = clock(ends_at) if first == last else f" {day(last, now)} {clock(ends_at)}"
    gap = "–" if first == last else " –"
    return f"{begin}{gap}{end} ({duration(ends_at - starts_at)})"


def left(until: datetime, now: datetime) -> str:
    """ "1 h 20 min left"; under a minute it says so."""
    rest = until - now
    if rest < timedelta(minutes=1):
        return _("less than a minute left")
    return _("%(duration)s left") % {"duration": _rounded(rest)}


def ahead(at: datetime, now: datetime) -> str:
    """ "in 12 min"."""
    return _("in %(duration)s") % {"duration": _rounded(max(at - now, timedelta(minutes=1)))}


def _rounded(length: timedelta) -> str:
    """Minutes up to a day, whole hours up to two, then days: nobody counts the minutes of next week."""
    unit = timedelta(minutes=1) if length <= DAY else timedelta(hours=1) if length <= 2 * DAY else DAY
    return duration(round(length / unit) * unit)


def watts(power: float) -> str:
    """ "86 W", with one decimal below ten."""
    return f"{formats.number_format(power, decimal_pos=1 if power < 10 else 0)} W"


def seconds(at: datetime, now: datetime) -> str:
    """An instant to the second: "14:30:01", with the day when it is not today."""
    local = timezone.localtime(at)
    time = local.strftime("%H:%M:%S")
    is_today = local.date() == timezone.localtime(now).date()
    return time if is_today else f"{day(local.date(), now)} {time}"


def decimal(value: float) -> str:
    """One decimal, with the reader's comma or point."""
    return formats.number_format(value, decimal_pos=1)
