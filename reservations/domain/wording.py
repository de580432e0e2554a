"""Words for what the rules find and the plan decides, in the language of the reader."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.errors import Violation
from reservations.domain.power import Reason
from reservations.domain.rules import Finding

REASONS = {
    Reason.OVERRIDE: gettext_lazy("as a trainer told it"),
    Reason.OUT_OF_SERVICE: gettext_lazy("out of service"),
    Reason.JOB: gettext_lazy("a job is running"),
    Reason.LEAD: gettext_lazy("warming up before a job"),
    Reason.COOL_DOWN: gettext_lazy("cooling down after a job"),
    Reason.OVERRUN: gettext_lazy("a print still draws power"),
    Reason.HARD_LIMIT: gettext_lazy("the hard limit after the end is reached"),
    Reason.NOTHING: gettext_lazy("no job"),
}


def reason_words(reason: str) -> str:
    """Why power is on or off, for people; an unknown reason as it stands."""
    return str(REASONS.get(Reason(reason), reason)) if reason in set(Reason) else reason


def duration(length: timedelta) -> str:
    """A length as people say it: "45 min", "2 h 30 min", "3 days"."""
    minutes = round(length.total_seconds() / 60)
    if minutes and minutes % (24 * 60) == 0:
        days = minutes // (24 * 60)
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    hours, rest = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)d min") % {"minutes": rest}
    if not rest:
        return _("%(hours)d h") % {"hours": hours}
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest}


def instant(at: datetime) -> str:
    """An instant in the workshop's time, short."""
    return formats.date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")


def _said(value: object) -> object:
    if isinstance(value, timedelta):
        return duration(value)
    return instant(value) if isinstance(value, datetime) else value


def _template(finding: Finding) -> str:
    """What happened, why, and what to do now."""
    texts = {
        "window_inverted": _("The end must come after the start. Choose a later end."),
        "window_past": _("That time is over. Choose a later one, or start now."),
        "window_off_step": _("Times go in steps of %(minutes)s. Choose a time on that grid."),
        "window_too_short": _("The shortest booking of this machine is %(minutes)s. Choose a later end."),
        "window_too_long": _("The longest booking of this machine is %(minutes)s. Choose an earlier end."),
        "window_endless": _("No booking may be longer than %(minutes)s. Choose an earlier end."),
        "beyond_horizon": _("This machine can be booked until %(at)s. Choose an earlier start."),
        "notice_too_short": _("This machine needs notice: the earliest start is %(at)s."),
        "outside_hours": _("The workshop is closed then. Choose a time inside the opening hours."),
        "machine_out_of_service": _("The machine is out of service: %(reason)s. Choose another one."),
        "machine_closed": _("Closed until %(at)s: %(reason)s. Choose a time after that."),
        "window_taken": _("Taken from %(from)s to %(until)s. Choose one of the free times."),
        "owner_inactive": _("This account is switched off. Ask a trainer."),
        "owner_unqualified": _("Needs the qualification %(names)s. Ask a trainer for the training."),
        "too_many_open_jobs": _("Only %(limit)s open jobs per person. Finish or cancel one first."),
        "too_many_hours": _("Only %(limit)s per person and week; %(left)s are left. Choose an earlier end."),
    }
    return texts[finding.code]


def violation(finding: Finding) -> Violation:
    """A finding in words."""
    params: Mapping[str, object] = {key: _said(value) for key, value in finding.params.items()}
    if finding.code == "machine_out_of_service" and not params["reason"]:
        params = {"reason": _("no reason given")}
    return Violation(finding.code, finding.field, _template(finding) % params, finding.overridable)
