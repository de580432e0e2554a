"""The power plan: a pure function of the clock, the jobs, an override and what the plug observes.

Nothing else decides about power.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why power is wanted on or off."""

    OVERRIDE = "override"
    OUT_OF_SERVICE = "out_of_service"
    JOB = "job"
    LEAD = "lead"
    COOL_DOWN = "cool_down"
    OVERRUN = "overrun"
    HARD_LIMIT = "hard_limit"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Slot:
    """The window of a job that is booked or running."""

    starts_at: datetime
    ends_at: datetime
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class Override:
    """A trainer's word: on or off, until an instant (None: until taken back); ``cut`` even under load."""

    on: bool
    until: datetime | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class PowerFacts:
    """Everything the plan depends on but the clock.

    ``power_w`` is None where energy is not metered: then times alone decide. ``last_end_at`` is when the
    machine's latest job ended; ``hard_limit`` None means that a print is never cut.
    """

    slots: tuple[Slot, ...] = ()
    lead: timedelta = timedelta(0)
    cool_down: timedelta = timedelta(minutes=5)
    hard_limit: timedelta | None = None
    is_in_service: bool = True
    override: Override | None = None
    is_on: bool | None = None
    power_w: float | None = None
    idle_below_w: float = 15.0
    last_end_at: datetime | None = None

    @property
    def draws(self) -> bool:
        """The machine is on and takes more than it does when idle."""
        return bool(self.is_on) and self.power_w is not None and self.power_w > self.idle_below_w


@dataclass(frozen=True, slots=True)
class Plan:
    """Power on or off, why, and the next instant at which the answer may change by the clock alone.

    Switching off waits while the draw is above ``hold_above_w``; None cuts regardless.
    """

    want: bool
    reason: Reason
    next_change_at: datetime | None
    hold_above_w: float | None


def power_plan(now: datetime, facts: PowerFacts) -> Plan:
    """What is wanted of the machine's power at ``now``."""
    want, reason, forced = _decide(now, facts)
    hold = None if forced else facts.idle_below_w
    return Plan(want, reason, _next_change(now, facts), hold_above_w=hold)


def _decide(now: datetime, facts: PowerFacts) -> tuple[bool, Reason, bool]:
    """The first row of the table that applies: wanted, why, and whether to cut under load."""
    override = _active_override(now, facts)
    if override:
        return override.on, Reason.OVERRIDE, override.cut
    if not facts.is_in_service:
        return False, Reason.OUT_OF_SERVICE, False
    if any(slot.starts_at <= now < slot.ends_at for slot in facts.slots):
        return True, Reason.JOB, False
    if any(slot.starts_at - facts.lead <= now < slot.starts_at for slot in facts.slots):
        return True, Reason.LEAD, False
    if facts.draws:
        return _decide_under_load(now, facts)
    return False, Reason.NOTHING, False


def _decide_under_load(now: datetime, facts: PowerFacts) -> tuple[bool, Reason, bool]:
    """No job asks for power, but the machine takes some."""
    if facts.last_end_at is not None:
        if facts.hard_limit is not None and facts.last_end_at + facts.hard_limit <= now:
            return False, Reason.HARD_LIMIT, True
        if now < facts.last_end_at + facts.cool_down:
            return True, Reason.COOL_DOWN, False
    return True, Reason.OVERRUN, False


def _active_override(now: datetime, facts: PowerFacts) -> Override | None:
    override = facts.override
    if override and (override.until is None or now < override.until):
        return override
    return None


def _next_change(now: datetime, facts: PowerFacts) -> datetime | None:
    return min((at for at in _instants(facts) if at > now), default=None)


def _instants(facts: PowerFacts) -> Iterable[datetime]:
    """Every instant at which the clock alone may change the answer."""
    for slot in facts.slots:
        yield slot.starts_at - facts.lead
        yield slot.starts_at
        yield slot.ends_at
    if facts.override and facts.override.until:
        yield facts.override.until
    if facts.last_end_at and facts.draws:
        yield facts.last_end_at + facts.cool_down
        if facts.hard_limit is not None:
            yield facts.last_end_at + facts.hard_limit
