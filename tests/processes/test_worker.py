"""The workers' cluster and its watchdog, as real processes."""

import os
import signal
import sqlite3
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.processes.running import all_gone, family, manage, started, wait_until

pytestmark = [pytest.mark.processes]

# pusher, monitor, two workers, sentinel
CLUSTER_SIZE = 5


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a database in it; the file is copied for each test."""
    data = tmp_path_factory.mktemp("migrated")
    done = manage(data, "migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture
def data(migrated: Path, tmp_path: Path) -> Path:
    with (
        sqlite3.connect(migrated / "myp.sqlite3") as source,
        sqlite3.connect(tmp_path / "myp.sqlite3") as copy,
    ):
        source.backup(copy)
    source.close()
    copy.close()
    return tmp_path


def beats(data: Path) -> list[str]:
    connection = sqlite3.connect(data / "myp.sqlite3", timeout=10)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM core_heartbeat")]
    finally:
        connection.close()


def wait_for_work(process, data: Path) -> None:
    """Until the whole cluster stands and the first beat came through it."""
    wait_until(lambda: len(family(process.pid)) == CLUSTER_SIZE, 15, "the cluster does not stand")
    wait_until(lambda: f":{process.pid}" in "".join(beats(data)), 15, "no sign of life")


def workers_of(process) -> list[int]:
    """The sentinel forks the workers first, then monitor and pusher."""
    members = family(process.pid)
    (sentinel,) = [member for member in members if member.parent == process.pid]
    children = sorted((m for m in members if m.parent == sentinel.pid), key=lambda m: (m.started, m.pid))
    return [child.pid for child in children[:2]]


def kill_both_idle_workers(process) -> None:
    """One of them waits for work with the queue's lock in its hands, and takes it along."""
    sleep(0.3)
    for pid in workers_of(process):
        os.kill(pid, signal.SIGKILL)


def test_worker_ends_cleanly_on_sigterm_and_takes_its_sign_of_life_along(data):
    with started(data, "manage.py", "worker") as process:
        wait_for_work(process, data)
        members = family(process.pid)
        begun = monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert monotonic() - begun < 4
        assert all_gone(members)
        assert beats(data) == []


def test_worker_that_got_stuck_is_found_and_given_up_within_30_seconds(data):
    with started(data, "manage.py", "worker") as process:
        wait_for_work(process, data)
        kill_both_idle_workers(process)
        begun = monotonic()
        wait_until(
            lambda: len(family(process.pid)) == CLUSTER_SIZE, 5, "the cluster looks whole again, and is not"
        )
        members = family(process.pid)
        assert process.wait(30) == 1
        assert monotonic() - begun < 27
        wait_until(lambda: all_gone(members), 2)
        assert "nothing came back for" in (data / "output.log").read_text()


def test_worker_that_got_stuck_still_ends_on_sigterm(data):
    with started(data, "manage.py", "worker") as process:
        wait_for_work(process, data)
        kill_both_idle_workers(process)
        members = family(process.pid)
        begun = monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(12) == 0
        assert monotonic() - begun < 8
        wait_until(lambda: all_gone(members), 2)


def test_worker_that_is_killed_leaves_no_orphan(data):
    with started(data, "manage.py", "worker") as process:
        wait_for_work(process, data)
        members = family(process.pid)
        process.kill()
        process.wait(5)
        wait_until(lambda: all_gone(members), 3, "orphans")
        left = beats(data)
    with started(data, "manage.py", "worker", log="second.log") as process:
        wait_for_work(process, data)
        assert set(beats(data)).isdisjoint(left), "the dead cluster's sign of life is still there"


def test_worker_whose_sentinel_dies_ends_with_an_error(data):
    with started(data, "manage.py", "worker") as process:
        wait_for_work(process, data)
        members = family(process.pid)
        (sentinel,) = [member for member in members if member.parent == process.pid]
        os.kill(sentinel.pid, signal.SIGKILL)
        assert process.wait(5) == 1
        wait_until(lambda: all_gone(members), 2)
