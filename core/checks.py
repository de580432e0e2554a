"""The installation must be set up so that what it promises holds."""

import re
from typing import Any

from django.conf import settings
from django.core import checks

# What the examples and the tests use; nobody's secret.
KNOWN_SECRETS = {"only-for-tests", "only-for-tests-too", "change-me", "changeme", "secret"}
SHORTEST_SECRET = 32


@checks.register(checks.Tags.database)
def sqlite_is_tuned(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001-E003: writers wait for each other instead of failing, and a confirmed booking survives a power cut."""
    messages: list[checks.CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if database["ENGINE"].endswith("sqlite3"):
            messages += _judge_sqlite(alias, database.get("OPTIONS", {}))
    return messages


def _judge_sqlite(alias: str, options: dict[str, Any]) -> list[checks.CheckMessage]:
    script = re.sub(r"\s", "", str(options.get("init_command", ""))).upper()
    wanted = [
        (
            str(options.get("transaction_mode", "")).upper() == "IMMEDIATE",
            "does not take the write lock at the start of a transaction",
            'Set OPTIONS["transaction_mode"] = "IMMEDIATE": else two writers that both read first fail at once.',
        ),
        (
            "JOURNAL_MODE=WAL" in script,
            "does not use the write-ahead log",
            'Put "PRAGMA journal_mode=WAL" into OPTIONS["init_command"]: else readers and writers block each other.',
        ),
        (
            "SYNCHRONOUS=FULL" in script or "SYNCHRONOUS=EXTRA" in script,
            "may lose confirmed bookings in a power cut",
            'Put "PRAGMA synchronous=FULL" into OPTIONS["init_command"].',
        ),
    ]
    return [
        checks.Error(f"The SQLite database {alias!r} {what}.", hint=hint, id=f"core.E00{number}")
        for number, (holds, what, hint) in enumerate(wanted, start=1)
        if not holds
    ]


@checks.register()
def background_work_is_tuned(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    """E004-E006: nothing runs twice because it was slow, for ever because it fails, or 30 seconds late."""
    queue: dict[str, Any] = settings.Q_CLUSTER
    wanted = [
        (
            queue.get("retry", 60) > (queue.get("timeout") or float("inf")),
            "A slow background task would be started a second time.",
            'Set Q_CLUSTER["timeout"], and Q_CLUSTER["retry"] well above it.',
        ),
        (
            queue.get("scheduler", True) is False,
            "The task queue runs its own scheduler.",
            'Set Q_CLUSTER["scheduler"] = False: its pass comes every 30 seconds only; ours is in `scheduler`.',
        ),
        (
            queue.get("max_attempts", 0) > 0,
            "A failing background task would be repeated for ever.",
            'Set Q_CLUSTER["max_attempts"].',
        ),
    ]
    return [
        checks.Error(message, hint=hint, id=f"core.E00{number}")
        for number, (holds, message, hint) in enumerate(wanted, start=4)
        if not holds
    ]


@checks.register(checks.Tags.security, deploy=True)
def secrets_are_secret(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    """E007: with ``check --deploy``, both secrets are long, different, and not from an example."""
    hint = "Run `./myp secrets`: it writes fresh ones into the environment file."
    secrets = {"MYP_SECRET_KEY": settings.SECRET_KEY, "MYP_FIELD_KEY": settings.FIELD_KEY}
    messages: list[checks.CheckMessage] = [
        checks.Error(f"{name} is not a secret.", hint=hint, id="core.E007")
        for name, value in secrets.items()
        if value in KNOWN_SECRETS or len(value) < SHORTEST_SECRET
    ]
    if settings.SECRET_KEY == settings.FIELD_KEY:
        messages.append(checks.Error("Both secrets are the same.", hint=hint, id="core.E008"))
    return messages
