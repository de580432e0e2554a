"""The installation must refuse overlaps in the database."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections

from reservations.constraints import TABLE, is_installed


@checks.register(checks.Tags.database)
def overlap_is_refused(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E001 when the table stands without its guard. Runs with ``check --database``."""
    messages: list[checks.CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if TABLE in connection.introspection.table_names() and not is_installed(connection):
            messages.append(
                checks.Error(
                    "The database does not refuse overlapping jobs.",
                    hint="Run `./myp manage migrate`: it puts the guard back.",
                    id="reservations.E001",
                )
            )
    return messages
