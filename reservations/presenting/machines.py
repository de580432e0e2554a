"""Machines as cards: how each stands, until when, and what its plug says."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import User
from plugs.choices import Health
from plugs.models import PlugState
from printers.choices import Activity, Kind, Service
from printers.models import Printer
from reservations.choices import MachineState, State
from reservations.domain.power import Reason
from reservations.domain.queries import Standing
from reservations.models import Job
from reservations.presenting import words
from reservations.presenting.badges import Badge, is_unreachable, machine_badge


@dataclass(frozen=True, slots=True)
class MachineCard:
    """One machine in words. Plain texts only: two equal cards look the same."""

    pk: int
    name: str
    about: str
    picture: str
    badge: Badge
    until: str
    power: str
    trouble: str
    notice: str
    is_mine: bool
    is_bookable: bool


def machine_cards(standings: Iterable[Standing], viewer: User, now: datetime) -> tuple[MachineCard, ...]:
    """A card for every machine, in the same order."""
    return tuple(machine_card(standing, viewer, now) for standing in standings)


def machine_card(standing: Standing, viewer: User, now: datetime) -> MachineCard:
    """One machine as ``viewer`` may see it."""
    printer = standing.printer
    return MachineCard(
        pk=printer.pk,
        name=printer.name,
        about=about(printer),
        picture=printer.picture.url if printer.picture else "",
        badge=machine_badge(standing),
        until=_until(standing, viewer, now),
        power=power_words(standing.plug_state, standing.activity, has_plug=printer.plug_id is not None),
        trouble=trouble_words(standing.plug_state),
        notice=_notice(standing, now),
        is_mine=standing.current is not None and standing.current.owner_id == viewer.pk,
        is_bookable=printer.service == Service.IN_SERVICE,
    )


def about(printer: Printer) -> str:
    """Maker, model and place in one line; the kind where nobody said more."""
    made = " ".join(part for part in (printer.maker, printer.model) if part)
    place = printer.location.name if printer.location else ""
    return " · ".join(part for part in (made or str(Kind(printer.kind).label), place) if part)


def _until(standing: Standing, viewer: User, now: datetime) -> str:
    """Until when it stays as it is, and whose it is where the viewer may know."""
    if standing.current is not None:
        return _taken(standing.current, viewer, now)
    if standing.state is MachineState.FREE and standing.free_until:
        return _("free until %(time)s") % {"time": words.moment(standing.free_until, now)}
    if standing.state is MachineState.FREE:
        return _("free for the next 7 days")
    return ""


def _taken(job: Job, viewer: User, now: datetime) -> str:
    if job.state != State.RUNNING and job.ends_at > now:
        text = _("booked until %(time)s")
    else:
        text = _("taken until %(time)s")
    said = text % {"time": words.moment(max(job.ends_at, job.occupied_until), now)}
    if viewer.is_trainer and job.owner_id != viewer.pk:
        return f"{first_name(job.owner)} · {said}"
    return said


def first_name(person: User) -> str:
    """What people call each other in the workshop."""
    return person.first_name or person.username


def power_words(plug_state: PlugState | None, activity: Activity, *, has_plug: bool) -> str:
    """ "86 W · working"; what is not measured is not shown as if it were."""
    if not has_plug:
        return _("no plug: the power is not switched")
    if plug_state is None or is_unreachable(plug_state):
        return ""
    if plug_state.wanted is not None and plug_state.wanted != plug_state.observed:
        return _switching(plug_state)
    if plug_state.observed and plug_state.power_w is not None:
        return f"{words.watts(plug_state.power_w)} · {activity.label}"
    return str(activity.label) if activity is not Activity.UNKNOWN else ""


def _switching(plug_state: PlugState) -> str:
    """Not confirmed yet: say what is under way."""
    if plug_state.wanted:
        return _("is being switched on …")
    held = plug_state.hold_above_w is not None and (plug_state.power_w or 0) > plug_state.hold_above_w
    if held:
        return _("%(watts)s · stays on while it works") % {"watts": words.watts(plug_state.power_w or 0)}
    return _("is being switched off …")


def trouble_words(plug_state: PlugState | None) -> str:
    """What is wrong with the plug, and what it means for the person in front of the machine."""
    if plug_state is None:
        return ""
    return {
        Health.DEAD: _("Plug not reachable: the power may not switch. Tell a trainer."),
        Health.SUSPENDED: _("The plug refuses our login: the power does not switch. Tell a trainer."),
    }.get(plug_state.health, "")


def _notice(standing: Standing, now: datetime) -> str:
    """Why it cannot be used, or what to know before walking up to it."""
    if standing.printer.service != Service.IN_SERVICE:
        return standing.printer.service_note
    if standing.outage is not None:
        params = {"time": words.moment(standing.outage.ends_at, now), "reason": standing.outage.reason}
        return _("Closed until %(time)s: %(reason)s") % params
    if standing.plan is not None and standing.plan.reason == Reason.OVERRUN:
        return _("The print before is still at work. The power stays on until it is done.")
    return ""
