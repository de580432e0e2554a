"""The only reader of the machine's time.

Read it once per operation and pass ``now=`` down, so that one operation sees one instant.
Plain Python: drivers and the simulation read it too.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place
