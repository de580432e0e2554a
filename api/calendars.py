"""Jobs as calendars (RFC 5545, RFC 7986) that phones and mail programs subscribe to.

An event keeps its UID for ever. Its SEQUENCE is the number of seconds from the booking to the last change: it
grows with every change, and nothing has to be counted for it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from unicodedata import category

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from accounts.models import User
from printers.models import Printer
from reservations.choices import State
from reservations.domain.queries import LONGEST
from reservations.models import Job

BACK, AHEAD = timedelta(days=90), timedelta(days=180)
# So long a job that did not take place is told as cancelled; programs that did not ask meanwhile drop it by themselves.
CANCELLED_FOR = timedelta(days=30)
ASK_AGAIN = timedelta(minutes=15)
OFF = (State.CANCELLED, State.REFUSED, State.MISSED)

Link = Callable[[Job], str]


def of_person(person: User, *, now: datetime, link: Link) -> bytes:
    """The person's own jobs on all machines."""
    events = (_event(job, _for_owner(job), link(job)) for job in _near(now).filter(owner=person))
    return _calendar(_("%(site)s: my jobs") % {"site": settings.SITE_NAME}, events)


def of_printer(printer: Printer, *, reader: User, now: datetime, link: Link) -> bytes:
    """One machine's jobs; whose they are and what for is told to trainers, and to each their own."""
    knows_all = reader.is_trainer
    events = []
    for job in _near(now).filter(printer=printer):
        if job.owner_id == reader.pk:
            events.append(_event(job, _for_owner(job), link(job)))
        elif knows_all:
            events.append(_event(job, ": ".join(filter(None, [str(job.owner), job.title])), link(job)))
        else:
            events.append(_event(job, _("taken"), ""))
    return _calendar(printer.name, events)


def _near(now: datetime) -> QuerySet[Job]:
    """Jobs of the last and the next months; one query."""
    is_told = ~Q(state__in=OFF) | Q(changed_at__gt=now - CANCELLED_FOR)
    # No job is longer than LONGEST: the bound on its start is what an index can use.
    return (
        Job.objects.filter(
            is_told, ends_at__gt=now - BACK, starts_at__gt=now - BACK - LONGEST, starts_at__lt=now + AHEAD
        )
        .select_related("printer__location", "owner")
        .order_by("starts_at", "id")
    )


def _for_owner(job: Job) -> str:
    return ": ".join(filter(None, [job.printer.name, job.title]))


def _calendar(name: str, events: Iterable[Event]) -> bytes:
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//MYP//Manage Your Printer//EN")
    calendar.add("method", "PUBLISH")
    for key in ("name", "x-wr-calname"):
        calendar.add(key, _clean(name))
    calendar.add("refresh-interval", ASK_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for event in events:
        calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text


def _event(job: Job, summary: str, url: str) -> Event:
    """One job; without ``url`` it is somebody else's, and nothing but the time is told."""
    event = Event()
    event.add("uid", f"{job.pk}-{job.created_at:%Y%m%dT%H%M%S%f}@myp")
    event.add("dtstamp", job.changed_at)
    event.add("last-modified", job.changed_at)
    event.add("created", job.created_at)
    event.add("sequence", max(0, int((job.changed_at - job.created_at).total_seconds())))
    event.add("dtstart", job.starts_at)
    event.add("dtend", job.ends_at)
    event.add("summary", _clean(summary))
    event.add("status", _status(job.state))
    event.add(
        "location", _clean(", ".join(filter(None, [job.printer.name, str(job.printer.location or "")])))
    )
    if url:
        event.add("url", url)
        if job.note:
            event.add("description", _clean(job.note))
    else:
        event.add("class", "PRIVATE")
    return event


def _status(state: str) -> str:
    if state in OFF:
        return "CANCELLED"
    return "TENTATIVE" if state == State.PENDING else "CONFIRMED"


def _clean(text: str) -> str:
    """Line ends of one kind, which the library escapes, and no other control character: none of them starts a line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(letter for letter in text if letter == "\n" or category(letter) != "Cc")
