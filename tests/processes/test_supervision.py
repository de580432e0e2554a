"""The parent of all processes, with small children of its own."""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from time import sleep

import pytest

from core.supervision import processes
from core.supervision.ports import free_ports
from tests.processes.running import ROOT, all_gone, family, health, manage, started, wait_until

pytestmark = [pytest.mark.processes]

PROGRAM = """
import logging, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from core.supervision import supervisor
from core.supervision.child import Child
from core.supervision.ledger import AlreadyRunningError

data = Path({data!r})
logging.basicConfig()

def steady():
    print("steady speaks", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: (print("steady ends", flush=True), os._exit(0)))
    while True:
        time.sleep(0.05)

def dying():
    with (data / "deaths").open("a") as file:
        file.write(f"{{time.monotonic()}}\\n")
    raise RuntimeError("died of itself")

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:  # a grandchild that nobody thinks of
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(0.05)

def main(children):
    try:
        with supervisor.Supervisor(children, data_dir=data, on_ready=lambda: print("all ready", flush=True)) as parent:
            parent.run()
    except AlreadyRunningError as error:
        sys.exit(str(error))

{body}
"""


def program(data: Path, body: str) -> str:
    text = PROGRAM.format(root=str(ROOT), data=str(data), body=textwrap.dedent(body))
    path = data / "program.py"
    path.write_text(text)
    return str(path)


def output(data: Path) -> str:
    return (data / "output.log").read_text()


def test_child_that_dies_is_started_again_later_and_later_and_the_others_are_left_alone(tmp_path):
    body = 'main([Child(name="steady", run=steady), Child(name="dying", run=dying)])'
    with started(tmp_path, program(tmp_path, body)) as process:
        deaths = tmp_path / "deaths"
        wait_until(lambda: deaths.exists() and len(deaths.read_text().split()) >= 4, 10)
        members = family(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    instants = [float(word) for word in deaths.read_text().split()]
    pauses = [second - first for first, second in itertools.pairwise(instants)]
    assert 0.4 < pauses[0] < 1.0 < pauses[1] + 0.1 < 1.9 < pauses[2]
    assert all_gone(members)
    text = output(tmp_path)
    assert text.count("steady speaks") == 1
    assert "steady | steady speaks" in text
    assert "steady | steady ends" in text
    assert "dying  | RuntimeError: died of itself" in text
    assert "myp    | dying ended with status 1; again in 0.5 s" in text


def test_program_is_a_child_like_any_other_and_readiness_is_told_once(tmp_path):
    body = """
    talk = "import time; print('at your service', flush=True); time.sleep(60)"
    flag = data / "flag"
    main([
        Child(name="program", argv=[sys.executable, "-c", talk], ready=flag.exists),
        Child(name="steady", run=steady),
    ])
    """
    with started(tmp_path, program(tmp_path, body)) as process:
        wait_until(lambda: "program | at your service" in output(tmp_path), 5)
        assert "all ready" not in output(tmp_path)
        (tmp_path / "flag").touch()
        wait_until(lambda: "all ready" in output(tmp_path), 2)
        members = family(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert len(members) == 2
    assert all_gone(members)
    assert output(tmp_path).count("all ready") == 1
    assert list((tmp_path / "run").glob("*.json")) == []


def test_child_waits_until_those_before_it_are_ready(tmp_path):
    body = """
    talk = "import time; print('at your service', flush=True); time.sleep(60)"
    flag = data / "flag"
    main([
        Child(name="steady", run=steady, after=["program"]),
        Child(name="program", argv=[sys.executable, "-c", talk], ready=flag.exists),
    ])
    """
    with started(tmp_path, program(tmp_path, body)) as process:
        wait_until(lambda: "at your service" in output(tmp_path), 5)
        sleep(0.5)
        assert "steady speaks" not in output(tmp_path)
        (tmp_path / "flag").touch()
        wait_until(lambda: "steady speaks" in output(tmp_path), 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_child_that_does_not_listen_is_killed_with_all_its_own(tmp_path):
    body = 'supervisor.PATIENCE = 0.7\nmain([Child(name="stubborn", run=stubborn)])'
    with started(tmp_path, program(tmp_path, body)) as process:
        members = wait_until(lambda: len(f := family(process.pid)) == 2 and f, 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert all_gone(members)


def test_second_signal_ends_everything_at_once(tmp_path):
    with started(tmp_path, program(tmp_path, 'main([Child(name="stubborn", run=stubborn)])')) as process:
        members = wait_until(lambda: len(f := family(process.pid)) == 2 and f, 5)
        process.send_signal(signal.SIGINT)
        sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(3) == 0
        assert all_gone(members)


def test_second_supervisor_on_the_same_data_says_so(tmp_path):
    path = program(tmp_path, 'main([Child(name="steady", run=steady)])')
    with started(tmp_path, path) as process:
        wait_until(lambda: "steady speaks" in output(tmp_path), 5)
        second = subprocess.run(
            [sys.executable, path], check=False, capture_output=True, text=True, timeout=10
        )
        assert second.returncode == 1
        assert f"It is running on this data already (process {process.pid}" in second.stderr


def test_supervisor_that_is_killed_takes_its_children_along(tmp_path):
    with started(tmp_path, program(tmp_path, 'main([Child(name="steady", run=steady)])')) as process:
        wait_until(lambda: "steady speaks" in output(tmp_path), 5)
        members = family(process.pid)
        process.kill()
        process.wait(5)
        wait_until(lambda: all_gone(members), 2)


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next(tmp_path):
    with started(tmp_path, program(tmp_path, 'main([Child(name="stubborn", run=stubborn)])')) as process:
        members = wait_until(lambda: len(f := family(process.pid)) == 2 and f, 5)
        process.kill()
        process.wait(5)
        assert not all_gone(members)
        with started(tmp_path, program(tmp_path, 'main([Child(name="steady", run=steady)])')) as second:
            wait_until(lambda: "steady speaks" in output(tmp_path), 10)
            assert all_gone(members)
            assert "ended 2 processes that an earlier run left behind" in output(tmp_path)
            second.send_signal(signal.SIGTERM)
            assert second.wait(5) == 0


def test_foreign_process_that_got_the_number_of_a_child_is_never_touched(tmp_path):
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as foreign:
        try:
            seen = processes.look_at(foreign.pid)
            assert seen is not None
            (tmp_path / "run").mkdir()
            note = {
                "pid": foreign.pid,
                "started": seen.started - 1,
                "boot": processes.boot_id(),
                "command": "sleep 60",
            }
            (tmp_path / "run" / "web.json").write_text(json.dumps(note))
            (tmp_path / "run" / "worker.json").write_text("not even JSON")
            body = 'main([Child(name="steady", run=steady)])'
            with started(tmp_path, program(tmp_path, body)) as process:
                wait_until(lambda: "steady speaks" in output(tmp_path), 5)
                process.send_signal(signal.SIGTERM)
                assert process.wait(5) == 0
            assert foreign.poll() is None
        finally:
            foreign.kill()


@pytest.mark.sockets
def test_product_comes_up_heals_itself_and_leaves_nobody_behind(tmp_path):
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    [port] = free_ports(1)
    with started(tmp_path, "manage.py", "serve", "--port", str(port)) as process:
        wait_until(lambda: health(port)[0] == 200, 15)
        _code, body = health(port)
        assert set(body["parts"]) == {"web", "database", "worker", "scheduler"}
        second = manage(tmp_path, "serve", "--port", str(port))
        assert second.returncode == 1
        assert f"Cannot listen on 127.0.0.1:{port}" in second.stderr
        assert "Traceback" not in second.stderr

        def pid_of(name: str) -> int:
            try:
                return int(json.loads((tmp_path / "run" / f"{name}.json").read_text())["pid"])
            except FileNotFoundError:  # between two lives
                return 0

        old = {name: pid_of(name) for name in ("web", "worker", "scheduler")}
        for pid in old.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(pid_of(name) not in {0, pid} for name, pid in old.items()), 10)
        wait_until(lambda: health(port)[0] == 200, 15)
        wait_until(lambda: len(family(process.pid)) == 8, 15)  # old signs of life are good for a while
        members = family(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(12) == 0
        assert all_gone(members)
