"""The contest that ``race.py`` holds. Imported once Django is set up."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from core import clock
from core.actor import SYSTEM, Actor, Channel
from core.errors import Refused
from core.supervision.ports import free_ports
from reservations import constraints
from reservations.domain import booking, facts
from reservations.domain.booking import Wish
from reservations.models import BookingLimits, Job
from tests import factories

PATIENCE = 60.0  # seconds one round may take at most
OPEN_JOBS = 3  # of the person with a limit, before the race

# The protocol of one contender's one round: what it was told, when it was let go, when it had the answer.
Answer = tuple[str, float, float]

OVERLAPS = """
SELECT count(*) FROM reservations_job a JOIN reservations_job b
ON a.printer_id = b.printer_id AND a.id < b.id
AND a.starts_at < b.occupied_until AND b.starts_at < a.occupied_until
WHERE a.state IN ('pending', 'booked', 'running') AND b.state IN ('pending', 'booked', 'running')
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """Who races, for which machine, and through which web process."""

    user_id: int
    username: str
    printer_id: int
    web: str = ""


def hold(options: Namespace, directory: Path) -> dict[str, Any]:
    """Migrate, make people and machines, race, count."""
    call_command("migrate", verbosity=0)
    contenders = _invite(options)
    if options.without_guards:
        constraints.remove(connection)
        facts.taken_windows = lambda *_args, **_kwargs: []
    with _webs(options, directory) as webs:
        if webs:
            contenders = [
                Contender(c.user_id, c.username, c.printer_id, webs[number % len(webs)])
                for number, c in enumerate(contenders)
            ]
        began = time.monotonic()
        rounds = _race(options, contenders)
        seconds = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS)
        overlaps = cursor.fetchone()[0]
    vendor = connection.vendor
    connections.close_all()
    return {
        "database": vendor,
        "mode": options.mode,
        "contenders": len(contenders),
        "seconds": round(seconds, 2),
        "slowest_answer": max(each["slowest_answer"] for each in rounds),
        "overlaps": overlaps,
        "rounds": rounds,
    }


def slot(number: int) -> tuple[datetime, datetime]:
    """The window of one round: ten to eleven in the workshop's zone, every round on another day."""
    day = (clock.now() + timedelta(days=number + 1)).astimezone(ZoneInfo(settings.TIME_ZONE))
    starts_at = day.replace(hour=10, minute=0, second=0, microsecond=0)
    return starts_at, starts_at + timedelta(hours=1)


def _invite(options: Namespace) -> list[Contender]:
    if not options.limit:
        printer = factories.PrinterFactory(horizon_days=400)
        people = [factories.TraineeFactory(username=f"racer{n}") for n in range(options.contenders)]
        return [Contender(person.pk, person.username, printer.pk) for person in people]
    person = factories.TraineeFactory(username="racer")
    BookingLimits.objects.create(pk=1, open_jobs=OPEN_JOBS + 1)
    spare = factories.PrinterFactory(horizon_days=400)
    for number in range(OPEN_JOBS):
        starts_at, ends_at = slot(options.rounds + number)
        booking.book(Wish(spare.pk, person.pk, ends_at, starts_at), actor=SYSTEM)
    printers = [factories.PrinterFactory(horizon_days=400) for _ in range(options.contenders)]
    return [Contender(person.pk, person.username, printer.pk) for printer in printers]


# ------------------------------------------------------------------ the race


def _race(options: Namespace, contenders: Sequence[Contender]) -> list[dict[str, Any]]:
    """Fork everybody, let them go together round by round, and collect what they were told."""
    fork = multiprocessing.get_context("fork")
    start, end = fork.Barrier(len(contenders) + 1), fork.Barrier(len(contenders) + 1)
    connections.close_all()
    lines: list[Connection] = []
    racers = []
    for contender in contenders:
        ours, theirs = fork.Pipe(duplex=False)
        work = (contender, options, start, end, theirs)
        racer = fork.Process(target=_run, args=work, daemon=True)
        racer.start()
        theirs.close()
        racers.append(racer)
        lines.append(ours)
    try:
        for _number in range(options.rounds):
            start.wait(PATIENCE)
            end.wait(PATIENCE)
            if options.limit:
                _make_room_again(contenders)
        answers = [line.recv() if line.poll(PATIENCE) else [] for line in lines]
    finally:
        for racer in racers:
            racer.join(5)
            if racer.is_alive():
                racer.kill()
                racer.join(5)
    return [
        _protocol([told[number] for told in answers if number < len(told)])
        for number in range(options.rounds)
    ]


def _make_room_again(contenders: Sequence[Contender]) -> None:
    """Cancel what was won, so that there is room for exactly one again."""
    won = Job.objects.filter(printer_id__in={c.printer_id for c in contenders}, state="booked")
    for job_id in list(won.values_list("pk", flat=True)):
        booking.cancel(job_id, actor=SYSTEM)


def _run(contender: Contender, options: Namespace, start: Barrier, end: Barrier, line: Connection) -> None:
    """In the child: wait for the others, book, write down the answer."""
    answers: list[Answer] = []
    try:
        ask = _by_door(contender) if options.mode == "door" else _by_http(contender)
    except Exception:
        start.abort()  # nobody waits for somebody who cannot take part
        raise
    for number in range(options.rounds):
        window = slot(number)
        start.wait(PATIENCE)
        began = time.monotonic()
        try:
            told = ask(*window)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs into the protocol
            told = f"error: {type(error).__name__}: {error}"
        answers.append((told, began, time.monotonic()))
        end.wait(PATIENCE)
    line.send(answers)
    line.close()


def _protocol(answers: Sequence[Answer]) -> dict[str, Any]:
    told = Counter(answer for answer, _began, _ended in answers)
    return {
        "winners": told.pop("won", 0),
        "errors": sorted(word for word in told if word.startswith("error")),
        "refused": {word: count for word, count in told.items() if not word.startswith("error")},
        "spread": round(max(a[1] for a in answers) - min(a[1] for a in answers), 4),
        "slowest_answer": round(max(a[2] - a[1] for a in answers), 3),
    }


# ------------------------------------------------------------------ two ways in


def _by_door(contender: Contender) -> Callable[[datetime, datetime], str]:
    actor = Actor(contender.user_id, Channel.WEB)

    def ask(starts_at: datetime, ends_at: datetime) -> str:
        try:
            booking.book(Wish(contender.printer_id, contender.user_id, ends_at, starts_at), actor=actor)
        except Refused as no:
            return ",".join(no.codes)
        return "won"

    return ask


# What a person who lost reads; in the language the contenders ask for.
WORDS = {"Taken from": "window_taken", "open jobs per person": "too_many_open_jobs"}


def _by_http(contender: Contender) -> Callable[[datetime, datetime], str]:
    session = requests.Session()
    session.trust_env = False  # no proxy of the environment
    session.headers["Accept-Language"] = "en"
    page = f"{contender.web}/printers/{contender.printer_id}"
    _log_in(session, contender)

    def ask(starts_at: datetime, ends_at: datetime) -> str:
        form = {
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
            "begin": "at",
            "starts_at": f"{starts_at:%Y-%m-%dT%H:%M}",
            "ends_at": f"{ends_at:%Y-%m-%dT%H:%M}",
            "length": "",
        }
        answer = session.post(f"{page}/book", form, allow_redirects=False, timeout=PATIENCE)
        if answer.status_code == 302 and answer.headers["Location"] == "/jobs":
            return "won"
        if answer.status_code == 409:
            return (
                ",".join(code for words, code in WORDS.items() if words in answer.text) or "409 without words"
            )
        return f"error: HTTP {answer.status_code}"

    return ask


def _log_in(session: requests.Session, contender: Contender) -> None:
    """As a browser does it: fetch the form with its token, send it back."""
    address = f"{contender.web}/accounts/login/"
    session.get(address, timeout=PATIENCE).raise_for_status()
    form = {
        "csrfmiddlewaretoken": session.cookies["csrftoken"],
        "login": contender.username,
        "password": "demo",
    }
    answer = session.post(address, form, allow_redirects=False, timeout=PATIENCE)
    if answer.status_code != 302:
        said = re.findall(r'class="[^"]*error[^"]*"[^>]*>([^<]+)', answer.text)
        raise RuntimeError(f"{contender.username} cannot log in: HTTP {answer.status_code} {said}")


# ------------------------------------------------------------------ the web processes


@contextmanager
def _webs(options: Namespace, directory: Path) -> Iterator[list[str]]:
    """The addresses of real web processes; none where the contest is held at the door."""
    count = options.webs if options.mode == "http" else 0
    running: list[subprocess.Popen[bytes]] = []
    try:
        ports = free_ports(count)
        for port in ports:
            with (directory / f"web-{port}.log").open("wb") as log:
                web = [sys.executable, "manage.py", "web", "--host", "127.0.0.1", "--port", str(port)]
                running.append(
                    subprocess.Popen(
                        web,
                        cwd=settings.BASE_DIR,
                        stdout=log,
                        stderr=log,
                        env=dict(os.environ),
                        start_new_session=True,
                    )
                )
        for port, process in zip(ports, running, strict=True):
            _await_port(port, process, directory / f"web-{port}.log")
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the web process does not answer: {log.read_text()[-2000:]}")
