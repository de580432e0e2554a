"""Alice is switched off while she books and makes a token; two administrators take each other's role."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.databases import server_url

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 20

pytestmark = [pytest.mark.processes, pytest.mark.sockets]


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_survives_a_person_who_is_switched_off(database):
    url = "sqlite" if database == "sqlite" else server_url()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MYP_")}
    command = [sys.executable, "-m", "tests.processes.leaving", "--database", url, "--rounds", str(ROUNDS)]
    program = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert program.returncode == 0, program.stderr[-4000:]
    told = json.loads(program.stdout.splitlines()[-1])

    assert told.pop("database") == database
    assert [key for key in told if key.startswith("error")] == []
    left = ("jobs left", "tokens left", "still active", "without administrator")
    assert {name: told[name] for name in left} == dict.fromkeys(left, 0)
    assert told["off done"] == ROUNDS
    # Both were tried in every round, and both ways out are clean refusals.
    booked = told.get("book done", 0)
    assert booked + told.get("book refused: owner_inactive", 0) == 3 * ROUNDS
    assert told.get("ann done", 0) + told.get("ada done", 0) == ROUNDS
