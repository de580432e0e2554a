"""The suites about rules, doors, constraints and plugs once more, on PostgreSQL."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.databases import fresh_database, server_url

ROOT = Path(__file__).resolve().parent.parent
APPS = ["journal", "accounts", "plugs", "printers", "reservations", "insights", "kiosk"]
# Of the API what locks rows and pages through them: the rest translates, and asks the database nothing of its own.
API = ["test_core_changes", "test_core_lists", "test_jobs", "test_people", "test_plugs"]
SUITES = [*(f"tests/{app}" for app in APPS), *(f"tests/api/{file}.py" for file in API)]
# The drivers know no database; what starts processes or browsers runs on its own.
LEFT_OUT = ["--ignore=tests/plugs/drivers", "-m", "not processes and not browser and not postgres"]
SHARED = ["-n", "2", "--dist", "loadfile"]  # each with a database of its own beside that one
TOO_LONG = 600.0

pytestmark = pytest.mark.postgres


def run(*arguments: str, url: str) -> tuple[int, str]:
    """A program of ours on that database; its status and all it said."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("MYP_", "COV_CORE"))
    }
    environment |= {"MYP_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "myp_project.settings_test"}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _none = process.communicate(timeout=TOO_LONG)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=5)
    return process.returncode, said


def test_the_suites_pass_on_postgresql():
    with fresh_database(server_url()) as url:
        suites = [suite for suite in SUITES if (ROOT / suite).exists()]
        status, said = run(
            "-m", "pytest", "-q", "-p", "no:cacheprovider", *suites, *LEFT_OUT, *SHARED, url=url
        )
    assert status == 0, said[-8000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) > 200  # it did not merely collect nothing


def test_migrations_run_clean_and_twice_and_the_guard_stands():
    with fresh_database(server_url()) as url:
        for _ in range(2):
            status, said = run("manage.py", "migrate", "--verbosity", "1", url=url)
            assert status == 0, said
        assert "No migrations to apply" in said
        status, said = run("manage.py", "makemigrations", "--check", "--dry-run", url=url)
        assert status == 0, said
        status, said = run("manage.py", "check", "--database", "default", url=url)
        assert status == 0, said
        assert "reservations.E001" not in said
