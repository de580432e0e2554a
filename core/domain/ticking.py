"""The scheduler's loop: sleep to the next due instant, do what is due, never die of it.

Two schedulers on one database are safe: every claim is a conditional update or a lock in the due source.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from core import clock
from core.domain import beating, scheduling
from core.registry import DueSource, due_sources

logger = logging.getLogger(__name__)

BEAT_EVERY = 2.0
# A source that stays due though it ran must not turn the loop into a furnace.
SHORTEST_SLEEP = 0.01
LONGEST_BACK_OFF = 30.0


@dataclass(slots=True)
class _Watched:
    """A due source, what is known of its next work, and how long to leave it alone after a failure."""

    source: DueSource
    next_at: datetime | None = None
    failures: int = 0
    asleep_until: float = 0.0

    def is_due(self, now: datetime) -> bool:
        return self.next_at is not None and self.next_at <= now and monotonic() >= self.asleep_until


class Ticker:
    """One scheduler process. ``wait(seconds)`` sleeps and tells whether to stop."""

    def __init__(self, wait: Callable[[float], bool]) -> None:
        self._wait = wait
        self._is_running = True
        self._watched = [_Watched(source) for source in [*due_sources(), self._periodic_source()]]
        self._mark: object = None
        self._beat_due = 0.0
        self._failures = 0

    def run(self) -> None:
        """Tick until told to stop."""
        pause, is_ready = 0.0, False
        while not self._wait(pause):
            try:
                if not is_ready:
                    scheduling.synchronise(clock.now())
                    is_ready = True
                pause = self.tick(clock.now())
            except DatabaseError as error:
                self._failures += 1
                pause = min(0.5 * 2 ** min(self._failures, 6), LONGEST_BACK_OFF)
                logger.warning("scheduler: the database failed, trying again in %.0f s: %s", pause, error)
                self._mark = None
                close_old_connections()
            else:
                self._failures = 0

    def tick(self, now: datetime) -> float:
        """One pass; how long to sleep until the next."""
        self._look(now)
        has_run = False
        for watched in self._eligible():
            if has_run:  # what ran before may have made this one due: a plan that changed wants its plug now
                self._ask(watched, now)
            if watched.is_due(now):
                self._do(watched, now)
                has_run = True
        self._beat(now)
        return self._pause()

    def _eligible(self) -> list[_Watched]:
        return [w for w in self._watched if self._is_running or w.source.while_stopped]

    def _look(self, now: datetime) -> None:
        """Ask everybody when the next work falls due, unless the database says that nothing changed."""
        mark = _change_mark()
        if mark == self._mark:
            return
        is_running = scheduling.is_running()
        if is_running is not self._is_running:
            self._is_running, self._beat_due = is_running, 0.0
        for watched in self._eligible():
            self._ask(watched, now)
        self._mark = mark

    def _ask(self, watched: _Watched, now: datetime) -> bool:
        try:
            watched.next_at = watched.source.next_due(now)
        except DatabaseError:
            raise
        except Exception:  # noqa: BLE001 - the scheduler's supervisor: one broken source must not stop the others
            self._failed(watched)
            watched.next_at = now
            return False
        return True

    def _do(self, watched: _Watched, now: datetime) -> None:
        try:
            watched.source.run(now, is_running=self._is_running)
        except Exception:  # noqa: BLE001 - likewise
            self._failed(watched)
            return
        finally:
            self._mark = None  # our own changes do not move the database's mark
        if self._ask(watched, now):
            watched.failures = 0

    def _failed(self, watched: _Watched) -> None:
        watched.failures += 1
        pause = min(2.0 ** (watched.failures - 1), LONGEST_BACK_OFF)
        watched.asleep_until = monotonic() + pause
        logger.exception("scheduler: %s failed; again in %.0f s", watched.source.name, pause)

    def _beat(self, now: datetime) -> None:
        if monotonic() < self._beat_due:
            return
        failing = [w.source.name for w in self._watched if w.failures]
        state = "running" if self._is_running else "stopped"
        beating.beat(beating.SCHEDULER, at=now, detail={"state": state, "failing": failing})
        self._beat_due = monotonic() + BEAT_EVERY

    def _periodic_source(self) -> DueSource:
        """The periodic functions are a due source like any other, and the last one."""

        def next_due(now: datetime, /) -> datetime | None:
            return scheduling.next_periodic(now, is_running=self._is_running)

        def run(now: datetime, /, *, is_running: bool) -> None:
            scheduling.claim_periodic(now, is_running=is_running)

        return DueSource("core.periodic", order=sys.maxsize, next_due=next_due, run=run, while_stopped=True)

    def _pause(self) -> float:
        now, pause = clock.now(), settings.TICKER_MAX_SLEEP
        for watched in self._eligible():
            if watched.next_at is not None and monotonic() >= watched.asleep_until:
                pause = min(pause, (watched.next_at - now).total_seconds())
        return max(pause, SHORTEST_SLEEP)


def _change_mark() -> object:
    """A value that stays the same only while nobody else changed the database; SQLite knows, others do not."""
    if connection.vendor != "sqlite":
        return object()
    with connection.cursor() as cursor:
        version = cursor.execute("PRAGMA data_version").fetchone()
    return connection.connection, version  # the version means nothing to another connection
