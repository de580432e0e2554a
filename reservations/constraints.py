"""The database itself refuses two occupying jobs of one machine that overlap.

One plain model, two dialects: an exclusion constraint on PostgreSQL, a pair of triggers on SQLite. Both
raise :class:`django.db.IntegrityError`. Django's table rebuild on SQLite drops triggers without a word,
so they are put back after every migration and a system check looks for them.
"""

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

from reservations.choices import OCCUPYING

TABLE = "reservations_job"
NAME = "reservations_job_no_overlap"
_STATES = ", ".join(f"'{state.value}'" for state in OCCUPYING)

_POSTGRESQL = f"""
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER TABLE {TABLE} ADD CONSTRAINT {NAME}
EXCLUDE USING gist (printer_id WITH =, tstzrange(starts_at, occupied_until, '[)') WITH &&)
WHERE (state IN ({_STATES}));
"""

_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {name}_{event} BEFORE {verb} ON {table}
WHEN NEW.state IN ({states})
BEGIN
    SELECT RAISE(ABORT, 'UNIQUE constraint failed: {name}')
    WHERE EXISTS (
        SELECT 1 FROM {table} AS other
        WHERE other.printer_id = NEW.printer_id
          AND other.state IN ({states})
          AND other.occupied_until > NEW.starts_at
          AND other.starts_at < NEW.occupied_until
          AND other.id IS NOT NEW.id
    );
END
"""
_EVENTS = {"insert": "INSERT", "update": "UPDATE OF printer_id, starts_at, occupied_until, state"}


def _sqlite_statements() -> list[str]:
    return [
        _SQLITE.format(name=NAME, event=event, verb=verb, table=TABLE, states=_STATES)
        for event, verb in _EVENTS.items()
    ]


def is_installed(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database refuses overlaps right now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM pg_constraint WHERE conname = %s", [NAME])
            return bool(cursor.fetchone()[0] == 1)
        cursor.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s AND name LIKE %s",
            [TABLE, f"{NAME}%"],
        )
        return bool(cursor.fetchone()[0] == len(_EVENTS))


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the database refuse overlaps; does nothing where it does already."""
    if is_installed(connection):
        return
    with connection.cursor() as cursor:
        statements = [_POSTGRESQL] if connection.vendor == "postgresql" else _sqlite_statements()
        for statement in statements:
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the refusal away (to migrate back, and for tests)."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {NAME}")
            return
        for event in _EVENTS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}_{event}")


def reinstall_when_missing(sender: object, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``."""
    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)


class NoOverlap(Operation):
    """The migration operation; it changes the database, not the model state."""

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: the model does not know."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Install it."""
        install(schema_editor.connection)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Remove it."""
        remove(schema_editor.connection)

    def describe(self) -> str:
        """For ``migrate --plan``."""
        return "Refuse overlapping jobs in the database"
