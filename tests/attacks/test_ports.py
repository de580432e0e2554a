"""What listens: the documented ports and no others."""

import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attacks.conftest import Target
from tests.processes.running import family

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

LISTENS = "0A"  # the kernel's word
DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "security.md"


def sockets_of(pid: int) -> set[str]:
    """The inodes of its sockets."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(entry)
        except OSError:
            continue
        found |= set(re.findall(r"socket:\[(\d+)\]", name))
    return found


def listening(target: Target) -> dict[int, str]:
    """Port -> address of every TCP socket that a process of the product listens on."""
    pids = [target.pid, *(member.pid for member in family(target.pid))]
    ours = set().union(*(sockets_of(pid) for pid in pids if Path(f"/proc/{pid}").exists()))
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _number, local, _remote, state, *rest = line.split()
            if state == LISTENS and rest[5] in ours:
                address, port = local.split(":")
                found[int(port, 16)] = address
    return found


def open_ports(ports: range) -> set[int]:
    """Those that accept a connection on this machine."""

    def is_open(port: int) -> bool:
        with socket.socket() as wire:
            wire.settimeout(2)
            return wire.connect_ex(("127.0.0.1", port)) == 0

    with ThreadPoolExecutor(32) as pool:
        return {port for port, there in zip(ports, pool.map(is_open, ports), strict=True) if there}


def test_only_the_documented_ports_are_open(target: Target) -> None:
    plugs = target.run(
        "from plugs.models import SmartPlug; out = [p.address for p in SmartPlug.objects.all()]"
    )
    plug_ports = {int(address.rsplit(":", 1)[1]) for address in plugs}
    (control,) = set(target.ports()) - plug_ports
    documented = {target.port, control, *plug_ports}

    assert set(listening(target)) == documented
    assert set(listening(target).values()) == {"0100007F"}, "on this machine alone, unless told otherwise"
    # What others on this machine have opened is not ours; a scan from outside sees no more than the kernel told.
    seen = open_ports(range(1, 65536))
    assert documented <= seen
    strangers = seen - documented
    assert set(listening(target)).isdisjoint(strangers)


def test_the_document_names_them() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for word in ("MYP_PORT", "8000", "simulation-ports.json", "control port"):
        assert word in text, word


def test_the_control_port_of_the_demo_is_no_way_into_the_product(target: Target) -> None:
    """It moves simulated plugs; it knows neither people nor files."""
    control = target.ports()[-1]
    visitor = target.visitor()
    for path in ("/", "/admin/", "/../myp.sqlite3", "/plugs/../../etc/passwd", "/plugs/x/fault"):
        assert visitor.get(f"http://127.0.0.1:{control}{path}").status_code == 404
