"""The wall in words: every machine for people who stand across the room. Nobody's name is on it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from printers.choices import Service
from reservations.choices import MachineState
from reservations.domain.queries import Standing, overview
from reservations.presenting import words
from reservations.presenting.badges import Badge, machine_badge


@dataclass(frozen=True, slots=True)
class WallCard:
    """One machine. Plain texts only: two equal cards look the same."""

    pk: int
    name: str
    place: str
    badge: Badge
    until: str
    next: str


@dataclass(frozen=True, slots=True)
class Wall:
    """All that the display shows; no cards while it is switched off."""

    is_active: bool
    cards: tuple[WallCard, ...]

    @property
    def version(self) -> str:
        """Equal versions look the same: nothing has to be sent again."""
        return hashlib.sha256(repr((self.is_active, self.cards)).encode()).hexdigest()[:16]


def wall(is_active: bool, now: datetime) -> Wall:
    """The machines as they stand now."""
    return Wall(is_active, tuple(wall_card(standing, now) for standing in overview(now)) if is_active else ())


def wall_card(standing: Standing, now: datetime) -> WallCard:
    """One machine as everybody may see it."""
    printer = standing.printer
    return WallCard(
        pk=printer.pk,
        name=printer.name,
        place=printer.location.name if printer.location else "",
        badge=machine_badge(standing),
        until=_until(standing, now),
        next=_next(standing, now),
    )


def _until(standing: Standing, now: datetime) -> str:
    """Until when it stays as it is, where that is known."""
    job = standing.current
    if standing.printer.service != Service.IN_SERVICE:
        return ""
    if standing.outage is not None:
        return _said(standing.outage.ends_at, now)
    if job is not None:
        ends_at = max(job.ends_at, job.occupied_until)
        return _said(ends_at, now) if ends_at > now else ""
    if standing.state is MachineState.FREE:
        return _said(standing.free_until, now) if standing.free_until else _("for the next 7 days")
    return ""


def _said(at: datetime, now: datetime) -> str:
    return _("until %(time)s") % {"time": words.moment(at, now)}


def _next(standing: Standing, now: datetime) -> str:
    """The next booking's window, where one is in sight."""
    job = standing.next
    if job is None:
        return ""
    begin, end = words.moment(job.starts_at, now), words.moment(job.ends_at, now)
    if _is_same_day(job.starts_at, job.ends_at):
        end = words.clock(job.ends_at)
    return _("next: %(begin)s–%(end)s") % {"begin": begin, "end": end}


def _is_same_day(first: datetime, second: datetime) -> bool:
    return timezone.localdate(first) == timezone.localdate(second - timedelta(microseconds=1))
