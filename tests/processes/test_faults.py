"""The whole product as real processes, and what goes wrong in a workshop: it comes right by itself, on record.

One stack for all tests: the simulated workshop, web, workers and scheduler on one database file, where this
process books through the door. Each test has machines of its own. The plug that is dead for two minutes is
broken at the very beginning, so that the other tests run meanwhile.
"""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.test import override_settings

from accounts.models import User
from core import clock
from core.actor import Actor, Channel
from core.domain import beating
from core.models import Heartbeat
from core.supervision import processes
from core.supervision.ports import free_ports
from journal.models import Entry
from plugs.models import PlugCommand, PlugState
from printers.models import Printer
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.models import Job, PowerPlan
from tests import factories
from tests.processes.running import all_gone, family, health, started, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.sockets]

TWINS = tuple(f"twin{number}" for number in range(4))
NAMES = ("dead", "button", "slow", "orphan", "survivor", *TWINS)
DEAD_FOR = 120.0
FIELD_KEY = "f" * 40  # the same as the processes have


@dataclass
class Stack:
    """The product's processes and the workshop's, on one directory."""

    data: Path
    dead_since: float = 0.0

    def __post_init__(self) -> None:
        self._open = ExitStack()
        self.port, self.control, *plugs = free_ports(2 + len(NAMES))
        self._specs = [
            {"name": name, "port": port, "generation": ("klap", "passthrough")[number % 2]}
            for number, (name, port) in enumerate(zip(NAMES, plugs, strict=True))
        ]
        (self.data / "spec.json").write_text(json.dumps(self._specs))

    # -- processes

    def start_workshop(self) -> None:
        """The plugs; what they did before is kept in a file."""
        options = ["--spec", "spec.json", "--state", "state.json", "--control-port", str(self.control)]
        paths = [str(self.data / option) if option.endswith(".json") else option for option in options]
        self.workshop = self._open.enter_context(
            started(self.data, "-m", "simulation", *paths, log="workshop.log")
        )
        wait_until(self._workshop_answers, 30, "the workshop does not answer")

    def start_product(self) -> None:
        """Web, worker and scheduler under their supervisor."""
        command = ["manage.py", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        self.product = self._open.enter_context(started(self.data, *command, log="product.log"))
        wait_until(lambda: health(self.port)[0] == 200, 60, "the product does not become healthy")

    def kill_everything(self) -> None:
        """As a power cut does it: no process gets a word."""
        everybody = [*family(self.product.pid), *family(self.workshop.pid)]
        leaders = [processes.look_at(leader.pid) for leader in (self.product, self.workshop)]
        everybody += [leader for leader in leaders if leader is not None]
        for process in everybody:
            processes.send(process, signal.SIGKILL)
        for leader in (self.product, self.workshop):
            leader.wait(5)
        wait_until(lambda: all_gone(everybody), 10, "somebody survived SIGKILL")

    def cluster(self) -> list[processes.Process]:
        """Every process of the supervised workers."""
        note = json.loads((self.data / "run" / "worker.json").read_text())
        leader = processes.look_at(note["pid"])
        assert leader is not None
        return [leader, *family(leader.pid)]

    def close(self) -> None:
        """End everything by its own number."""
        self._open.close()

    # -- the workshop, as a person there sees and touches it

    def plug(self, name: str) -> dict[str, Any]:
        """What the plug does."""
        return next(plug for plug in self._ask("plugs") if plug["name"] == name)

    def do(self, name: str, deed: str, **details: object) -> None:
        """Press, break, mend."""
        self._ask(f"plugs/{name}/{deed}", json.dumps(details).encode())

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.control}/{path}", body, timeout=5) as answer:
            return json.load(answer)

    def _workshop_answers(self) -> bool:
        try:
            return len(self._ask("plugs")) == len(NAMES)
        except OSError:
            return False

    def addresses(self) -> dict[str, str]:
        """Where the plugs listen, by name."""
        return {str(spec["name"]): f"127.0.0.1:{spec['port']}" for spec in self._specs}


@contextmanager
def database(path: Path) -> Iterator[None]:
    """In this process, too, the default database is the product's file."""
    usual = connections["default"]
    told = {**usual.settings_dict, "ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    ours = DatabaseWrapper(
        {**told, "OPTIONS": settings.SQLITE_OPTIONS, "CONN_HEALTH_CHECKS": False}, "default"
    )
    connections["default"] = ours
    try:
        yield
    finally:
        ours.close()
        connections["default"] = usual


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Stack]:
    """Everything runs, every plug has been read once, and one of them has just died under a job."""
    data = tmp_path_factory.mktemp("workshop")
    with (
        pytest.MonkeyPatch.context() as environment,
        django_db_blocker.unblock(),
        database(data / "myp.sqlite3"),
        override_settings(FIELD_KEY=FIELD_KEY),
    ):
        environment.delenv("MYP_DATABASE_URL", raising=False)
        call_command("migrate", verbosity=0)
        running = Stack(data)
        try:
            _equip(running)
            running.start_workshop()
            running.start_product()
            wait_until(
                lambda: PlugState.objects.filter(observed=False).count() == len(NAMES), 30, "plugs not read"
            )
            running.do("dead", "fault", fault="unreachable")
            running.dead_since = monotonic()
            walk_up("dead")
            yield running
        finally:
            running.close()


def _equip(stack: Stack) -> None:
    """A machine with a plug for each scene, and Alice."""
    factories.TraineeFactory(username="alice", first_name="Alice")
    for name, address in stack.addresses().items():
        plug = factories.PlugFactory(
            name=name, address=address, driver="tapo", username="workshop@example.org", password="workshop"
        )
        PlugState.objects.filter(plug=plug).update(next_poll_at=clock.now())
        factories.PrinterFactory(name=name, plug=plug)


# ------------------------------------------------------------------ what people do, and what is on record


def alice() -> Actor:
    return Actor(User.objects.get(username="alice").pk, Channel.WEB)


def walk_up(name: str) -> Job:
    """Alice stands before the machine and books it for an hour, from now."""
    who = alice()
    assert who.user_id is not None
    ends_at = clock.now() + timedelta(hours=1)
    return booking.book(Wish(Printer.objects.get(name=name).pk, who.user_id, ends_at), actor=who)


def commands(name: str) -> list[PlugCommand]:
    return list(PlugCommand.objects.filter(plug__name=name).order_by("pk"))


def on_commands(name: str) -> list[PlugCommand]:
    return [command for command in commands(name) if command.on]


def told(name: str) -> list[str]:
    """The kinds of the journal's entries about the plug, in order."""
    return list(
        Entry.objects.filter(subject_label=name, kind__startswith="plug.")
        .order_by("pk")
        .values_list("kind", flat=True)
    )


def is_confirmed(name: str, *, count: int = 1) -> bool:
    """So many commands to switch on, the last of them confirmed."""
    found = on_commands(name)
    return len(found) == count and found[-1].result == "confirmed"


def is_right(name: str) -> bool:
    state = PlugState.objects.get(plug__name=name)
    return state.wanted is True and state.observed is True


# ------------------------------------------------------------------ the scenes


def test_a_hand_on_the_button_is_put_right(stack: Stack):
    walk_up("button")
    wait_until(lambda: is_confirmed("button"), 15, "not switched on")
    assert stack.plug("button")["on"]
    stack.do("button", "button")
    assert not stack.plug("button")["on"]
    pressed = monotonic()
    wait_until(lambda: stack.plug("button")["on"], 12, "not put right")
    assert monotonic() - pressed < 8
    wait_until(lambda: is_confirmed("button", count=2), 5, "not on record")
    planned, drift = on_commands("button")
    assert (planned.reason, drift.reason) == ("job", "job")
    assert drift.planned_at == drift.sent_at
    # Before: perhaps an order to stay off, from a plan that was made before the plug was first read.
    kinds = [kind for kind in told("button") if kind != "plug.power_cut"]
    assert kinds[-3:] == ["plug.switched_on", "plug.strayed", "plug.switched_on"]
    assert kinds.count("plug.switched_on") == 2
    assert stack.plug("button")["switches"] == 3  # on, the hand, on
    assert Job.objects.get(printer__name="button").state == "running"


def test_a_plug_that_answers_late_is_confirmed(stack: Stack):
    """A second for every request, the login's too."""
    stack.do("slow", "fault", fault="slow", seconds=1.0)
    try:
        walk_up("slow")
        wait_until(lambda: is_confirmed("slow"), 40, "never confirmed")
        assert stack.plug("slow")["on"]
        assert stack.plug("slow")["switches"] == 1
        (command,) = on_commands("slow")
        assert command.sent_at is not None
        assert "plug.switched_on" in told("slow")
        assert is_right("slow")
    finally:
        stack.do("slow", "fault", fault=None)


def test_workers_killed_between_plan_and_switch_leave_nothing_undone(stack: Stack):
    """They are frozen before the job begins and killed with the work in hand: new ones do it."""
    cluster = stack.cluster()
    try:
        for process in cluster:
            processes.send(process, signal.SIGSTOP)
        walk_up("orphan")
        wait_until(
            lambda: PlugState.objects.filter(plug__name="orphan", leased_until__isnull=False),
            5,
            "nobody claimed it",
        )
        sleep(1.0)
        assert not stack.plug("orphan")["on"]
        (command,) = on_commands("orphan")
        assert (command.result, command.sent_at) == ("pending", None)
    finally:
        for process in cluster:
            processes.send(process, signal.SIGKILL)
    wait_until(lambda: is_confirmed("orphan"), 45, "nobody did it")
    assert all_gone(cluster)
    assert not {process.pid for process in cluster} & {process.pid for process in stack.cluster()}
    assert stack.plug("orphan")["on"]
    assert stack.plug("orphan")["switches"] == 1
    (command,) = on_commands("orphan")
    assert command.confirmed_at - command.planned_at > timedelta(seconds=1)
    late = Entry.objects.get(subject_label="orphan", kind="plug.switched_on").data["late_ms"]
    assert late == round((command.confirmed_at - command.planned_at).total_seconds() * 1000)
    wait_until(lambda: health(stack.port)[0] == 200, 30, "not healthy again")


def test_two_schedulers_and_two_clusters_switch_once(stack: Stack):
    """Four jobs that begin at the same instant, and everybody wants to begin them."""
    with (
        started(stack.data, "manage.py", "worker", log="second-worker.log") as worker,
        started(stack.data, "manage.py", "scheduler", log="second-scheduler.log"),
    ):
        wait_until(
            lambda: Heartbeat.objects.filter(name=beating.worker_name(worker.pid)), 30, "no second cluster"
        )
        starts_at = _begin_together()
        wait_until(lambda: all(is_confirmed(name) for name in TWINS), 20, "not all are on")
        for job in Job.objects.filter(printer__name__in=TWINS):
            assert job.state == "running"
            assert job.started_at - starts_at < timedelta(seconds=3)
            lifecycle.finish(job.pk, actor=alice())
        wait_until(
            lambda: not PlugState.objects.filter(plug__name__in=TWINS).exclude(observed=False),
            20,
            "not all are off",
        )
        sleep(6)  # one more round of everybody
    for name in TWINS:
        assert (stack.plug(name)["on"], stack.plug(name)["switches"]) == (False, 2)
        done = [
            (c.on, c.result, c.attempts)
            for c in commands(name)
            if c.reason == "job" or c.created_at > starts_at
        ]
        assert done == [(True, "confirmed", 1), (False, "confirmed", 1)]
        kinds = [kind for kind in told(name) if kind.startswith("plug.switched")]
        assert kinds[-2:] == ["plug.switched_on", "plug.switched_off"]
        assert kinds.count("plug.switched_on") == 1
        assert Entry.objects.filter(kind="job.started", subject_label__endswith=f" {name}").count() == 1
        assert "plug.strayed" not in kinds


def _begin_together() -> Any:
    """Booked for tomorrow at the door; then the hour comes sooner than anybody thought."""
    who = alice()
    assert who.user_id is not None
    day = (clock.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    for name in TWINS:
        wish = Wish(Printer.objects.get(name=name).pk, who.user_id, day + timedelta(hours=1), day)
        booking.book(wish, actor=who)
    starts_at = clock.now() + timedelta(seconds=2)
    Job.objects.filter(printer__name__in=TWINS).update(starts_at=starts_at)
    PowerPlan.objects.filter(printer__name__in=TWINS).update(next_change_at=starts_at)
    return starts_at


def test_everything_killed_in_a_running_job_comes_back_to_it(stack: Stack):
    job = walk_up("survivor")
    wait_until(lambda: is_confirmed("survivor"), 15, "not switched on")
    sleep(0.3)  # the simulated plug keeps its relay in a file, as a real one keeps it by itself
    stack.kill_everything()
    assert health(stack.port) == (0, {})
    stack.start_workshop()
    assert stack.plug("survivor")["on"]
    stack.do("survivor", "button")  # and nobody is there to see it
    stack.do("dead", "fault", fault="unreachable")
    stack.start_product()
    wait_until(lambda: is_confirmed("survivor", count=2), 20, "did not converge")
    assert stack.plug("survivor")["on"]
    assert is_right("survivor")
    job.refresh_from_db()
    assert (job.state, job.finished_at) == ("running", None)
    assert told("survivor")[-2:] == ["plug.strayed", "plug.switched_on"]
    for name in ("button", "slow", "orphan"):
        assert stack.plug(name)["on"], name


def test_a_plug_dead_for_two_minutes_of_its_job_is_switched_when_it_comes_back(stack: Stack):
    (command,) = on_commands("dead")
    assert (command.result, command.confirmed_at) == ("failed", None)
    left = DEAD_FOR - (monotonic() - stack.dead_since)
    sleep(max(0.0, left))
    assert PlugState.objects.get(plug__name="dead").failures >= 3
    stack.do("dead", "fault", fault=None)
    wait_until(lambda: is_confirmed("dead"), 40, "not found again")
    assert stack.plug("dead")["on"]
    (command,) = on_commands("dead")
    assert command.attempts >= 4
    assert command.confirmed_at - command.planned_at >= timedelta(seconds=DEAD_FOR)
    kinds = told("dead")
    assert [kinds.count(kind) for kind in ("plug.contact_failed", "plug.lost", "plug.found_again")] == [
        1,
        1,
        1,
    ]
    assert kinds[-1] == "plug.switched_on"
    state = PlugState.objects.get(plug__name="dead")
    assert (state.failures, state.error_code) == (0, "")
    assert Job.objects.get(printer__name="dead").state == "running"


def test_nothing_is_left_behind(stack: Stack):
    """Asked to end, the product ends with everybody; and no row is left in doubt."""
    everybody = family(stack.product.pid)
    assert len(everybody) >= 5
    os.kill(stack.product.pid, signal.SIGTERM)
    assert stack.product.wait(20) == 0
    wait_until(lambda: all_gone(everybody), 5, "somebody is left")
    assert not PlugCommand.objects.filter(result__in=["pending", "failed", "held"]).exists()
    log = (stack.data / "product.log").read_text()
    assert "locked" not in log
    assert "Traceback" not in log, log[-4000:]
