"""A race for a slot between real processes: ``python -m tests.processes.race --help``.

Prints one line of JSON: per round who won, who was refused and why, and what went wrong.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import django

from tests.processes.databases import fresh_database


def main(arguments: Sequence[str] | None = None) -> int:
    """Set Django up on a fresh database, hold the contest, print the protocol."""
    parser = argparse.ArgumentParser(prog="race", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, or the URL of a PostgreSQL server")
    parser.add_argument("--mode", choices=("door", "http"), default="door")
    parser.add_argument("--contenders", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--webs", type=int, default=2, help="web processes the contenders are spread over")
    parser.add_argument(
        "--limit",
        action="store_true",
        help="one person with room for one more job, one machine per contender",
    )
    parser.add_argument(
        "--without-guards", action="store_true", help="take rule and constraint away, to see that it shows"
    )
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="myp-race-") as directory,
        _database(options.database, directory) as url,
    ):
        os.environ.update(
            DJANGO_SETTINGS_MODULE="myp_project.settings_test",
            MYP_DATABASE_URL=url,
            MYP_DATA_DIR=directory,
            MYP_LOG_LEVEL="WARNING",
        )
        django.setup()
        from tests.processes import contest  # noqa: PLC0415 - models exist only from here on

        protocol = contest.hold(options, Path(directory))
    sys.stdout.write(json.dumps(protocol) + "\n")
    return 0


@contextmanager
def _database(wanted: str, directory: str) -> Iterator[str]:
    if wanted == "sqlite":
        yield f"sqlite:///{directory}/race.sqlite3"
    else:
        with fresh_database(wanted) as url:
            yield url


if __name__ == "__main__":
    sys.exit(main())
