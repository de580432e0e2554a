"""What the doctor finds, and the cure it names."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from core import clock
from core.domain import beating, diagnosing
from core.domain.diagnosing import Finding, Level

pytestmark = pytest.mark.django_db
NOBODY = "http://127.0.0.1:9"


def levels(findings: Iterator[Finding]) -> list[tuple[str, Level]]:
    found = list(findings)
    assert all(finding.cure for finding in found if finding.level is not Level.OK)
    return [(finding.topic, finding.level) for finding in found]


@pytest.mark.sockets
def test_fine_installation_is_fine_but_for_what_does_not_run(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    findings = diagnosing.diagnose(clock.now(), NOBODY)
    topics = {finding.topic for finding in findings if finding.level is not Level.OK}
    assert topics - {"sqlite"} == {"running"}, "the tests' database is in memory, without a log"


def test_worst_finding_counts():
    levels = [Level.OK, Level.WARNING, Level.BROKEN, Level.OK]
    findings = [Finding("any", level, "text") for level in levels]
    assert [diagnosing.worst(findings[:count]) for count in range(5)] == [
        Level.OK,
        Level.OK,
        Level.WARNING,
        Level.BROKEN,
        Level.BROKEN,
    ]


def test_debugging_is_a_warning(settings):
    settings.DEBUG = True
    assert levels(diagnosing._settings()) == [("settings", Level.WARNING)]


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o640, Level.OK), (0o644, Level.BROKEN)])
def test_environment_file_is_for_its_owner_alone(monkeypatch, tmp_path, mode, level):
    path = tmp_path / "myp.env"
    path.touch()
    path.chmod(mode)
    monkeypatch.setenv("MYP_ENV_FILE", str(path))
    assert levels(diagnosing._environment_file()) == [("secrets", level)]


def test_data_directory_that_is_not_there(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "nowhere"
    assert levels(diagnosing._data_directory()) == [("data", Level.BROKEN)]
    assert levels(diagnosing._disk()) == []


@pytest.mark.parametrize(("free", "level"), [(99, Level.BROKEN), (499, Level.WARNING), (501, Level.OK)])
def test_disk_that_runs_full(settings, tmp_path, monkeypatch, free, level):
    settings.DATA_DIR = tmp_path
    usage = SimpleNamespace(free=free * 1024**2, total=10**10)
    monkeypatch.setattr(diagnosing.shutil, "disk_usage", lambda path: usage)
    assert levels(diagnosing._disk()) == [("disk", level)]


def test_database_that_cannot_be_reached(monkeypatch):
    def fail():
        raise OperationalError("refused")

    monkeypatch.setattr(connection, "ensure_connection", fail)
    assert levels(diagnosing._database()) == [("database", Level.BROKEN)]


@pytest.mark.parametrize("missing", [["a.0001"], [f"a.000{n}" for n in range(5)]])
def test_missing_migrations_are_named(monkeypatch, missing):
    monkeypatch.setattr(diagnosing, "_missing_migrations", lambda: missing)
    monkeypatch.setattr(diagnosing, "_pragmas", lambda: iter(()))
    (finding,) = diagnosing._database()
    assert (finding.level, finding.cure) == (Level.BROKEN, "./myp manage migrate")
    assert f"{len(missing)} migrations are missing: a.000" in finding.text


@pytest.mark.parametrize(("command", "level"), [("", Level.OK), ("PRAGMA foreign_keys=OFF", Level.BROKEN)])
def test_open_connection_is_looked_at_not_the_settings(monkeypatch, settings, tmp_path, command, level):
    name = str(tmp_path / "myp.sqlite3")
    own = DatabaseWrapper(
        {**connection.settings_dict, "NAME": name, "OPTIONS": dict(settings.SQLITE_OPTIONS)}
    )
    monkeypatch.setattr(diagnosing, "connection", own)
    with own.cursor() as cursor:
        cursor.execute(command or "SELECT 1")
    assert levels(diagnosing._pragmas()) == [("sqlite", level)]
    own.close()


def test_other_databases_have_no_pragmas(monkeypatch):
    monkeypatch.setattr(connections["default"], "vendor", "postgresql")
    monkeypatch.setattr(diagnosing, "_missing_migrations", list)
    assert levels(diagnosing._database()) == [("database", Level.OK)]


def test_clock_that_is_in_the_past(now):
    long_ago = now - timedelta(days=9999)
    assert levels(diagnosing._clock(long_ago)) == [("clock", Level.BROKEN)]
    present = clock.now()
    assert levels(diagnosing._clock(present)) == [("clock", Level.OK)]
    beating.beat("scheduler", at=present + timedelta(hours=1), detail={})
    assert levels(diagnosing._clock(present)) == [("clock", Level.WARNING)]


def test_clock_is_judged_without_a_database_too(monkeypatch):
    def fail(**kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(diagnosing.Heartbeat.objects, "filter", fail)
    assert levels(diagnosing._clock(clock.now())) == [("clock", Level.OK)]


def test_system_checks_are_findings(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "scheduler": True}
    assert ("checks", Level.BROKEN) in levels(diagnosing._system_checks())


def test_system_checks_that_need_the_database_are_left_out_without_it(monkeypatch):
    def fail(**kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(diagnosing.checks, "run_checks", fail)
    assert levels(diagnosing._system_checks()) == []


@pytest.fixture
def answering():
    """A server that answers what a test says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.code)
            self.end_headers()
            self.wfile.write(self.server.body)

        def log_message(self, *args):
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


BAD = {"parts": {"worker": {"state": "silent"}, "scheduler": {"state": "stopped"}}}


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("code", "body", "level", "words"),
    [
        (200, {"parts": {}}, Level.OK, "all parts work"),
        (503, BAD, Level.BROKEN, "answers 503: worker is silent."),
        (500, None, Level.BROKEN, "answers 500: no word about its health"),
    ],
)
def test_running_product_is_asked(answering, code, body, level, words):
    answering.code, answering.body = code, json.dumps(body).encode() if body else b"<html>"
    (finding,) = diagnosing._running(f"http://127.0.0.1:{answering.server_port}")
    assert finding.level is level
    assert words in finding.text


@pytest.mark.sockets
@pytest.mark.parametrize("as_json", [True, False])
def test_command_says_it_and_ends_with_the_worst(monkeypatch, capsys, as_json):
    findings = [Finding("disk", Level.OK, "much room"), Finding("clock", Level.BROKEN, "wrong", "set it")]
    monkeypatch.setattr("core.management.commands.doctor.diagnose", lambda now, url: findings)
    with pytest.raises(SystemExit) as end:
        call_command("doctor", json=as_json, no_color=True)
    assert end.value.code == 2
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out)[1] == {"topic": "clock", "level": "broken", "text": "wrong", "cure": "set it"}
    else:
        assert "BROKEN   clock     wrong" in out
        assert "cure: set it" in out


def test_environment_file_need_not_be_there(monkeypatch):
    monkeypatch.setenv("MYP_ENV_FILE", os.devnull)
    assert levels(diagnosing._environment_file()) == [("secrets", Level.OK)]
