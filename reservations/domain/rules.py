"""The booking rules. Each is a true sentence about the facts; what it finds wrong is a :class:`Finding`.

Pure: no database, no HTTP, no language. Words for the codes are in ``wording.py``.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open window ``[starts_at, ends_at)``, aware instants."""

    starts_at: datetime
    ends_at: datetime

    @property
    def length(self) -> timedelta:
        """How long it is, in real time."""
        return self.ends_at - self.starts_at

    def overlaps(self, other: "Window") -> bool:
        """Whether the two share an instant; touching ends do not."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


@dataclass(frozen=True, slots=True)
class Hours:
    """Open on an ISO weekday from ``opens`` to ``closes``, local time."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Closure:
    """The machine or its location is shut for a while, and why."""

    window: Window
    reason: str


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What booking the machine asks for."""

    step: timedelta = timedelta(minutes=15)
    shortest: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(days=7)
    horizon: timedelta = timedelta(days=60)
    notice: timedelta = timedelta(0)
    buffer: timedelta = timedelta(0)
    is_open_at_night: bool = True
    is_in_service: bool = True
    service_note: str = ""
    hours: tuple[Hours, ...] = ()
    qualifications: Mapping[int, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnerFacts:
    """The person the booking is for. ``week_booked``: hours of the window's week that are booked already."""

    is_active: bool = True
    qualifications: frozenset[int] = frozenset()
    open_jobs: int = 0
    open_jobs_limit: int | None = None
    week_booked: timedelta = timedelta(0)
    week_limit: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a booking is judged by.

    ``is_start_given`` is False where the start is not up for judgement: a walk-up starts at the present
    instant, a running job has started. ``taken`` holds what is in the way, buffers included.
    """

    now: datetime
    zone: ZoneInfo
    window: Window
    machine: MachineFacts = dataclasses.field(default_factory=MachineFacts)
    owner: OwnerFacts = dataclasses.field(default_factory=OwnerFacts)
    closures: tuple[Closure, ...] = ()
    taken: tuple[Window, ...] = ()
    is_start_given: bool = True
    is_running: bool = False
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold. ``params`` fill the words; a trainer may waive what is overridable."""

    code: str
    field: str = ""
    overridable: bool = False
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


Rule = Callable[[Facts], Finding | None]

# Whoever asks: no booking is longer.
LONGEST_EVER = timedelta(days=31)
# Between "now" on the asker's clock and "now" at the door; a walk-up may be so much short of a full step.
NOW_SLACK = timedelta(seconds=60)


def window_is_forward(facts: Facts) -> Finding | None:
    """The end comes after the start."""
    if facts.window.ends_at > facts.window.starts_at:
        return None
    return Finding("window_inverted", "ends_at")


def window_is_in_the_future(facts: Facts) -> Finding | None:
    """The start, where it is up for judgement, and the end are not over yet."""
    if facts.is_start_given and facts.window.starts_at < facts.now:
        return Finding("window_past", "starts_at")
    if facts.window.ends_at <= facts.now:
        return Finding("window_past", "ends_at")
    return None


def window_sits_on_the_step(facts: Facts) -> Finding | None:
    """Start and end lie on the machine's step, counted from local midnight; a walk-up's length may do instead."""
    step, window = facts.machine.step, facts.window
    params = {"minutes": step}
    if facts.is_start_given and not _is_on_step(window.starts_at, facts):
        return Finding("window_off_step", "starts_at", params=params)
    short_of_step = -window.length % step
    slack = timedelta(0) if facts.is_start_given else NOW_SLACK
    if not _is_on_step(window.ends_at, facts) and short_of_step > slack:
        return Finding("window_off_step", "ends_at", params=params)
    return None


def _is_on_step(at: datetime, facts: Facts) -> bool:
    local = at.astimezone(facts.zone)
    since_midnight = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    return local.microsecond == 0 and not since_midnight % facts.machine.step


def window_is_long_enough(facts: Facts) -> Finding | None:
    """The shortest booking is kept."""
    if facts.is_running or facts.window.length >= facts.machine.shortest:
        return None
    return Finding(
        "window_too_short", "ends_at", overridable=True, params={"minutes": facts.machine.shortest}
    )


def window_is_short_enough(facts: Facts) -> Finding | None:
    """The longest booking is kept; a trainer may go beyond the machine's, nobody beyond a month."""
    if facts.window.length > LONGEST_EVER:
        return Finding("window_endless", "ends_at", params={"minutes": LONGEST_EVER})
    if facts.window.length <= facts.machine.longest:
        return None
    return Finding("window_too_long", "ends_at", overridable=True, params={"minutes": facts.machine.longest})


def window_is_within_the_horizon(facts: Facts) -> Finding | None:
    """Not further ahead than the machine allows."""
    latest = facts.now + facts.machine.horizon
    if facts.window.starts_at <= latest:
        return None
    return Finding("beyond_horizon", "starts_at", overridable=True, params={"at": latest})


def notice_is_given(facts: Facts) -> Finding | None:
    """The machine's notice lies between now and the start."""
    earliest = facts.now + facts.machine.notice
    if not facts.machine.notice or facts.is_running or facts.window.starts_at >= earliest:
        return None
    return Finding("notice_too_short", "starts_at", overridable=True, params={"at": earliest})


def location_is_open(facts: Facts) -> Finding | None:
    """The start lies inside the opening hours; the end too, unless the machine may run at night."""
    if not facts.machine.hours:
        return None
    opening = _opening_of(facts.window.starts_at, facts)
    if opening is None and not facts.is_running:
        return Finding("outside_hours", "starts_at", overridable=True)
    if facts.machine.is_open_at_night or (opening and facts.window.ends_at <= opening.ends_at):
        return None
    return Finding("outside_hours", "ends_at", overridable=True)


def _opening_of(at: datetime, facts: Facts) -> Window | None:
    """The opening that holds the instant. Compared in local wall time, as the door's sign is read."""
    local = at.astimezone(facts.zone)
    for hours in facts.machine.hours:
        if hours.weekday == local.isoweekday() and hours.opens <= local.time() < hours.closes:
            day = local.date()
            return Window(
                datetime.combine(day, hours.opens, facts.zone),
                datetime.combine(day, hours.closes, facts.zone),
            )
    return None


def machine_is_in_service(facts: Facts) -> Finding | None:
    """Nobody books a machine that is out of service."""
    if facts.machine.is_in_service:
        return None
    return Finding("machine_out_of_service", "printer", params={"reason": facts.machine.service_note})


def machine_is_not_closed(facts: Facts) -> Finding | None:
    """No outage or closure lies in the window."""
    for closure in facts.closures:
        if closure.window.overlaps(facts.window):
            params = {"reason": closure.reason, "at": closure.window.ends_at}
            return Finding("machine_closed", "starts_at", params=params)
    return None


def window_is_free(facts: Facts) -> Finding | None:
    """No other job, with its buffer, is in the way; nor is this one's buffer in the way of the next."""
    wanted = Window(facts.window.starts_at, facts.window.ends_at + facts.machine.buffer)
    for taken in sorted(facts.taken, key=lambda window: window.starts_at):
        if taken.overlaps(wanted):
            params = {"from": taken.starts_at, "until": taken.ends_at}
            return Finding("window_taken", "starts_at" if facts.is_start_given else "ends_at", params=params)
    return None


def owner_is_active(facts: Facts) -> Finding | None:
    """The person may still use the workshop."""
    return None if facts.owner.is_active else Finding("owner_inactive", "owner")


def owner_is_qualified(facts: Facts) -> Finding | None:
    """The person holds, at the start, every qualification the machine asks for."""
    missing = [
        name for key, name in facts.machine.qualifications.items() if key not in facts.owner.qualifications
    ]
    if not missing:
        return None
    return Finding(
        "owner_unqualified", "owner", overridable=True, params={"names": ", ".join(sorted(missing))}
    )


def open_jobs_are_left(facts: Facts) -> Finding | None:
    """The person has room for one more open job."""
    limit = facts.owner.open_jobs_limit
    if not facts.is_new or limit is None or facts.owner.open_jobs < limit:
        return None
    return Finding("too_many_open_jobs", "owner", overridable=True, params={"limit": limit})


def week_hours_are_left(facts: Facts) -> Finding | None:
    """The person's hours of that week suffice."""
    limit = facts.owner.week_limit
    if limit is None or facts.owner.week_booked + facts.window.length <= limit:
        return None
    params = {"limit": limit, "left": max(limit - facts.owner.week_booked, timedelta(0))}
    return Finding("too_many_hours", "ends_at", overridable=True, params=params)


RULES: tuple[Rule, ...] = (
    window_is_in_the_future,
    window_sits_on_the_step,
    window_is_long_enough,
    window_is_short_enough,
    window_is_within_the_horizon,
    notice_is_given,
    location_is_open,
    machine_is_in_service,
    machine_is_not_closed,
    window_is_free,
    owner_is_active,
    owner_is_qualified,
    open_jobs_are_left,
    week_hours_are_left,
)


def judge(facts: Facts) -> list[Finding]:
    """All that is wrong, at once; an inverted window alone, since nothing else makes sense then."""
    if inverted := window_is_forward(facts):
        return [inverted]
    return [finding for rule in RULES if (finding := rule(facts))]
