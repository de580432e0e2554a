"""How late a plug switches: from the planned instant to the moment at which the plug said that it did.

The whole product runs under its supervisor, on SQLite; the plugs are simulated in a process of their own and
speak their real protocols over TCP, half the older and half the newer one. Jobs begin and end at arbitrary
microseconds.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from time import sleep
from typing import Any

from bench import furnishing
from bench.furnishing import PlainJob
from bench.inside import Order
from bench.product import Simulator, plug_specs, serving, simulating, wait_for
from bench.report import Result
from core import clock
from core.actor import SYSTEM
from plugs.models import DEAD_AFTER, PlugCommand, PlugState
from printers.models import Printer
from reservations.domain import lifecycle

LEAD = timedelta(seconds=3)  # between planning and the first switch
SETTLE = 12.0  # seconds a command may still take after the last end


@dataclass(frozen=True, slots=True)
class Setup:
    """So many plugs, of which some are dead; on and off so often and for so long (seconds)."""

    plugs: int
    dead: int
    cycles: int
    on_for: float
    off_for: float
    is_together: bool
    p99_at_most: float


SETUPS = {
    "6": Setup(plugs=6, dead=0, cycles=20, on_for=2.7, off_for=2.6, is_together=False, p99_at_most=300),
    "200": Setup(plugs=200, dead=20, cycles=6, on_for=11, off_for=11, is_together=True, p99_at_most=1000),
}
QUICK = {
    "6": Setup(plugs=6, dead=0, cycles=1, on_for=1.5, off_for=1.5, is_together=False, p99_at_most=300),
    "200": Setup(plugs=24, dead=1, cycles=1, on_for=2.5, off_for=2.5, is_together=True, p99_at_most=1000),
}


def run(order: Order) -> Result:
    """Measure."""
    setup = (QUICK if order.is_quick else SETUPS)[order.variant]
    furnishing.migrate()
    specs = plug_specs(setup.plugs)
    with simulating(specs) as simulator:
        dead = _break(simulator, setup)
        machines = furnishing.machines(simulator.addresses[spec.name] for spec in specs)
        owner = furnishing.people(1)[0]
        healthy = {
            m.plug_id: spec.name for m, spec in zip(machines, specs, strict=True) if spec.name not in dead
        }
        with serving():
            wait_for(lambda: _is_settled(healthy, len(dead)), 90, "the first contact with every plug")
            jobs = _jobs(machines, setup, clock.now() + LEAD)
            furnishing.insert_jobs(jobs, owner, clock.now())
            lifecycle.advance([machine.pk for machine in machines], actor=SYSTEM, now=clock.now())
            last = max(job.ends_at for job in jobs)
            sleep(max(0.0, (last - clock.now()).total_seconds()))
            due = _due(jobs, machines, healthy)
            commands = _wait_for_commands(due, min(job.starts_at for job in jobs))
            switches = simulator.switches()
    return _result(setup, due, commands, {plug: switches[name] for plug, name in healthy.items()})


def _break(simulator: Simulator, setup: Setup) -> set[str]:
    """Half of the dead plugs hang, half are not there at all; every tenth plug or so, of both protocols."""
    if not setup.dead:
        return set()
    names = list(simulator.addresses)
    stride = setup.plugs // setup.dead
    dead = [names[number * stride + number % 2] for number in range(setup.dead)]
    for number, name in enumerate(dead):
        simulator.fault(name, "hang" if number < setup.dead // 2 else "unreachable")
    return set(dead)


def _is_settled(healthy: Iterable[int | None], dead: int) -> bool:
    """Every healthy plug was read, every dead one is known to be dead."""
    met = PlugState.objects.filter(plug_id__in=healthy, observed=False, failures=0).count()
    lost = PlugState.objects.filter(failures__gte=DEAD_AFTER).count()
    return met == len(list(healthy)) and lost == dead


def _jobs(machines: list[Printer], setup: Setup, first: datetime) -> list[PlainJob]:
    """Every machine's jobs, all at the same instants or spread at random."""
    chance = Random(7)  # noqa: S311 - the same every time, on purpose
    jobs = []
    cycle = setup.on_for + setup.off_for
    for machine in machines:
        shift = 0.0 if setup.is_together else chance.uniform(0, cycle)
        for number in range(setup.cycles):
            wobble = 0.0 if setup.is_together else chance.uniform(-0.3, 0.3)
            start = first + timedelta(seconds=1 + shift + wobble + number * cycle)
            jobs.append(PlainJob(machine.pk, start, start + timedelta(seconds=setup.on_for)))
    return jobs


Due = dict[tuple[int, bool], list[datetime]]


def _due(jobs: list[PlainJob], machines: list[Printer], healthy: Iterable[int | None]) -> Due:
    """When each healthy plug had to be switched, by the jobs themselves."""
    plug_of = {machine.pk: machine.plug_id for machine in machines}
    wanted = set(healthy)
    due: Due = defaultdict(list)
    for job in jobs:
        plug = plug_of[job.printer_id]
        if plug is not None and plug in wanted:
            due[plug, True].append(job.starts_at)
            due[plug, False].append(job.ends_at)
    return due


def _wait_for_commands(due: Due, first: datetime) -> list[PlugCommand]:
    """The healthy plugs' commands since the first job, when all are confirmed or the patience is over."""
    rows = PlugCommand.objects.filter(plug_id__in={plug for plug, _on in due}, planned_at__gte=first)
    expected = sum(len(instants) for instants in due.values())
    confirmed = rows.filter(confirmed_at__isnull=False)
    with contextlib.suppress(TimeoutError):  # the figures will tell
        wait_for(lambda: confirmed.count() >= expected, SETTLE, "the last commands")
    return list(rows)


def _result(setup: Setup, due: Due, commands: list[PlugCommand], switches: dict[Any, int]) -> Result:
    planned = {(plug, on, at) for (plug, on), instants in due.items() for at in instants}
    met = {(c.plug_id, c.on, c.planned_at): c for c in commands}
    confirmed = [c for key, c in met.items() if key in planned and c.confirmed_at]
    late = [_ms(c.planned_at, c.confirmed_at) for c in confirmed]
    kind = "all at one instant" if setup.is_together else "spread at random"
    result = Result(
        f"switch lateness, {setup.plugs} plugs, {setup.dead} of them dead, {kind}: {len(late)} samples"
    )
    result.add("switches planned", len(planned))
    result.add("never confirmed", len(planned) - len(confirmed), "", 0)
    result.add("commands nobody planned", len([key for key in met if key not in planned]), "", 0)
    result.add("relays that moved too often", sum(n != 2 * setup.cycles for n in switches.values()), "", 0)
    result.add_spread("lateness", late, "ms", p99_at_most=setup.p99_at_most)
    result.add_spread("until decided", [_ms(c.planned_at, c.created_at) for c in confirmed], "ms")
    result.add_spread("until sent", [_ms(c.planned_at, c.sent_at) for c in confirmed if c.sent_at], "ms")
    result.add("more than one attempt", sum(c.attempts > 1 for c in confirmed))
    result.details = {
        "unplanned": [
            f"plug {c.plug_id} {'on' if c.on else 'off'} {c.reason} {c.planned_at:%H:%M:%S.%f} {c.result}"
            for key, c in sorted(met.items())
            if key not in planned
        ],
        "planned_unmet": sorted(
            f"plug {plug} {'on' if on else 'off'} {at:%H:%M:%S.%f}" for plug, on, at in planned - set(met)
        ),
        "lateness_ms": sorted(round(each, 1) for each in late),
        "p99_ms_by_instant": _by_instant(confirmed) if setup.is_together else {},
    }
    return result


def _by_instant(confirmed: list[PlugCommand]) -> dict[str, float]:
    """The slowest of each instant: how a round went as a whole."""
    slowest: dict[str, float] = {}
    for command in confirmed:
        key = f"{command.planned_at:%H:%M:%S} {'on' if command.on else 'off'}"
        slowest[key] = max(slowest.get(key, 0.0), round(_ms(command.planned_at, command.confirmed_at), 1))
    return slowest


def _ms(since: datetime, until: datetime | None) -> float:
    return (until - since).total_seconds() * 1000 if until else float("nan")
