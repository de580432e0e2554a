"""Is the product working? One query answers for all parts.

A scheduler that a trainer stopped is "stopped" and counts as working: its process lives and obeys.
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from core.domain import beating
from core.domain.scheduling import SCHEDULER_SILENT_AFTER
from core.models import Heartbeat

WORKER_SILENT_AFTER = timedelta(seconds=20)

OK, STOPPED, SILENT, MISSING, FAILING, UNKNOWN = "ok", "stopped", "silent", "missing", "failing", "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """One part's state, and how old the last proof of it is (None: there is none)."""

    state: str
    age_s: float | None

    @property
    def works(self) -> bool:
        return self.state in {OK, STOPPED}


@dataclass(frozen=True, slots=True)
class Health:
    """All parts at one instant."""

    web: Part
    database: Part
    worker: Part
    scheduler: Part

    @property
    def is_ok(self) -> bool:
        return all(part.works for part in (self.web, self.database, self.worker, self.scheduler))

    def as_json(self) -> dict[str, Any]:
        """What the health page answers."""
        names = ("web", "database", "worker", "scheduler")
        parts = {name: getattr(self, name) for name in names}
        return {
            "status": OK if self.is_ok else FAILING,
            "version": version(),
            "parts": {name: {"state": part.state, "age_s": part.age_s} for name, part in parts.items()},
        }


def examine(now: datetime) -> Health:
    """The health of all parts, seen from a web process."""
    here = Part(OK, 0.0)
    try:
        beats = list(Heartbeat.objects.all())
    except DatabaseError:
        unknown = Part(UNKNOWN, None)
        return Health(web=here, database=Part(FAILING, None), worker=unknown, scheduler=unknown)
    workers = [beat for beat in beats if beat.name.startswith(beating.WORKER_PREFIX)]
    schedulers = [beat for beat in beats if beat.name == beating.SCHEDULER]
    return Health(
        web=here,
        database=here,
        worker=_youngest(workers, now, WORKER_SILENT_AFTER),
        scheduler=_youngest(schedulers, now, SCHEDULER_SILENT_AFTER),
    )


def _youngest(beats: list[Heartbeat], now: datetime, silent_after: timedelta) -> Part:
    if not beats:
        return Part(MISSING, None)
    beat = min(beats, key=lambda each: abs(now - each.at))
    # A beat from the future is a clock that jumped back, and just as old as one from the past.
    age = abs(now - beat.at)
    state = SILENT if age > silent_after else STOPPED if beat.detail.get("state") == STOPPED else OK
    return Part(state, round(age.total_seconds(), 1))


@lru_cache(maxsize=1)
def version() -> str:
    """The product's version, from the one place where it is written."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
