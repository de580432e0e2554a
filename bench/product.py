"""The product and the simulated plugs as processes, ended by their own number."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.conf import settings

from bench.report import ROOT
from core.supervision.ports import free_ports
from simulation.spec import PlugSpec

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Product:
    """`manage.py serve` on a port."""

    process: subprocess.Popen[bytes]
    port: int


@dataclass(frozen=True, slots=True)
class Simulator:
    """Plugs by name, and the control server."""

    process: subprocess.Popen[bytes]
    control: str
    addresses: dict[str, str]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One question to the control server."""
        connection = http.client.HTTPConnection(self.control, timeout=10)
        try:
            connection.request(method, path, json.dumps(body or {}))
            answer = connection.getresponse()
            data = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"simulator: {path}: {data}")
        return data

    def fault(self, name: str, kind: str) -> None:
        """Break a plug."""
        self.ask("POST", f"/plugs/{name}/fault", {"fault": kind})

    def switches(self) -> dict[str, int]:
        """How often each relay has moved."""
        return {plug["name"]: plug["switches"] for plug in self.ask("GET", "/plugs")}


@contextlib.contextmanager
def serving(*, within: float = 60.0) -> Iterator[Product]:
    """The whole product under its supervisor; healthy when the block begins."""
    [port] = free_ports(1)
    log = Path(settings.DATA_DIR) / "serve.log"
    command = [sys.executable, "manage.py", "serve", "--host", HOST, "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_for(lambda: _is_healthy(port) or process.poll() is not None, within, "the product to be healthy")
        if process.poll() is not None:
            raise RuntimeError(f"serve ended at once:\n{log.read_text()[-2000:]}")
        yield Product(process, port)
    except BaseException:
        sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-1500:])
        raise
    finally:
        end(process)


@contextlib.contextmanager
def simulating(specs: Sequence[PlugSpec]) -> Iterator[Simulator]:
    """The plugs in a process of their own."""
    spec_file = Path(settings.DATA_DIR) / "plugs.json"
    spec_file.write_text(json.dumps([asdict(spec) for spec in specs]), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "simulation", "--spec", str(spec_file)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        told = json.loads(line or b"{}")
        yield Simulator(process, told["control"], told["plugs"])
    finally:
        end(process)
        if process.stdout:
            process.stdout.close()


def plug_specs(count: int) -> list[PlugSpec]:
    """Every other plug speaks the older protocol."""
    return [
        PlugSpec(name=f"plug-{number}", generation="klap" if number % 2 else "passthrough", seed=number)
        for number in range(count)
    ]


def end(process: subprocess.Popen[bytes], patience: float = 15.0) -> None:
    """Ask it to end, wait, insist."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)


def wait_for(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask every 50 ms; :class:`TimeoutError` names what did not come."""
    deadline = monotonic() + seconds
    while not is_so():
        if monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        sleep(0.05)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
