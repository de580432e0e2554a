"""What apps give the scheduler to do. Names only: no models in here, so every edge may import it.

Two kinds of work, both registered in an app's ``periodic.py`` (found by autodiscovery):

``@periodic(every=timedelta(hours=1), name="plugs.thin_readings")``
    A function ``f(now)`` that runs on a worker at its own interval. It may be slow (up to the workers'
    time limit) and may talk to devices. One run at a time; a run that was missed is caught up once.

``@on_due(name="reservations.advance", order=100, next_due=lifecycle.next_due)``
    A function ``f(now, *, is_running)`` that the scheduler calls in its own process as soon as
    ``next_due(now)`` has come. It must be quick and use the database alone: claim what is due and hand
    device work to a worker with ``async_task`` in the same transaction. ``next_due`` answers the instant of
    the next work, or None; work that is due and not done stays due. Lower ``order`` runs first.

A trainer may stop the scheduler. Then nothing runs but what says ``while_stopped=True``; it is told by
``is_running=False`` and does only what does not depend on the plan (read devices, obey manual overrides).

Both kinds are idempotent and catch up: they ask "due and not yet done", never "exactly this minute".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar


class NextDue(Protocol):
    """When there is something to do next; None when nothing is in sight."""

    def __call__(self, now: datetime, /) -> datetime | None: ...


class RunDue(Protocol):
    """Do what is due; ``is_running`` is False while a trainer has stopped the scheduler."""

    def __call__(self, now: datetime, /, *, is_running: bool) -> None: ...


class RunPeriodic(Protocol):
    """One run of a periodic function."""

    def __call__(self, now: datetime, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Periodic:
    """A function that runs on a worker every so often."""

    name: str
    every: timedelta
    run: RunPeriodic
    while_stopped: bool


@dataclass(frozen=True, slots=True)
class DueSource:
    """Something the scheduler's own process does as soon as it falls due."""

    name: str
    order: int
    next_due: NextDue
    run: RunDue
    while_stopped: bool


P = TypeVar("P", bound=RunPeriodic)
D = TypeVar("D", bound=RunDue)

_periodics: dict[str, Periodic] = {}
_sources: dict[str, DueSource] = {}


def periodic(*, every: timedelta, name: str, while_stopped: bool = False) -> Callable[[P], P]:
    """Register a function that workers run every ``every``."""
    if every < timedelta(seconds=1):
        raise ValueError(f"{name}: a periodic function runs at most once a second")

    def register(function: P) -> P:
        _add(_periodics, name, Periodic(name, every, function, while_stopped))
        return function

    return register


def on_due(*, name: str, order: int, next_due: NextDue, while_stopped: bool = False) -> Callable[[D], D]:
    """Register a function that the scheduler calls when ``next_due`` has come."""

    def register(function: D) -> D:
        _add(_sources, name, DueSource(name, order, next_due, function, while_stopped))
        return function

    return register


T = TypeVar("T")


def _add(registry: dict[str, T], name: str, entry: T) -> None:
    if name in registry:
        raise ValueError(f"{name!r} is registered twice")
    registry[name] = entry


def periodics() -> dict[str, Periodic]:
    """All periodic functions by name."""
    return dict(_periodics)


def due_sources() -> list[DueSource]:
    """All due sources, in the order they run."""
    return sorted(_sources.values(), key=lambda source: (source.order, source.name))


def forget(name: str) -> None:
    """Take a name out again. For tests."""
    _periodics.pop(name, None)
    _sources.pop(name, None)
