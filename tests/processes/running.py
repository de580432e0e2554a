"""Real processes of the product on a scratch directory, and how to wait for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from core.supervision import processes

ROOT = Path(__file__).resolve().parent.parent.parent


def environment(data: Path) -> dict[str, str]:
    """The environment of processes that work on ``data``."""
    own = {
        "MYP_DATA_DIR": str(data),
        "MYP_ENV_FILE": os.devnull,
        "MYP_HTTPS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own, "MYP_SECRET_KEY": "s" * 40, "MYP_FIELD_KEY": "f" * 40}


def manage(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Django command to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=environment(data), capture_output=True, text=True, timeout=60
    )


@contextlib.contextmanager
def started(data: Path, *argv: str, log: str = "output.log") -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own; whatever happens, nothing of it is left afterwards."""
    with (data / log).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=ROOT,
            env=environment(data),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # The children of a supervisor have sessions of their own: take them while the family is known.
        for relative in processes.descendants(process.pid):
            processes.send(relative, signal.SIGKILL)
        processes.kill_session(process.pid)
        process.wait(5)


def wait_until(condition: Callable[[], Any], seconds: float, what: str = "") -> Any:
    """The condition's value once it is true; fails when the time is over."""
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, what or f"not within {seconds} s"
        sleep(0.05)
    return value


def health(port: int) -> tuple[int, dict[str, Any]]:
    """Status and body of the health page; (0, {}) when nothing answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=3) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error) if error.code == 503 else {}
    except OSError:
        return 0, {}


def family(pid: int) -> list[processes.Process]:
    """Every living descendant."""
    return [process for process in processes.descendants(pid) if not process.is_zombie]


def all_gone(members: list[processes.Process]) -> bool:
    """True when none of them lives."""
    return not any(member.is_alive() for member in members)


def waits_in(pid: int) -> str:
    """The name of the kernel function in which a process sleeps."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return ""
