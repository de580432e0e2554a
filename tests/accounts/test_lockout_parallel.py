"""Sixty log-ins at the same instant, by six processes, through the whole product: the limit holds exactly."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.databases import server_url

ROOT = Path(__file__).resolve().parents[2]
TOO_LONG = 180.0  # seconds; it takes five on a quiet machine
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]

pytestmark = [pytest.mark.processes, pytest.mark.sockets]


def guess(database: str, *options: str) -> dict[str, Any]:
    url = "sqlite" if database == "sqlite" else server_url()
    done = subprocess.run(
        [sys.executable, "-m", "tests.processes.guess", "--database", url, *options],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("MYP_")},
        capture_output=True,
        text=True,
        timeout=TOO_LONG,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    protocol: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert protocol["database"] == database
    return protocol


@pytest.mark.parametrize("database", DATABASES)
def test_of_sixty_wrong_passwords_exactly_five_are_looked_at(database):
    """However the name is written, by page and by API, each from an address of its own."""
    told = guess(database)
    assert told["looked_at"] == 5
    assert told["statuses"].get("429", 0) >= 55
    assert sum(told["statuses"].values()) == 60
    assert set(told["statuses"]) <= {"200", "401", "429"}
    assert told["guard"] == {"failures": 5, "level": 1}


def test_forty_names_at_once_from_one_address_are_not_all_looked_at():
    """Four take their turn; whoever waits asks the guard again. A few are under way when the fifth has failed."""
    told = guess("sqlite", "--names", "--processes", "1", "--threads", "40")
    assert 5 <= told["looked_at"] < 25
    assert told["statuses"]["429"] >= 40 - told["looked_at"]


@pytest.mark.parametrize("database", DATABASES)
def test_many_right_log_ins_at_once_lock_nobody(database):
    """Whoever comes while five are being looked at is asked to come back; no lock stays."""
    told = guess(database, "--right")
    let_in = told["statuses"].get("200", 0) + told["statuses"].get("302", 0)
    assert let_in >= 5
    assert let_in + told["statuses"].get("429", 0) == 60
    assert told["guard"] is None


def test_the_contest_notices_a_missing_guard():
    """The figure above means something: without the guard all sixty are looked at."""
    assert guess("sqlite", "--without-guard")["looked_at"] == 60
