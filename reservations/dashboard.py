"""The trainer's first page: what needs a person, what runs now, what comes next. Bounded queries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from core import clock
from core.admin import SchedulerStateAdmin
from core.domain import scheduling
from core.models import SchedulerState
from core.theme import chip
from core.verbs import Verb, do_url
from core.words import ago
from plugs.admin import TONES as PLUG_TONES
from plugs.admin import VERBS as PLUG_VERBS
from plugs.choices import CommandResult, Health
from plugs.models import DEAD_AFTER, PlugCommand, PlugState, SmartPlug
from plugs.wording import fault_words
from reservations.admin_chips import badge_chip, tone_of
from reservations.admin_verbs import APPROVE, REFUSE
from reservations.choices import MachineState, State
from reservations.domain.power import Reason
from reservations.domain.queries import Standing, overview
from reservations.models import Job
from reservations.presenting import words
from reservations.presenting.badges import job_badge, machine_badge

# A command that was not confirmed after this is worth a look; before, the plug is simply on its way.
SLOW_COMMAND = timedelta(seconds=15)
NEXT_HOURS = timedelta(hours=12)
MOST_ROWS = 20

Offer = dict[str, object]
TEST = next(verb for verb in PLUG_VERBS if verb.name == "test")
SWITCH = next(verb for verb in PLUG_VERBS if verb.name == "switch")
START, STOP = (next(v for v in SchedulerStateAdmin.verbs if v.name == name) for name in ("start", "stop"))


@dataclass(frozen=True, slots=True)
class Need:
    """Something a person has to look at, and the buttons that help."""

    tone: str
    title: str
    words: str
    url: str = ""
    offers: list[Offer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tile:
    """One machine as it stands."""

    name: str
    url: str
    tone: str
    chip: object
    watts: str
    who: str
    when: str
    plug: object


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the theme's first page asks for."""
    return {
        **context,
        **board(request),
        "board_url": reverse("admin:reservations_board"),
        "title": _("Overview"),
    }


@never_cache
def board_view(request: HttpRequest) -> HttpResponse:
    """The inner part alone, for the page that refreshes itself."""
    # Looking on is not using: the session ends when nobody has done anything, although this page asks on.
    request.session.save = lambda *args, **kwargs: None  # type: ignore[method-assign]
    return render(request, "admin/_board.html", board(request))


def board(request: HttpRequest) -> dict[str, Any]:
    """All that the board shows; nothing for people who may not see jobs."""
    user, now = request.user, clock.now()
    if not user.has_perm("reservations.view_job"):
        return {"may_see": False}
    standings, status = overview(now), scheduling.status(now)
    may_drive = _offering(user, "plugs.change_smartplug")
    needs = [
        *_scheduler_needs(status, now),
        *_plug_needs(may_drive, now),
        *_overruns(standings, may_drive, now),
        *_approvals(_offering(user, "reservations.change_job"), now),
    ]
    return {
        "may_see": True,
        "needs": needs,
        "tiles": [_tile(standing, now) for standing in standings],
        "coming": _coming(now),
        "stand": words.seconds(now, now),
        "here": reverse("admin:index"),
        "scheduler": chip("free", _("running")) if status.is_running else chip("attention", _("stopped")),
        "scheduler_offers": _offering(user, "core.change_schedulerstate")(
            SchedulerState(), STOP if status.is_running else START
        ),
    }


Offering = Callable[..., list[Offer]]


def _offering(user: User | AnonymousUser, permission: str) -> Offering:
    """A maker of buttons, which makes none for people without the permission."""

    def offer(row: models.Model, *verbs: Verb) -> list[Offer]:
        if not user.has_perm(permission):
            return []
        return [{"verb": verb, "url": do_url(verb, row)} for verb in verbs]

    return offer


def _scheduler_needs(status: scheduling.Status, now: datetime) -> list[Need]:
    needs = []
    if not status.is_running:
        said = _("Stopped by %(who)s, %(when)s: %(reason)s. Machines stay as they are.") % {
            "who": status.changed_by_name,
            "when": ago(status.changed_at, now),
            "reason": status.reason,
        }
        needs.append(Need("attention", _("Scheduler"), said))
    if not status.is_alive:
        said = _(
            "Its process is silent; last sign of life: %(when)s. Plugs are not switched. Start the service again."
        )
        needs.append(Need("fault", _("Scheduler"), said % {"when": ago(status.beat_at, now)}))
    return needs


def _plug_needs(offering: Offering, now: datetime) -> list[Need]:
    """Plugs that are out of reach, refuse us, or have not obeyed for a while; those without a machine too."""
    late = PlugCommand.objects.filter(
        result__in=[CommandResult.PENDING, CommandResult.FAILED], created_at__lt=now - SLOW_COMMAND
    ).select_related("plug__state", "plug__printer")
    stubborn = {command.plug_id: command for command in late[:MOST_ROWS]}
    lost = Q(state__failures__gte=DEAD_AFTER) | Q(state__is_suspended=True)
    plugs = {
        plug.pk: plug
        for plug in SmartPlug.objects.filter(lost).select_related("state", "printer")[:MOST_ROWS]
    }
    plugs |= {command.plug_id: command.plug for command in stubborn.values()}
    return [
        Need(
            tone="fault",
            title=_plug_title(plug),
            words=_trouble(plug.state, stubborn.get(plug.pk), now),
            url=reverse("admin:plugs_smartplug_change", args=[plug.pk]),
            offers=offering(plug, TEST),
        )
        for plug in plugs.values()
    ]


def _plug_title(plug: SmartPlug) -> str:
    machine = getattr(plug, "printer", None)
    return f"{machine} · {plug}" if machine else str(plug)


def _trouble(state: PlugState, command: PlugCommand | None, now: datetime) -> str:
    why = fault_words(state.error_code) if state.error_code else ""
    if state.health in {Health.DEAD, Health.SUSPENDED}:
        seen = _("Last contact: %(when)s.") % {"when": ago(state.last_contact_at, now)}
        return f"{why or state.health.label} {seen}"
    if command is None or state.observed in {None, command.on}:
        told = _("A command was not confirmed yet.")
    else:
        told = _("Should be on, but is not.") if command.on else _("Should be off, but is not.")
    return f"{told} {why}".strip()


def _overruns(standings: list[Standing], offering: Offering, now: datetime) -> list[Need]:
    """A print still draws power after its job ended; a person decides."""
    needs = []
    for standing in standings:
        plan, plug_state = standing.plan, standing.plug_state
        if plan is None or plug_state is None or plan.reason != Reason.OVERRUN:
            continue
        said = _("The print still draws %(watts)s. Its job ended: %(when)s.") % {
            "watts": words.watts(plug_state.power_w or 0),
            "when": ago(plan.last_end_at, now),
        }
        url = reverse("admin:printers_printer_change", args=[standing.printer.pk])
        offers = offering(standing.printer.plug, SWITCH)
        needs.append(Need("attention", str(standing.printer), said, url, offers))
    return needs


def _approvals(offering: Offering, now: datetime) -> list[Need]:
    waiting = Job.objects.filter(state=State.PENDING, ends_at__gt=now).select_related("printer", "owner")
    return [
        Need(
            tone="attention",
            title=_("Approval: %(machine)s") % {"machine": job.printer},
            words=" · ".join(
                filter(None, [words.window(job.starts_at, job.ends_at, now), str(job.owner), job.title])
            ),
            url=reverse("admin:reservations_job_change", args=[job.pk]),
            offers=offering(job, APPROVE, REFUSE),
        )
        for job in waiting.order_by("starts_at")[:MOST_ROWS]
    ]


def _tile(standing: Standing, now: datetime) -> Tile:
    badge, plug_state, job = machine_badge(standing), standing.plug_state, standing.current
    when = ""
    if job is not None:
        when = _("until %(time)s") % {"time": words.moment(job.ends_at, now)}
    elif standing.next is not None:
        when = _("next: %(time)s") % {"time": words.moment(standing.next.starts_at, now)}
    draw = plug_state.power_w if plug_state and plug_state.observed else None
    return Tile(
        name=str(standing.printer),
        url=(
            reverse("admin:reservations_job_change", args=[job.pk])
            if job
            else reverse("admin:printers_printer_change", args=[standing.printer.pk])
        ),
        tone=tone_of(badge),
        chip=badge_chip(badge),
        watts="" if draw is None else words.watts(draw),
        who=str(job.owner) if job else "",
        when=when,
        plug=_plug_words(standing),
    )


def _plug_words(standing: Standing) -> object:
    """The plug's health where it is not fine and the machine's own state does not say it; else nothing."""
    state = standing.plug_state
    if state is None:
        return _("no plug")
    if state.health is Health.FINE or standing.state is MachineState.ATTENTION:
        return ""
    return chip(PLUG_TONES[state.health], state.health.label, weight="outline")


def _coming(now: datetime) -> list[dict[str, object]]:
    """Bookings that begin within the next hours."""
    jobs: Iterable[Job] = (
        Job.objects.filter(
            state__in=[State.PENDING, State.BOOKED], starts_at__gt=now, starts_at__lte=now + NEXT_HOURS
        )
        .select_related("printer", "owner")
        .order_by("starts_at")[:MOST_ROWS]
    )
    return [
        {
            "window": words.window(job.starts_at, job.ends_at, now),
            "machine": job.printer,
            "who": job.owner,
            "title": job.title,
            "chip": badge_chip(job_badge(State(job.state))),
            "url": reverse("admin:reservations_job_change", args=[job.pk]),
        }
        for job in jobs
    ]
