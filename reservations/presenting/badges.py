"""A state as people see it: always a colour, a shape and a word.

Solid: measured. Outline: planned. Dashed: assumed, or not confirmed.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from plugs.choices import Health
from plugs.models import PlugState
from reservations.choices import MachineState, State
from reservations.domain.queries import Standing


@dataclass(frozen=True, slots=True)
class Badge:
    """``tone`` names the colour token, ``icon`` the shape in ``static/icons/icons.svg``."""

    tone: str
    icon: str
    word: str
    weight: str = "solid"


_MACHINES: dict[MachineState, tuple[str, str, str]] = {
    MachineState.FREE: ("free", "circle", "solid"),
    MachineState.BOOKED: ("booked", "clock", "outline"),
    MachineState.IN_USE: ("running", "play", "outline"),
    MachineState.PRINTING: ("running", "play", "solid"),
    MachineState.ATTENTION: ("attention", "warning", "solid"),
    MachineState.MAINTENANCE: ("attention", "warning", "outline"),
    MachineState.OUT_OF_ORDER: ("fault", "cross", "solid"),
}

_JOBS: dict[State, tuple[str, str, str]] = {
    State.PENDING: ("attention", "clock", "outline"),
    State.BOOKED: ("booked", "clock", "outline"),
    State.RUNNING: ("running", "play", "solid"),
    State.FINISHED: ("offline", "check", "outline"),
    State.REFUSED: ("fault", "cross", "outline"),
    State.CANCELLED: ("offline", "cross", "outline"),
    State.MISSED: ("attention", "warning", "outline"),
    State.ABORTED: ("fault", "cross", "outline"),
}


def is_unreachable(plug_state: PlugState | None) -> bool:
    """Nobody knows what the plug does, or it does not let us in."""
    return plug_state is not None and plug_state.health in {Health.DEAD, Health.SUSPENDED}


def machine_badge(standing: Standing) -> Badge:
    """A plug out of reach outweighs what was planned: then the state is not known."""
    if standing.state is MachineState.ATTENTION and is_unreachable(standing.plug_state):
        return Badge("fault", "cross", _("plug not reachable"))
    tone, icon, weight = _MACHINES[standing.state]
    if weight == "solid" and standing.plug_state is not None and standing.plug_state.last_contact_at is None:
        weight = "dashed"
    return Badge(tone, icon, str(standing.state.label), weight)


def job_badge(state: State) -> Badge:
    """Where a job stands."""
    tone, icon, weight = _JOBS[state]
    return Badge(tone, icon, str(state.label), weight)
