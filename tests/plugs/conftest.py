"""A bench: plugs in software, their rows in the database, and the tasks of the queue run as a worker runs them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from django_q.models import OrmQ

from core import clock
from plugs.domain import reconciling
from plugs.drivers.fleet import fleet
from plugs.models import PlugCommand, PlugReading, PlugState, SmartPlug
from simulation.plug import SimulatedPlug
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop
from tests import factories

USER, PASSWORD = "workshop@example.org", "workshop"


def run_queue() -> int:
    """Take every task off the queue and run it; how many there were."""
    tasks = [(row, row.task) for row in OrmQ.objects.order_by("pk")]
    for row, task in tasks:
        row.delete()
        task["func"](*task["args"], **task["kwargs"])
    return len(tasks)


def queued() -> list[dict[str, object]]:
    """What lies in the queue, decoded."""
    return [row.task for row in OrmQ.objects.order_by("pk")]


@dataclass
class Bench:
    """Plugs by name; `contact` is one pass of the scheduler and of the workers."""

    workshop: SimulatedWorkshop
    rows: dict[str, SmartPlug] = field(default_factory=dict)

    def add(self, name: str, **changes: object) -> SmartPlug:
        """The row of a plug, due for its first contact."""
        told = {"driver": "tapo", "username": USER, "password": PASSWORD, **changes}
        plug = factories.PlugFactory(name=name, address=self.workshop.address(name), **told)
        PlugState.objects.filter(plug=plug).update(next_poll_at=clock.now())
        self.rows[name] = plug
        return plug

    def plug(self, name: str) -> SimulatedPlug:
        """The thing itself."""
        return self.workshop.plug(name)

    def state(self, name: str) -> PlugState:
        """The row about it, fresh."""
        return PlugState.objects.select_related("plug").get(plug=self.rows[name])

    def commands(self, name: str) -> list[PlugCommand]:
        """Its commands, oldest first."""
        return list(PlugCommand.objects.filter(plug=self.rows[name]).order_by("pk"))

    def readings(self, name: str) -> list[PlugReading]:
        """Its kept readings, oldest first."""
        return list(PlugReading.objects.filter(plug=self.rows[name]).order_by("pk"))

    def contact(self, *names: str, is_switching: bool = True) -> datetime:
        """Ask these plugs, or all, now: claim, then do what the queue says. Returns when."""
        now = clock.now()
        chosen = [self.rows[name] for name in names or self.rows]
        PlugState.objects.filter(plug__in=chosen).update(next_poll_at=now)
        reconciling.claim_due(now, is_switching=is_switching)
        run_queue()
        return now


@pytest.fixture
def workshop() -> Iterator[SimulatedWorkshop]:
    """One plug of either generation."""
    with SimulatedWorkshop([PlugSpec("klap"), PlugSpec("old", generation="passthrough")]) as running:
        yield running


@pytest.fixture
def bench(db: None, workshop: SimulatedWorkshop) -> Iterator[Bench]:
    """The bench with no rows yet."""
    yield Bench(workshop)
    fleet().close()
