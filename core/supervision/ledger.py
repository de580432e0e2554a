"""One supervisor per data directory, and a record of its children for the next one."""

import fcntl
import json
import logging
import os
import signal
from pathlib import Path

from core.supervision import processes
from core.supervision.processes import Process

logger = logging.getLogger(__name__)


class AlreadyRunningError(Exception):
    """Another supervisor works on this data."""


class Ledger:
    """The directory ``run`` in the data directory: a lock, and one note per child."""

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "run"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock: int | None = None

    def lock(self) -> None:
        """Keep others out until this process ends."""
        path = self._directory / "supervisor.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunningError(
                f"It is running on this data already (process {owner}, {self._directory.parent}).\n"
                f"Stop that one first, or use another data directory."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def release(self) -> None:
        """Let go of the lock; in a forked child this leaves the parent's lock alone only if called there too."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def note(self, name: str, pid: int) -> None:
        """A child was started."""
        if process := processes.look_at(pid):
            note = {
                "pid": pid,
                "started": process.started,
                "boot": processes.boot_id(),
                "command": processes.command_line(os.getpid()),
            }
            self._path(name).write_text(json.dumps(note), encoding="utf-8")

    def strike(self, name: str) -> None:
        """A child is gone, and all it left."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    def end_leftovers(self, patience: float = 3.0) -> int:
        """End what a supervisor that was killed left behind; how many processes. Never a foreign process."""
        found: list[Process] = []
        for path in sorted(self._directory.glob("*.json")):
            found += _leftovers(path)
            path.unlink(missing_ok=True)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in found:
                processes.send(process, number)
            if processes.wait_for_end(found, patience):
                break
        return len(found)


def _leftovers(path: Path) -> list[Process]:
    """The living processes of the session that the note tells of."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        leader, started, boot, command = note["pid"], note["started"], note["boot"], note["command"]
    except (ValueError, KeyError, TypeError):
        logger.warning("%s cannot be read; it is ignored", path)
        return []
    if boot != processes.boot_id():
        return []
    seen = processes.look_at(leader)
    if seen and seen.started != started:  # the number was given to somebody else: their session, not ours
        return []
    return [
        process
        for process in processes.session_of(leader)
        if process.pid == leader
        or (process.started >= started and (seen or processes.command_line(process.pid) == command))
    ]
