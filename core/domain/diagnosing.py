"""What may be wrong with this installation, in plain words, each with its cure. Reads; changes nothing."""

import json
import os
import shutil
import stat
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from core.domain import health
from core.models import Heartbeat


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.BROKEN: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    level: Level
    text: str
    cure: str = ""


def diagnose(now: datetime, base_url: str) -> list[Finding]:
    """Look at everything; a look that fails is itself a finding."""
    looks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _settings,
        _environment_file,
        _data_directory,
        _disk,
        _database,
        lambda: _clock(now),
        _system_checks,
        lambda: _running(base_url),
    ]
    return [finding for look in looks for finding in look()]


def worst(findings: list[Finding]) -> Level:
    """The level of the worst finding."""
    return max((finding.level for finding in findings), key=lambda level: EXIT_CODES[level], default=Level.OK)


def _python() -> Iterator[Finding]:
    yield Finding("python", Level.OK, f"Python {sys.version.split()[0]}, MYP {health.version()}.")


def _settings() -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding(
            "settings",
            Level.WARNING,
            "Debugging is on: error pages show internals to everybody.",
            "Remove MYP_DEBUG from the environment.",
        )
    else:
        yield Finding("settings", Level.OK, "The settings load.")


def _environment_file() -> Iterator[Finding]:
    path = Path(os.environ.get("MYP_ENV_FILE", settings.BASE_DIR / "myp.env"))
    if not path.is_file():
        yield Finding(
            "secrets", Level.OK, f"No environment file ({path}): the environment itself holds the settings."
        )
    elif path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        yield Finding("secrets", Level.BROKEN, f"Others may read or change {path}.", f"chmod 600 '{path}'")
    else:
        yield Finding("secrets", Level.OK, f"{path} is readable by its owner and group only.")


def _data_directory() -> Iterator[Finding]:
    try:
        with tempfile.NamedTemporaryFile(dir=settings.DATA_DIR):
            yield Finding("data", Level.OK, f"{settings.DATA_DIR} is writable.")
    except OSError as error:
        cure = "Create it, and give it to the user that runs MYP."
        yield Finding("data", Level.BROKEN, f"{settings.DATA_DIR} is not writable: {error.strerror}.", cure)


def _disk() -> Iterator[Finding]:
    if not settings.DATA_DIR.is_dir():
        return
    usage = shutil.disk_usage(settings.DATA_DIR)
    free = usage.free / 1024**2
    text = f"{free:,.0f} MB free of {usage.total / 1024**2:,.0f} MB."
    cure = "Make room, or move MYP_DATA_DIR to a larger disk."
    if free < 100:
        yield Finding("disk", Level.BROKEN, text, cure)
    elif free < 500:
        yield Finding("disk", Level.WARNING, text, cure)
    else:
        yield Finding("disk", Level.OK, text)


def _database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
        plan = _missing_migrations()
    except DatabaseError as error:
        yield Finding(
            "database", Level.BROKEN, f"No database: {error}.", "Check MYP_DATABASE_URL and MYP_DATA_DIR."
        )
        return
    if plan:
        names = ", ".join(plan[:3]) + (" …" if len(plan) > 3 else "")
        text = f"{len(plan)} migrations are missing: {names}"
        yield Finding("database", Level.BROKEN, text, "./myp manage migrate")
    else:
        yield Finding("database", Level.OK, f"{connection.display_name} is reachable and up to date.")
    if connection.vendor == "sqlite":
        yield from _pragmas()


def _missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _is_backwards in plan]


def _pragmas() -> Iterator[Finding]:
    """What the open connection really uses; the system checks look at the settings only."""
    wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
    with connection.cursor() as cursor:
        found = {name: str(cursor.execute(f"PRAGMA {name}").fetchone()[0]).lower() for name in wanted}
    wrong = [
        f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value
    ]
    if wrong:
        cure = "Keep the data on a local disk, and the init_command as it is in settings.py."
        yield Finding("sqlite", Level.BROKEN, "; ".join(wrong) + ".", cure)
    else:
        yield Finding("sqlite", Level.OK, "Write-ahead log, full synchronisation, foreign keys.")


def _clock(now: datetime) -> Iterator[Finding]:
    """A machine without a battery starts in the past: bookings would then start late or never."""
    cure = "Set the clock: check `timedatectl`, the time server, or add a battery-backed clock."
    written = datetime.fromtimestamp((settings.BASE_DIR / "pyproject.toml").stat().st_mtime, UTC)
    if now < written - timedelta(days=1):
        yield Finding(
            "clock", Level.BROKEN, f"{now:%Y-%m-%d %H:%M} UTC is before this program was written.", cure
        )
        return
    try:
        ahead = Heartbeat.objects.filter(at__gt=now + timedelta(minutes=1)).exists()
    except DatabaseError:
        ahead = False
    if ahead:
        yield Finding(
            "clock", Level.WARNING, "The clock jumped back: signs of life come from the future.", cure
        )
    else:
        yield Finding("clock", Level.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC.")


def _system_checks() -> Iterator[Finding]:
    try:
        messages = checks.run_checks(databases=["default"], include_deployment_checks=settings.HTTPS)
    except DatabaseError:
        return  # said already
    serious = [
        message for message in messages if message.level >= checks.WARNING and not message.is_silenced()
    ]
    for message in serious:
        level = Level.BROKEN if message.level >= checks.ERROR else Level.WARNING
        yield Finding("checks", level, f"{message.id}: {message.msg}", str(message.hint or ""))
    if not serious:
        yield Finding("checks", Level.OK, "The system checks pass.")


def _running(base_url: str) -> Iterator[Finding]:
    code, parts = _ask_health(base_url)
    if code is None:
        yield Finding("running", Level.WARNING, f"Nothing answers at {base_url}.", "./myp serve")
    elif code == 200:
        yield Finding("running", Level.OK, f"{base_url} answers; all parts work.")
    else:
        bad = [
            f"{name} is {part['state']}"
            for name, part in parts.items()
            if part["state"] not in {"ok", "stopped"}
        ]
        text = f"{base_url} answers {code}: {', '.join(bad) or 'no word about its health'}."
        yield Finding(
            "running", Level.BROKEN, text, "Read the output of `./myp serve`; restart it if need be."
        )


def _ask_health(base_url: str) -> tuple[int | None, dict[str, Any]]:
    host = next(
        (name for name in settings.ALLOWED_HOSTS if name.lstrip(".") and "*" not in name), "localhost"
    )
    request = urllib.request.Request(f"{base_url}/healthz", headers={"Host": host.lstrip(".")})  # noqa: S310 - http only
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=3) as answer:
            return answer.status, json.load(answer).get("parts", {})
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error).get("parts", {})
        except ValueError:
            return error.code, {}
    except (OSError, ValueError):
        return None, {}
