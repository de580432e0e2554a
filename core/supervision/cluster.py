"""The workers: a django-q2 cluster, and a watchdog that notices when it is alive but does nothing.

A worker that is killed while it waits for work takes the queue's lock with it. The cluster replaces the
worker, looks healthy, and never runs anything again. So a beat travels through pusher, worker and monitor
when nothing else does; if nothing comes back for a while, the whole cluster is killed and this process ends
with an error, and whoever supervises it starts a new one. What was in hand is delivered again by the queue.
"""

import gc
import logging
import os
import signal
import uuid
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from time import monotonic
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django_q.brokers.orm import ORM
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.signals import post_execute, post_execute_in_worker, pre_execute
from django_q.signing import SignedPackage

from core import clock
from core.domain import beating
from core.supervision import processes
from core.supervision.lifeline import Lifeline

logger = logging.getLogger(__name__)

# Written at most this often, and only when something came back since (seconds).
HEARTBEAT_EVERY = 4.0
LOOK_EVERY = 0.5
STOP_WITHIN = 6
# django-q2 gives a task three seconds more than its limit before it kills the worker.
GRACE = 4.0


def answer() -> None:
    """The task that a beat is: coming back is all it does."""


class BeatingBroker(ORM):
    """The database queue; now and then it also hands out a beat, which no other cluster can take."""

    def __init__(self, lifeline: Lifeline) -> None:
        super().__init__()
        self._lifeline = lifeline

    def dequeue(self) -> list[tuple[int | None, str]] | None:
        """The next tasks, or a beat; a beat costs the database nothing."""
        if not self._lifeline.take_beat():
            tasks: list[tuple[int | None, str]] | None = super().dequeue()  # type: ignore[no-untyped-call, unused-ignore]
            return tasks
        beat = {
            "id": uuid.uuid4().hex,
            "name": "beat",
            "func": "core.supervision.cluster.answer",
            "args": (),
            "kwargs": {},
            "started": clock.now(),
            "save": False,
        }
        return [(None, SignedPackage.dumps(beat))]


class WatchedCluster:
    """One cluster and the loop that watches it. Runs in the main thread of its own process."""

    def __init__(self) -> None:
        self._lifeline = Lifeline(task_limit=_task_limit())
        self._stop = Event()
        self._name = beating.worker_name()
        self._next_heartbeat = 0.0

    def run(self) -> bool:
        """Work until told to stop; False when the cluster had to be given up."""
        self._connect()
        processes.bind_descendants()
        _forget_dead_clusters()
        connections.close_all()
        for connection in connections.all():
            # The queue is looked at twenty times a second: opening the database each time costs four times the look.
            connection.settings_dict["CONN_MAX_AGE"] = None
        gc.collect()
        gc.freeze()
        cluster = Cluster(broker=BeatingBroker(self._lifeline))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        cluster.start()
        fault = self._watch(cluster)
        if fault:
            logger.error("worker: %s; giving this cluster up", fault)
            processes.kill_descendants(os.getpid())
            return False
        _stop(cluster)
        beating.end(self._name)
        return True

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _connect(self) -> None:
        """Receivers in the children: inherited by the forks."""
        line = self._lifeline
        for hook, tell in (
            (pre_execute, line.began),
            (post_execute_in_worker, line.finished),
            (post_execute, line.came_back),
        ):
            hook.connect(_receiver(tell), weak=False, dispatch_uid=f"core.lifeline.{tell.__name__}")

    def _watch(self, cluster: Any) -> str:
        """Until told to stop: "", or what is wrong."""
        while not self._stop.wait(LOOK_EVERY):
            if not cluster.sentinel.is_alive():
                return "its sentinel died"
            if self._lifeline.is_dead:
                return f"nothing came back for {self._lifeline.silent_for:.0f} s"
            self._heartbeat()
        return ""

    def _heartbeat(self) -> None:
        silent = self._lifeline.silent_for
        is_news = self._lifeline.has_lived and silent <= HEARTBEAT_EVERY + LOOK_EVERY
        if monotonic() < self._next_heartbeat or not is_news:
            return
        self._next_heartbeat = monotonic() + HEARTBEAT_EVERY
        try:
            beating.beat(
                self._name, at=clock.now() - timedelta(seconds=silent), detail={"workers": Conf.WORKERS}
            )
        except DatabaseError as error:
            logger.warning("worker: no sign of life written: %s", error)
            close_old_connections()


def _receiver(tell: Callable[[], None]) -> Callable[..., None]:
    def receive(**kwargs: Any) -> None:
        tell()

    return receive


def _task_limit() -> float:
    queue: dict[str, Any] = settings.Q_CLUSTER
    return float(queue["timeout"]) + GRACE


class _StuckError(Exception):
    """The cluster does not end by itself."""


def _stop(cluster: Any) -> None:
    """Let the workers finish what they have in hand; a cluster that cannot end is killed."""

    def give_up(signum: int, frame: FrameType | None) -> None:
        raise _StuckError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(STOP_WITHIN)
    try:
        cluster.stop()
    except _StuckError:
        logger.warning("worker: the cluster did not end within %d s and is killed", STOP_WITHIN)
    finally:
        signal.alarm(0)
        processes.kill_descendants(os.getpid())


def _forget_dead_clusters() -> None:
    """Remove the signs of life of this host's clusters that are gone."""
    prefix = beating.worker_name(0)[:-1]
    for name in beating.names(prefix):
        number = name.removeprefix(prefix)
        if number.isdecimal() and processes.look_at(int(number)) is None:
            beating.end(name)
