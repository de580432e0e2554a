"""What a request to the REST API costs, compared with a bare Django view in the same server.

One web process answers; four programs with a personal token ask as fast as they are answered, each over a
connection of its own. The kinds of requests take turns, so that whatever else the machine does hits all alike.
The processor time is the server's own, all threads together.
"""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic

from django.conf import settings

from accounts.choices import Scope
from accounts.domain.tokens import issue
from accounts.models import User
from bench import furnishing
from bench.inside import Order
from bench.product import HOST, end, wait_for
from bench.report import ROOT, Result
from core import clock
from core.actor import Actor, Channel
from core.supervision.ports import free_ports
from printers.models import Printer
from reservations.models import Job

CLIENTS, MACHINES = 4, 10
STEP = timedelta(minutes=15)
BARE = "bare Django view"


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request: method, path, body and headers beyond those that all have."""

    name: str
    path: str
    status: int = 200
    body: Callable[[], bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Took:
    """Of one kind of request, over all rounds."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(order: Order) -> Result:
    """Measure."""
    rounds, lasts = (1, 0.5) if order.is_quick else (5, 3.0)
    furnishing.migrate()
    person = furnishing.people(1)[0]
    printers = furnishing.machines([None] * MACHINES)
    _book_ahead(printers, person)
    actor = Actor(person.pk, Channel.WEB)
    _token, key = issue(person.pk, "bench", Scope.WRITE, None, actor=actor, now=clock.now())
    took: dict[str, Took] = defaultdict(Took)
    with _web() as (pid, port):
        questions = _questions(printers, port, key)
        for question in questions:  # warm
            _round(question, pid, port, key, 0.3)
        for _number in range(rounds):
            for question in questions:
                rate, cpu_ms, wrong = _round(question, pid, port, key, lasts)
                took[question.name].rates.append(rate)
                took[question.name].cpu_ms.append(cpu_ms)
                took[question.name].wrong += wrong
    return _result(took)


def _book_ahead(printers: Sequence[Printer], person: User) -> None:
    """Sixty jobs from the day after tomorrow on; what is created during the run lies behind them."""
    start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    windows = [
        (printer.pk, start + number * timedelta(hours=3)) for number in range(6) for printer in printers
    ]
    jobs = [furnishing.PlainJob(pk, at, at + timedelta(hours=2)) for pk, at in windows]
    furnishing.insert_jobs(jobs, person, clock.now())


@contextlib.contextmanager
def _web() -> Iterator[tuple[int, int]]:
    """The web process alone, with the bare view beside the product's addresses: its id and its port."""
    [port] = free_ports(1)
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.beside_settings"}
    log = Path(settings.DATA_DIR) / "web.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web", "--host", HOST, "--port", str(port)],
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: _answers(port) or process.poll() is not None, 60, "the server to answer")
        if process.poll() is not None:
            raise RuntimeError(f"web ended at once:\n{log.read_text()[-2000:]}")
        yield process.pid, port
    finally:
        end(process)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/bare")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _questions(printers: Sequence[Printer], port: int, key: str) -> list[Question]:
    job = Job.objects.latest("pk")
    every = "/api/jobs?state=booked&ordering=starts_at&ends_before=" + _plain(
        clock.now() + timedelta(days=20)
    )
    begin = "&starts_after=" + _plain(job.starts_at - timedelta(days=9))
    asker = http.client.HTTPConnection(HOST, port, timeout=30)
    asker.request("GET", every, headers={"Authorization": f"Bearer {key}"})
    answer = asker.getresponse()
    answer.read()
    asker.close()
    known = answer.headers["ETag"]
    return [
        Question(BARE, "/bare"),
        Question("one job", f"/api/jobs/{job.pk}"),
        Question("list of 50 jobs", every),
        Question("the same, unchanged (304)", every, 304, headers={"If-None-Match": known}),
        Question("filtered list", f"{every}{begin}&printer={printers[0].pk}&limit=50"),
        Question("state of all machines", "/api/printers/status"),
        Question("creation of a job", "/api/jobs", 201, _wishes(printers)),
    ]


def _plain(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _wishes(printers: Sequence[Printer]) -> Callable[[], bytes]:
    """Each call names a quarter of an hour that nobody has, beyond every list."""
    first = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=25)
    numbers = count()

    def wish() -> bytes:
        number = next(numbers)
        at = first + number // len(printers) * STEP
        body = {"printer": printers[number % len(printers)].pk, "starts_at": _plain(at), "minutes": 15}
        return json.dumps(body).encode()

    return wish


def _round(question: Question, pid: int, port: int, key: str, lasts: float) -> tuple[float, float, list[str]]:
    """Requests per second, milliseconds of processor time for each, and what was answered wrongly."""
    counts: list[int] = []
    wrong: list[str] = []
    until = monotonic() + lasts
    threads = [
        Thread(target=lambda: counts.append(_ask(question, port, key, until, wrong)))
        for _number in range(CLIENTS)
    ]
    before, began = _cpu_seconds(pid), monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = max(1, sum(counts))
    return done / (monotonic() - began), 1000 * (_cpu_seconds(pid) - before) / done, wrong


def _ask(question: Question, port: int, key: str, until: float, wrong: list[str]) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **question.headers}
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    done = 0
    while monotonic() < until:
        body = question.body() if question.body else None
        connection.request("POST" if body else "GET", question.path, body, headers)
        answer = connection.getresponse()
        received = answer.read()
        if answer.status != question.status:
            wrong.append(f"{question.name}: {answer.status} {received[:200]!r}")
        done += 1
    connection.close()
    return done


def _cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _result(took: dict[str, Took]) -> Result:
    result = Result(f"REST API over HTTP, {CLIENTS} programs with a token, one web process")
    bare_rate, bare_cpu = (statistics.median(each) for each in (took[BARE].rates, took[BARE].cpu_ms))
    for name, each in took.items():
        rate, cpu = statistics.median(each.rates), statistics.median(each.cpu_ms)
        result.add(f"{name}: requests per second", rate, "/s")
        result.add(f"{name}: processor time per request", cpu, "ms")
        if name != BARE:
            result.add(f"{name}: processor time, times the bare view's", cpu / bare_cpu if bare_cpu else 0.0)
            result.add(f"{name}: rate, times the bare view's", rate / bare_rate)
        result.details[name] = {"rates": each.rates, "cpu_ms": each.cpu_ms}
    wrong = [said for each in took.values() for said in each.wrong]
    result.add("answers that were not as expected", len(wrong), "", 0)
    result.notes += wrong[:3]
    return result
