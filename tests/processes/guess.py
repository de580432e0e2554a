"""Many guess at the same instant: ``python -m tests.processes.guess --help``.

Each guesser is a process with some threads; all go together and send the real log-in, by page and by API, each from
an address of its own. Prints one line of JSON: how many passwords were looked at, and how the requests were answered.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import django
from django.contrib.auth.hashers import MD5PasswordHasher

from tests.processes.databases import fresh_database

PATIENCE = 60.0
NAMES = ("alice", "ALICE", "alice@workshop.test", "Alice@Workshop.Test")
_FORK = multiprocessing.get_context("fork")
_looks = _FORK.Value("i", 0)


class SlowAndCounted(MD5PasswordHasher):
    """As slow as bcrypt, so that all requests are at work before the first password is found wrong."""

    def encode(self, password: str, salt: str) -> str:
        with _looks.get_lock():
            _looks.value += 1
        time.sleep(0.3)
        return super().encode(password, salt)


def main(arguments: Sequence[str] | None = None) -> int:
    """Set Django up on a fresh database, let them guess, count."""
    parser = argparse.ArgumentParser(prog="guess", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, or the URL of a PostgreSQL server")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--names", action="store_true", help="each another name, all from one address")
    parser.add_argument("--right", action="store_true", help="with the right password")
    parser.add_argument(
        "--without-guard", action="store_true", help="take the guard away, to see that it shows"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="myp-guess-") as directory:
        if options.database == "sqlite":
            protocol = _hold(options, directory, f"sqlite:///{directory}/guess.sqlite3")
        else:
            with fresh_database(options.database) as url:
                protocol = _hold(options, directory, url)
    sys.stdout.write(json.dumps(protocol) + "\n")
    return 0


def _hold(options: Namespace, directory: str, url: str) -> dict[str, Any]:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="myp_project.settings_test",
        MYP_DATABASE_URL=url,
        MYP_DATA_DIR=directory,
        MYP_LOG_LEVEL="ERROR",
    )
    Path(directory, "static").mkdir()
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - only from here on
    from django.db import connection, connections  # noqa: PLC0415
    from django.test.utils import setup_test_environment  # noqa: PLC0415

    from accounts.models import LoginGuard  # noqa: PLC0415
    from tests.factories import TraineeFactory  # noqa: PLC0415

    setup_test_environment()
    call_command("migrate", verbosity=0)
    TraineeFactory(username="alice")
    vendor = connection.vendor
    connections.close_all()
    statuses = _guess(options)
    guard = LoginGuard.objects.filter(kind="user", key="alice").values("failures", "level").first()
    connections.close_all()
    return {"database": vendor, "looked_at": _looks.value, "statuses": statuses, "guard": guard}


def _guess(options: Namespace) -> dict[str, int]:
    everybody = options.processes * options.threads
    start = _FORK.Barrier(everybody)
    answers = _FORK.SimpleQueue()
    guessers = [
        _FORK.Process(target=_run, args=(number, options, start, answers), daemon=True)
        for number in range(options.processes)
    ]
    for guesser in guessers:
        guesser.start()
    found = Counter(answers.get() for _number in range(everybody))
    for guesser in guessers:
        guesser.join(PATIENCE)
    return {str(status): count for status, count in sorted(found.items(), key=str)}


def _run(number: int, options: Namespace, start: Barrier, answers: Any) -> None:
    from django.conf import settings  # noqa: PLC0415
    from django.contrib.auth.hashers import get_hashers, get_hashers_by_algorithm  # noqa: PLC0415

    settings.PASSWORD_HASHERS = [f"{__name__}.SlowAndCounted"]
    get_hashers.cache_clear()
    get_hashers_by_algorithm.cache_clear()
    if options.without_guard:
        settings.AUTHENTICATION_BACKENDS = settings.AUTHENTICATION_BACKENDS[1:]
    with ThreadPoolExecutor(options.threads) as pool:
        for told in pool.map(
            lambda n: _one(n, options, start), range(number * 100, number * 100 + options.threads)
        ):
            answers.put(told)


def _one(number: int, options: Namespace, start: Barrier) -> str:
    from django.db import connections  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    address = "10.0.0.1" if options.names else f"10.{number // 100}.{number % 100}.1"
    client = Client(REMOTE_ADDR=address)
    name = f"name{number}" if options.names else NAMES[number % len(NAMES)]
    password = "demo" if options.right else f"wrong-{number}"
    start.wait(PATIENCE)
    try:
        if number % 2:
            answer = client.post("/accounts/login/", {"login": name, "password": password})
        else:
            body = json.dumps({"username": name, "password": password})
            answer = client.post("/api/auth/token", body, content_type="application/json")
    except Exception as error:  # noqa: BLE001 - whatever it is belongs into the protocol
        return f"{type(error).__name__}: {error}"
    finally:
        connections.close_all()
    return str(answer.status_code)


if __name__ == "__main__":
    sys.exit(main())
