"""Many plugs in one process: control server, faults, state on disk, clean end."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugs.drivers.base import Endpoint
from plugs.drivers.registry import open_driver
from simulation import workshop as workshop_module
from simulation.__main__ import main
from simulation.control import ControlServer
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop, Workshop, serve

pytestmark = pytest.mark.sockets

ROOT = Path(__file__).resolve().parents[2]
SPECS = [PlugSpec("left", generation="klap"), PlugSpec("right hand", generation="passthrough")]


def ask(url: str, method: str, path: str, body: object = None) -> tuple[int, object]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def is_gone(line: socket.socket) -> bool:
    """The other side has closed or reset the connection."""
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


def test_control_server_shows_and_moves_the_plugs():
    with SimulatedWorkshop(SPECS) as workshop:
        url = workshop.control_url
        _, plugs = ask(url, "GET", "/plugs")
        assert [plug["name"] for plug in plugs] == ["left", "right hand"]
        assert plugs[0] == {
            "name": "left",
            "address": workshop.addresses["left"],
            "on": False,
            "power_w": 0.0,
            "phase": "off",
            "has_mains": True,
            "fault": None,
            "generation": "klap",
            "switches": 0,
        }
        assert ask(url, "POST", "/plugs/right%20hand/button")[1]["on"] is True
        assert ask(url, "POST", "/plugs/right%20hand/print", {"seconds": 60})[1]["phase"] == "heating"
        assert ask(url, "POST", "/plugs/right%20hand/print", {})[1]["phase"] == "heating"
        assert ask(url, "POST", "/plugs/right%20hand/power_cut", {"seconds": 60})[1]["has_mains"] is False
        assert ask(url, "POST", "/plugs/left/fault", {"fault": "slow", "seconds": 1})[1]["fault"] == "slow"
        assert (
            ask(url, "POST", "/plugs/left/fault", {"fault": "other_generation"})[1]["generation"]
            == "passthrough"
        )
        assert ask(url, "POST", "/plugs/left/fault", {"fault": None})[1]["fault"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/plugs/left/button", None, 404),
        ("POST", "/plugs/nobody/button", None, 404),
        ("POST", "/plugs/left/explode", None, 404),
        ("POST", "/plugs/left/fault", {"fault": "boredom"}, 400),
        ("POST", "/plugs/left/fault", {}, 400),
        ("POST", "/plugs/left/print", {"seconds": 5}, 400),
        ("POST", "/plugs/left/power_cut", {"seconds": None}, 400),
    ],
)
def test_control_server_names_what_it_cannot_do(method, path, body, status):
    with SimulatedWorkshop(SPECS) as workshop:
        got, answer = ask(workshop.control_url, method, path, body)
        assert got == status
        assert "error" in answer


def test_port_stays_the_same_through_a_fault():
    with SimulatedWorkshop(SPECS) as workshop:
        before = workshop.address("left")
        workshop.fault("left", "unreachable")
        host, _, port = before.partition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), 1)
        workshop.fault("left", None)
        workshop.fault("left", "hang")
        assert workshop.address("left") == before
        socket.create_connection((host, int(port)), 1).close()


def test_connection_that_speaks_no_http_or_leaves_early_harms_nobody():
    with SimulatedWorkshop(SPECS) as workshop:
        host, _, port = workshop.address("left").partition(":")
        with socket.create_connection((host, int(port)), 2) as line:
            line.sendall(b"\x00\x01\x02\r\n\r\n")
            assert is_gone(line)
        workshop.fault("left", "slow", 0.05)
        with socket.create_connection((host, int(port)), 2) as line:
            line.sendall(b"POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        time.sleep(0.1)
        workshop.fault("left", None)
        with socket.create_connection((host, int(port)), 2) as line:
            line.sendall(b"POST /app HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            assert b"1003" in line.makefile("rb").read()


def test_open_connection_dies_with_the_mains():
    question = b"POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with SimulatedWorkshop(SPECS) as workshop:
        host, _, port = workshop.address("left").partition(":")
        with socket.create_connection((host, int(port)), 2) as line:
            line.sendall(question)
            assert b"1003" in line.recv(1000)
            workshop.plug("left").power_cut(60)
            line.sendall(question)
            assert is_gone(line)


def test_two_plugs_cannot_have_one_name():
    with pytest.raises(ValueError, match="left"):
        Workshop([PlugSpec("left"), PlugSpec("left")])


def test_taken_port_leaves_nothing_open():
    async def start() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            workshop = Workshop([PlugSpec("free"), PlugSpec("taken", port=taken.getsockname()[1])])
            with pytest.raises(OSError, match="in use"):
                await workshop.start()
            assert all(server._server is None for server in workshop.servers.values())

    asyncio.run(start())


def test_relay_survives_a_restart(tmp_path):
    state = tmp_path / "state.json"
    with SimulatedWorkshop(SPECS, state_file=state) as workshop:
        workshop.plug("left").switch(True)
        deadline = time.monotonic() + 5
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert json.loads(state.read_text())["left"]["on_since"]  # written soon, not only at the end
        workshop.plug("left").switch(False)
        workshop.plug("left").switch(True)
        identity = workshop.plug("left").device_id
    with SimulatedWorkshop([*SPECS, PlugSpec("new")], state_file=state) as workshop:
        assert workshop.plug("left").on
        assert not workshop.plug("right hand").on
        assert not workshop.plug("new").on
        assert workshop.plug("left").counters.switches == 3
        assert workshop.plug("left").device_id == identity
    assert not list(tmp_path.glob("*.new"))


def test_serve_saves_now_and_then_and_stops_when_told(tmp_path, monkeypatch):
    monkeypatch.setattr(workshop_module, "SAVE_EVERY", 0.02)
    state = tmp_path / "state.json"
    seen: list[ControlServer] = []

    async def run() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(
            serve(SPECS, state, 0, stop=stop, ready=lambda _workshop, control: seen.append(control))
        )
        while not state.exists():
            await asyncio.sleep(0.01)
        stop.set()
        await task

    asyncio.run(asyncio.wait_for(run(), 5))
    assert set(json.loads(state.read_text())) == {"left", "right hand"}
    assert seen[0].address.startswith("127.0.0.1:")


def _spec_file(tmp_path: Path) -> Path:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps([{"name": "left"}, {"name": "right", "generation": "passthrough"}]))
    return file


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_program_runs_without_django_and_ends_cleanly(tmp_path, sign):
    command = [
        sys.executable,
        "-m",
        "simulation",
        "--spec",
        str(_spec_file(tmp_path)),
        "--state",
        str(tmp_path / "s"),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        address = started["plugs"]["right"]

        async def switch() -> None:
            driver = open_driver(Endpoint("tapo", address, "workshop@example.org", "workshop"))
            await driver.set(True, 5)
            await driver.close()

        asyncio.run(switch())
        assert ask(started["control"], "GET", "/plugs")[1][1]["on"] is True
        maps = Path(f"/proc/{process.pid}/status").read_text()
        resident = int(maps.partition("VmRSS:")[2].split()[0])
        process.send_signal(sign)
        _, errors = process.communicate(timeout=5)
    assert process.returncode == 0
    assert errors == ""
    assert resident < 45_000  # kB; about 33 000 as measured, of which half is shared with every other Python
    assert json.loads((tmp_path / "s").read_text())["right"]["on_since"]


def test_program_is_light(tmp_path):
    code = "import sys, simulation.__main__; sys.exit(any(m in sys.modules for m in ('django', 'tapo', 'requests')))"
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0
    )


@pytest.mark.parametrize(
    "text", ["[{]", '[{"name": "a", "colour": 1}]', "[{}]", '[{"name": "a", "port": "x"}]']
)
def test_program_names_a_spec_it_cannot_use(tmp_path, capsys, text):
    file = tmp_path / "spec.json"
    file.write_text(text)
    assert main(["--spec", str(file)]) == 2
    assert capsys.readouterr().err.startswith("simulation: ")


def test_program_names_a_spec_that_is_not_there(tmp_path, capsys):
    assert main(["--spec", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
