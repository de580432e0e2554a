"""Twenty processes want the same slot, fifty times; one person asks for eight machines at once, twenty times."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.databases import server_url

ROOT = Path(__file__).resolve().parents[2]
TOO_LONG = 300.0  # seconds; a contest takes under a minute on a quiet machine

pytestmark = [pytest.mark.processes, pytest.mark.sockets]
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def contest(database: str, mode: str, *options: str) -> dict[str, Any]:
    """Run the program; whatever happens, nothing of it is left behind."""
    url = "sqlite" if database == "sqlite" else server_url()
    command = [sys.executable, "-m", "tests.processes.race", "--database", url, "--mode", mode, *options]
    # The product's environment is the program's to set, not that of whoever runs the tests.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MYP_")}
    program = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, complaints = program.communicate(timeout=TOO_LONG)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
            try:
                program.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)
                program.communicate(timeout=5)
    assert program.returncode == 0, complaints[-4000:]
    assert "locked" not in complaints
    protocol: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert protocol["database"] == database
    return protocol


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("mode", ["door", "http"])
def test_of_twenty_who_want_one_slot_exactly_one_gets_it(database, mode):
    protocol = contest(database, mode, "--contenders", "20", "--rounds", "50")
    assert len(protocol["rounds"]) == 50
    for told in protocol["rounds"]:
        assert (told["winners"], told["refused"], told["errors"]) == (1, {"window_taken": 19}, [])
    assert protocol["overlaps"] == 0


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("mode", ["door", "http"])
def test_who_has_room_for_one_more_gets_one_of_eight_machines(database, mode):
    protocol = contest(database, mode, "--limit", "--contenders", "8", "--rounds", "20")
    assert len(protocol["rounds"]) == 20
    for told in protocol["rounds"]:
        assert (told["winners"], told["refused"], told["errors"]) == (1, {"too_many_open_jobs": 7}, [])


def test_the_contest_notices_a_door_without_guard():
    """The figures above mean something: without lock, rule and constraint there are more winners than one."""
    protocol = contest("sqlite", "door", "--contenders", "8", "--rounds", "3", "--without-guards")
    assert sum(told["winners"] for told in protocol["rounds"]) > 3
    assert protocol["overlaps"] > 0
