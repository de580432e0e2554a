"""What Linux knows about processes, and how to end the right ones. Plain Python."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was seen: its number alone may be given to another one later, with the start it may not."""

    pid: int
    parent: int
    session: int
    started: int  # clock ticks since the machine booted
    is_zombie: bool

    def is_alive(self) -> bool:
        """True while this very process runs."""
        seen = look_at(self.pid)
        return seen is not None and seen.started == self.started and not seen.is_zombie


def look_at(pid: int) -> Process | None:
    """The process of that number, or None when there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        started=int(fields[19]),
        is_zombie=fields[0] in "ZX",
    )


def command_line(pid: int) -> str:
    """How the process was started; forks share their parent's."""
    with contextlib.suppress(OSError):
        return (
            (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        )
    return ""


def boot_id() -> str:
    """A value that changes with every boot."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def everything() -> Iterator[Process]:
    """Every process of the machine."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (process := look_at(int(entry.name))):
            yield process


def session_of(leader: int) -> list[Process]:
    """Every living process of a session."""
    return [process for process in everything() if process.session == leader and not process.is_zombie]


def descendants(pid: int) -> list[Process]:
    """Children, grandchildren and so on."""
    children: dict[int, list[Process]] = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child.pid)
    return found


def send(process: Process, number: int) -> None:
    """Signal a process, unless its number belongs to somebody else by now."""
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def kill_session(leader: int) -> None:
    """End what is left of a session at once; new forks are caught by looking again."""
    for _attempt in range(20):
        left = session_of(leader)
        if not left:
            return
        for process in left:
            send(process, signal.SIGKILL)
        sleep(0.01)


def kill_descendants(pid: int) -> None:
    """End children, grandchildren and so on at once."""
    for _attempt in range(20):
        left = [process for process in descendants(pid) if not process.is_zombie]
        if not left:
            return
        for process in left:
            send(process, signal.SIGKILL)
        sleep(0.01)


def wait_for_end(processes: list[Process], seconds: float) -> bool:
    """Wait until all have ended; False when the time is over first."""
    deadline = monotonic() + seconds
    while any(process.is_alive() for process in processes):
        if monotonic() > deadline:
            return False
        sleep(0.02)
    return True


def die_with_parent(parent: int, number: int) -> None:
    """In a child: receive the signal when the parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it was faster
        os._exit(1)


def bind_descendants() -> None:
    """From now on every fork of this process, and every fork of those, is killed when its parent ends."""
    parent = os.getpid()

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def bind() -> None:
        die_with_parent(parent, signal.SIGKILL)

    os.register_at_fork(before=remember, after_in_child=bind)
