"""Whether the questions that pages ask stay quick when a workshop has been running for decades.

Two databases with equally dense weeks, one with few jobs and one with very many, asked in turn in one process, so
that whatever else the machine does hits both alike.
"""

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from bench import furnishing
from bench.inside import Order
from bench.report import Result
from core import clock
from core.actor import SYSTEM, Actor, Channel
from reservations.domain import booking, lifecycle, queries
from reservations.domain.booking import Wish

MACHINES, OWNERS = 10, 100
EVERY = timedelta(hours=3)  # on every machine a job of two hours, then one hour nothing
AHEAD = 100  # jobs of each machine that are still to come, in either database
MOST_QUERIES, MOST_SLOWER = 5, 1.3


@dataclass(frozen=True, slots=True)
class Question:
    """Something a page asks; the targets are for the feed alone."""

    name: str
    ask: Callable[[], object]
    has_target: bool = False


def run(order: Order) -> Result:
    """Measure."""
    sizes = (5_000, 50_000) if order.is_quick else (5_000, 1_000_000)
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    try:
        with _databases(sizes) as names:
            for size, name in names.items():
                _reach(name)
                furnishing.migrate()
                furnishing.machines([None] * MACHINES)
                furnishing.people(OWNERS)
                _insert(size, now)
            return _compare(names, now, rounds=2 if order.is_quick else 40)
    except OperationalError as error:
        if order.variant == "sqlite":
            raise
        return Result(
            "week feed, postgresql", notes=[f"not measured, no server: {str(error).splitlines()[0]}"]
        )


@contextlib.contextmanager
def _databases(sizes: tuple[int, int]) -> Iterator[dict[int, str]]:
    """The names of two empty databases by size; gone afterwards."""
    if connection.vendor == "sqlite":
        yield {size: str(Path(settings.DATA_DIR) / f"{size}.sqlite3") for size in sizes}
        connection.close()
        return
    home = connection.settings_dict["NAME"]
    names = {size: f"myp_bench_{clock.now():%d%H%M%S}_{size}" for size in sizes}
    try:
        for name in names.values():
            _execute(f"CREATE DATABASE {name}")
        yield names
    finally:
        _reach(home)
        for name in names.values():
            _execute(f"DROP DATABASE IF EXISTS {name}")


def _reach(name: str) -> None:
    """From now on, talk to this database."""
    connection.close()
    connection.settings_dict["NAME"] = name


def _execute(statement: str, values: dict[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


_SQLITE = """
WITH RECURSIVE slot(k) AS (SELECT %(first)s UNION ALL SELECT k + 1 FROM slot WHERE k < %(last)s)
INSERT INTO reservations_job ({columns})
SELECT p.id, 1 + ((k * 7 + p.id * 13) %% %(owners)s + %(owners)s) %% %(owners)s, 'bench', '',
       strftime('%%Y-%%m-%%d %%H:%%M:%%S', %(now)s + k * 10800 + p.id * 600, 'unixepoch'),
       strftime('%%Y-%%m-%%d %%H:%%M:%%S', %(now)s + k * 10800 + p.id * 600 + 7200, 'unixepoch'),
       strftime('%%Y-%%m-%%d %%H:%%M:%%S', %(now)s + k * 10800 + p.id * 600 + 7200, 'unixepoch'),
       {state}, NULL, NULL, '', '[]', '', NULL, 'web', %(at)s, %(at)s
FROM slot, printers_printer p ORDER BY k, p.id
"""
_POSTGRESQL = """
INSERT INTO reservations_job ({columns})
SELECT p.id, 1 + ((k * 7 + p.id * 13) %% %(owners)s + %(owners)s) %% %(owners)s, 'bench', '',
       to_timestamp(%(now)s + k * 10800 + p.id * 600), to_timestamp(%(now)s + k * 10800 + p.id * 600 + 7200),
       to_timestamp(%(now)s + k * 10800 + p.id * 600 + 7200),
       {state}, NULL, NULL, '', '[]'::jsonb, '', NULL, 'web', %(at)s, %(at)s
FROM generate_series(%(first)s, %(last)s) AS slot(k), printers_printer p ORDER BY k, p.id
"""
# Of ten slots one was cancelled. What is over was finished; the last one may still be running and stays booked.
_STATE = (
    "CASE WHEN k %% 10 = 3 OR k %% 10 = -7 THEN 'cancelled' WHEN k < -1 THEN 'finished' ELSE 'booked' END"
)


def _insert(size: int, now: datetime) -> None:
    """Jobs of every machine from far back to a little ahead, then the statistics of the database."""
    template = _SQLITE if connection.vendor == "sqlite" else _POSTGRESQL
    if connection.vendor == "sqlite":  # until the next connection
        _execute("PRAGMA synchronous=OFF")
        _execute("PRAGMA cache_size=-800000")
    _execute(
        template.format(columns=", ".join(furnishing.COLUMNS), state=_STATE),
        {
            "first": AHEAD - size // MACHINES,
            "last": AHEAD - 1,
            "owners": OWNERS,
            "now": int(now.timestamp()),
            "at": connection.ops.adapt_datetimefield_value(now),
        },
    )
    _execute("ANALYZE")


def _questions(now: datetime) -> list[Question]:
    """What is asked of both databases."""
    midnight = now.replace(hour=0)
    monday = midnight - timedelta(days=midnight.weekday())
    machine_ids = list(range(1, MACHINES + 1))
    person = Actor(1, Channel.WEB)
    wish = Wish(1, 1, starts_at=now + timedelta(days=2), ends_at=now + timedelta(days=2, hours=1))
    return [
        Question("week feed", lambda: queries.calendar(monday, monday + timedelta(days=7)), has_target=True),
        Question("overview", lambda: queries.overview(now)),
        Question("check of a booking", lambda: booking.check(wish, actor=person, now=now)),
        Question("my jobs, first page", lambda: list(queries.jobs_of(1)[:20])),
        Question("plan all machines", lambda: lifecycle.advance(machine_ids, actor=SYSTEM, now=now)),
    ]


def _compare(names: dict[int, str], now: datetime, rounds: int) -> Result:
    small, large = names
    result = Result(f"week feed of {MACHINES} machines, {connection.vendor}: {small:,} and {large:,} jobs")
    times: dict[tuple[str, int], list[float]] = {}
    asked: dict[tuple[str, int], int] = {}
    rows: dict[int, int] = {}
    for _round in range(rounds):
        for size, name in names.items():
            _reach(name)
            for question in _questions(now):
                with CaptureQueriesContext(connection) as queried:
                    found = question.ask()  # also warms this connection up
                asked[question.name, size] = len(queried)
                if question.has_target and isinstance(found, list):
                    rows[size] = len(found)
                times.setdefault((question.name, size), []).append(_took(question.ask))
    for question in _questions(now):
        _add(result, question, times, asked, (small, large))
    result.add("jobs in the week", rows[small])
    result.add("jobs in the week, difference", abs(rows[large] - rows[small]), "", 0)
    result.details["plans"] = _plans(now)
    connection.close()
    return result


def _took(ask: Callable[[], object]) -> float:
    """The quickest of three, in ms: what disturbs from outside only ever adds."""
    times = []
    for _each in range(3):
        began = perf_counter()
        ask()
        times.append(perf_counter() - began)
    return 1000 * min(times)


def _add(
    result: Result,
    question: Question,
    times: dict[tuple[str, int], list[float]],
    asked: dict[tuple[str, int], int],
    sizes: tuple[int, int],
) -> None:
    medians = [statistics.median(times[question.name, size]) for size in sizes]
    for size, median in zip(sizes, medians, strict=True):
        result.add(f"{question.name}, {size:,} jobs, median", median, "ms")
    is_held = question.has_target
    result.add(
        f"{question.name}, times as long", medians[1] / medians[0], "", MOST_SLOWER if is_held else None
    )
    most = max(asked[question.name, size] for size in sizes)
    result.add(f"{question.name}, queries", most, "", MOST_QUERIES if is_held else None)


def _plans(now: datetime) -> dict[str, list[str]]:
    """How the large database answers, for whoever has to find out why it is slow."""
    plans: dict[str, list[str]] = {}
    prefix = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    for question in _questions(now):
        with CaptureQueriesContext(connection) as queried:
            question.ask()
        for query in queried.captured_queries:
            if "reservations_job" not in query["sql"] or not query["sql"].startswith("SELECT"):
                continue
            with connection.cursor() as cursor:
                cursor.execute(prefix + query["sql"].replace("%", "%%"), None)
                plans.setdefault(question.name, []).extend(str(row[-1]) for row in cursor.fetchall())
    return plans
