"""Gather from the database what the rules judge. Call it inside the door's transaction."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, QuerySet, Sum

from accounts.domain.queries import held_qualifications
from accounts.models import User
from printers.choices import Service
from printers.domain.queries import hours_of, outages_between
from printers.models import OpeningHours, Outage, Printer
from reservations.choices import OCCUPYING, State
from reservations.domain.rules import Closure, Facts, Hours, MachineFacts, OwnerFacts, Window
from reservations.models import OCCUPIES, BookingLimits, Job

# These count towards the hours of a week: what is planned and what was really used.
_COUNTED = (*OCCUPYING, State.FINISHED, State.ABORTED)


def zone() -> ZoneInfo:
    """The workshop's time zone, whatever the browser's."""
    return ZoneInfo(settings.TIME_ZONE)


def gather(
    *,
    printer: Printer,
    owner: User,
    window: Window,
    now: datetime,
    is_start_given: bool = True,
    job: Job | None = None,
) -> Facts:
    """The facts about one wish; ``job`` is the one being changed, which is not in its own way."""
    machine = machine_facts(printer)
    until = window.ends_at + machine.buffer
    return Facts(
        now=now,
        zone=zone(),
        window=window,
        machine=machine,
        owner=_owner_facts(owner, window, job),
        closures=tuple(closure_of(o) for o in outages_between([printer], window.starts_at, window.ends_at)),
        taken=tuple(taken_windows(printer, window.starts_at, until, but=job)),
        is_start_given=is_start_given,
        is_running=job is not None and job.state == State.RUNNING,
        is_new=job is None,
    )


def machine_facts(printer: Printer, hours: Iterable[OpeningHours] | None = None) -> MachineFacts:
    """The machine's own rules, with its location's opening hours, which are looked up unless given."""
    if hours is None:
        hours = hours_of([printer.location_id])[printer.location_id] if printer.location_id else []
    return MachineFacts(
        step=timedelta(minutes=printer.step_minutes),
        shortest=timedelta(minutes=printer.min_minutes),
        longest=timedelta(minutes=printer.max_minutes),
        horizon=timedelta(days=printer.horizon_days),
        notice=timedelta(minutes=printer.notice_minutes),
        buffer=timedelta(minutes=printer.buffer_minutes),
        is_open_at_night=printer.is_open_at_night,
        is_in_service=printer.service == Service.IN_SERVICE,
        service_note=printer.service_note,
        hours=tuple(Hours(row.weekday, row.opens, row.closes) for row in hours),
        qualifications={q.pk: q.name for q in printer.qualifications.all()},
    )


def closure_of(outage: Outage) -> Closure:
    """An outage as the rules see it."""
    return Closure(Window(outage.starts_at, outage.ends_at), outage.reason)


def taken_windows(
    printer: Printer, start: datetime, end: datetime, *, but: Job | None = None
) -> list[Window]:
    """Windows of the machine that other jobs occupy and that touch ``[start, end)``, in order."""
    jobs = Job.objects.filter(
        OCCUPIES, printer=printer, starts_at__lt=end, occupied_until__gt=start
    ).order_by("starts_at")
    if but is not None:
        jobs = jobs.exclude(pk=but.pk)
    return [Window(*row) for row in jobs.values_list("starts_at", "occupied_until")]


def taken_by_machine(printers: Iterable[Printer], start: datetime, end: datetime) -> dict[int, list[Window]]:
    """The same for many machines, by their ids; one query."""
    found: dict[int, list[Window]] = defaultdict(list)
    jobs = Job.objects.filter(
        OCCUPIES, printer__in=list(printers), starts_at__lt=end, occupied_until__gt=start
    ).order_by("starts_at")
    for printer_id, *window in jobs.values_list("printer_id", "starts_at", "occupied_until"):
        found[printer_id].append(Window(*window))
    return found


def _owner_facts(owner: User, window: Window, job: Job | None) -> OwnerFacts:
    limits = BookingLimits.objects.first() or BookingLimits()
    others = Job.objects.filter(owner=owner)
    if job is not None:
        others = others.exclude(pk=job.pk)
    week_limit = None if limits.week_hours is None else timedelta(hours=limits.week_hours)
    return OwnerFacts(
        is_active=owner.is_active,
        qualifications=frozenset(held_qualifications(owner.pk, window.starts_at)),
        open_jobs=0 if limits.open_jobs is None else others.filter(OCCUPIES).count(),
        open_jobs_limit=limits.open_jobs,
        week_booked=timedelta(0) if week_limit is None else _booked_in_week(others, window.starts_at),
        week_limit=week_limit,
    )


def _booked_in_week(jobs: QuerySet[Job], at: datetime) -> timedelta:
    """Hours of the jobs that start in the same week, Monday to Sunday in the workshop's time."""
    monday = at.astimezone(zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    monday -= timedelta(days=monday.weekday())
    counted = jobs.filter(state__in=_COUNTED, starts_at__gte=monday, starts_at__lt=monday + timedelta(days=7))
    total = counted.aggregate(total=Sum(F("ends_at") - F("starts_at")))["total"]
    return total or timedelta(0)
