"""Questions about bookings: the overview, free windows, a person's jobs, the calendar."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet

from accounts.models import Qualification
from plugs.choices import Health
from plugs.models import PlugState
from printers.choices import Activity, Service
from printers.domain.activity import judge
from printers.domain.queries import all_printers, outages_between, shuts
from printers.models import LONGEST_MINUTES, Outage, Printer
from reservations.choices import MachineState, State
from reservations.domain.facts import taken_windows
from reservations.domain.power import Reason
from reservations.domain.rules import Window
from reservations.models import OCCUPIES, Job, PowerPlan

LONGEST = timedelta(minutes=LONGEST_MINUTES)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one machine stands: its state, who has it, who comes next, and what the plug says."""

    printer: Printer
    state: MachineState
    activity: Activity
    plan: PowerPlan | None
    plug_state: PlugState | None
    current: Job | None
    next: Job | None
    outage: Outage | None

    @property
    def is_free(self) -> bool:
        """Somebody could start now."""
        return self.state is MachineState.FREE

    @property
    def free_until(self) -> datetime | None:
        """Until when it is free, when it is; None: nothing in sight."""
        return self.next.starts_at if self.is_free and self.next else None


def overview(now: datetime, printers: QuerySet[Printer] | None = None) -> list[Standing]:
    """Every machine as it stands now; five queries however many machines there are."""
    rows = list(
        (all_printers() if printers is None else printers)
        .select_related("location", "plug__state", "power_plan")
        .prefetch_related(Prefetch("qualifications", Qualification.objects.only("name")))
    )
    coming: dict[int, list[Job]] = defaultdict(list)
    jobs = Job.objects.filter(
        OCCUPIES, printer__in=rows, starts_at__lt=now + timedelta(days=7), occupied_until__gt=now
    )
    for job in jobs.select_related("owner").order_by("starts_at"):
        coming[job.printer_id].append(job)
    outages = outages_between(rows, now, now + timedelta(seconds=1))
    return [_standing(printer, coming[printer.pk], outages, now) for printer in rows]


def _standing(printer: Printer, jobs: list[Job], outages: list[Outage], now: datetime) -> Standing:
    plug_state = getattr(printer.plug, "state", None)
    plan = getattr(printer, "power_plan", None)
    current = next((job for job in jobs if job.starts_at <= now), None)
    outage = next((outage for outage in outages if shuts(outage, printer)), None)
    activity = judge(
        is_on=plug_state.observed if plug_state else None,
        power_w=plug_state.power_w if plug_state else None,
        busy_above_w=printer.busy_above_w,
    )
    return Standing(
        printer=printer,
        state=_state(
            printer=printer,
            plug_state=plug_state,
            plan=plan,
            current=current,
            outage=outage,
            activity=activity,
        ),
        activity=activity,
        plan=plan,
        plug_state=plug_state,
        current=current,
        next=next((job for job in jobs if job.starts_at > now), None),
        outage=outage,
    )


def _state(
    *,
    printer: Printer,
    plug_state: PlugState | None,
    plan: PowerPlan | None,
    current: Job | None,
    outage: Outage | None,
    activity: Activity,
) -> MachineState:
    if printer.service == Service.OUT_OF_ORDER:
        return MachineState.OUT_OF_ORDER
    if printer.service == Service.MAINTENANCE or outage:
        return MachineState.MAINTENANCE
    is_unreachable = plug_state is not None and plug_state.health in {Health.DEAD, Health.SUSPENDED}
    is_overrun = plan is not None and plan.reason == Reason.OVERRUN
    if is_unreachable or is_overrun:
        return MachineState.ATTENTION
    if current is not None and current.state == State.RUNNING:
        return MachineState.PRINTING if activity is Activity.BUSY else MachineState.IN_USE
    return MachineState.BOOKED if current else MachineState.FREE


def standing_of(printer_id: int, now: datetime) -> Standing:
    """One machine as it stands now. Raises ``Printer.DoesNotExist``."""
    found = overview(now, all_printers().filter(pk=printer_id))
    if not found:
        raise Printer.DoesNotExist(printer_id)
    return found[0]


def free_windows(
    printer: Printer,
    start: datetime,
    end: datetime,
    *,
    shortest: timedelta | None = None,
    but: Job | None = None,
) -> list[Window]:
    """Windows of at least ``shortest`` in ``[start, end)`` in which a job and its buffer would fit, in order.

    Opening hours are not applied: a booking has to start inside them, but may last longer.
    """
    buffer = timedelta(minutes=printer.buffer_minutes)
    shortest = shortest or timedelta(minutes=printer.min_minutes)
    shut = [Window(o.starts_at, o.ends_at) for o in outages_between([printer], start, end)]
    taken = taken_windows(printer, start, end + buffer, but=but)
    return gaps_between(start, end, buffer=buffer, shortest=shortest, shut=shut, taken=taken)


def gaps_between(
    start: datetime,
    end: datetime,
    *,
    buffer: timedelta,
    shortest: timedelta,
    shut: Iterable[Window],
    taken: Iterable[Window],
) -> list[Window]:
    """What :func:`free_windows` finds, from what is known: ``taken`` with the buffers of those jobs."""
    # Our own buffer must end before the next job begins, so every taken window reaches that much forward.
    in_the_way = [*shut, *(Window(w.starts_at - buffer, w.ends_at) for w in taken)]
    return [
        window for window in _gaps(start, end, sorted(in_the_way, key=_begin)) if window.length >= shortest
    ]


def _begin(window: Window) -> datetime:
    return window.starts_at


def _gaps(start: datetime, end: datetime, taken: list[Window]) -> Iterator[Window]:
    at = start
    for window in taken:
        if window.starts_at > at:
            yield Window(at, min(window.starts_at, end))
        at = max(at, window.ends_at)
    if at < end:
        yield Window(at, end)


def jobs_of(owner_id: int) -> QuerySet[Job]:
    """Everything a person ever booked, newest start first."""
    return Job.objects.filter(owner_id=owner_id).select_related("printer", "owner").order_by("-starts_at")


def calendar(
    start: datetime, end: datetime, *, printer_ids: Collection[int] | None = None
) -> list[dict[str, Any]]:
    """Jobs that touch ``[start, end)`` and took place or will, in order; one query.

    Since no job is longer than :data:`LONGEST`, the search looks no further back than that.
    """
    jobs = Job.objects.filter(starts_at__lt=end, starts_at__gt=start - LONGEST, ends_at__gt=start).exclude(
        state__in=[State.CANCELLED, State.REFUSED, State.MISSED]
    )
    if printer_ids is not None:
        jobs = jobs.filter(printer_id__in=printer_ids)
    columns = ("id", "printer_id", "owner_id", "owner__first_name", "title", "starts_at", "ends_at", "state")
    return [dict(zip(columns, row, strict=True)) for row in jobs.order_by("starts_at").values_list(*columns)]
