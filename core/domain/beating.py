"""Signs of life: written by the long-running processes, read by the health page."""

import os
import socket
from datetime import datetime, timedelta
from typing import Any

from core.models import Heartbeat

SCHEDULER = "scheduler"
WORKER_PREFIX = "worker:"
# A cluster that has been silent for this long is history, not trouble.
FORGOTTEN_AFTER = timedelta(hours=1)


def worker_name(pid: int | None = None) -> str:
    """The name of this cluster of workers, or of the one with ``pid`` on this host."""
    return f"{WORKER_PREFIX}{socket.gethostname()}:{os.getpid() if pid is None else pid}"


def beat(name: str, *, at: datetime, detail: dict[str, Any]) -> None:
    """Write a sign of life; one statement, but for the first time."""
    if not Heartbeat.objects.filter(name=name).update(at=at, detail=detail):
        Heartbeat.objects.update_or_create(name=name, defaults={"at": at, "detail": detail})


def end(name: str) -> None:
    """The process ended on purpose: no trace is better than an old one."""
    Heartbeat.objects.filter(name=name).delete()


def forget_silent(now: datetime) -> int:
    """Remove clusters of workers that have been silent for long; how many there were."""
    silent = Heartbeat.objects.filter(name__startswith=WORKER_PREFIX, at__lt=now - FORGOTTEN_AFTER)
    return silent.delete()[0]


def names(prefix: str) -> list[str]:
    """The processes of which there is a sign of life."""
    return list(Heartbeat.objects.filter(name__startswith=prefix).values_list("name", flat=True))
