"""The parent of all processes: starts them, prefixes what they say, restarts what dies, ends them all."""

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Self, TextIO

from core.supervision import processes
from core.supervision.child import Child, Running
from core.supervision.ledger import Ledger

PATIENCE = 8.0
_COLOURS = (36, 33, 35, 32, 34, 31)


class Supervisor:
    """Runs children until SIGTERM or SIGINT; a second signal ends them at once.

    Call :meth:`run` from the main thread of a process that has no other threads and no open database
    connection: children are forks of it and share its memory.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        data_dir: Path,
        on_ready: Callable[[], None] | None = None,
        out: TextIO | None = None,
    ) -> None:
        self._family = [Running(child) for child in children]
        self._ledger = Ledger(data_dir)
        self._on_ready = on_ready
        self._out = out or sys.stdout
        self._width = max(len(child.name) for child in children)
        self._signals = 0
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._alarm = socket.socketpair()

    def run(self) -> None:
        """Take the data, run the family, leave nobody behind."""
        self._ledger.lock()
        if ended := self._ledger.end_leftovers():
            self._say("myp", f"ended {ended} processes that an earlier run left behind")
        gc.collect()
        gc.freeze()  # what exists now is not touched by the children's collectors: its memory stays shared
        try:
            with self._listening():
                self._watch()
                self._end_all()
        finally:
            for member in self._family:
                self._bury(member)
            self._ledger.release()

    def _listening(self) -> contextlib.ExitStack:
        """Signals wake the loop; everything is put back afterwards."""
        stack = contextlib.ExitStack()
        self._wakeup.setblocking(False)
        self._alarm.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, None)
        old = signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, old)
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.signal(number, self._on_signal))
        # Only to be woken: who ended is asked with waitpid.
        stack.callback(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, _ignore))
        return stack

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _watch(self) -> None:
        """The loop: start what may start, hand on output, notice ends."""
        while not self._signals:
            for member in self._family:
                if member.pid is None and monotonic() >= member.start_at and self._is_its_turn(member):
                    self._start(member)
            self._ask_ready()
            self._listen(self._nap())
            self._reap()

    def _is_its_turn(self, member: Running) -> bool:
        awaited = set(member.child.after)
        return all(other.is_ready for other in self._family if other.child.name in awaited)

    def _nap(self) -> float:
        if not all(member.is_ready for member in self._family):
            return 0.1
        pauses = [member.start_at - monotonic() for member in self._family if member.pid is None]
        return max(0.0, min([5.0, *pauses]))

    def _start(self, member: Running) -> None:
        member.start(self._let_go)
        if member.pid is not None and member.output is not None:
            self._ledger.note(member.child.name, member.pid)
            self._selector.register(member.output, selectors.EVENT_READ, member)

    def _let_go(self) -> None:
        """In a fork: what belongs to the parent alone."""
        self._ledger.release()
        self._selector.close()
        self._wakeup.close()
        self._alarm.close()
        for member in self._family:
            member.close()

    def _ask_ready(self) -> None:
        waiting = [member for member in self._family if not member.is_ready]
        for member in waiting:
            ready = member.child.ready
            member.is_ready = member.pid is not None and (ready is None or ready())
        if self._on_ready and all(member.is_ready for member in self._family):
            tell, self._on_ready = self._on_ready, None
            tell()

    def _listen(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            if isinstance(key.data, Running):
                self._hand_on(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup.recv(4096)

    def _hand_on(self, member: Running) -> None:
        output = member.output
        for line in member.read():
            self._say(member.child.name, line)
        if output is not None and member.output is None:
            self._selector.unregister(output)

    def _reap(self) -> None:
        """Notice who ended, end what it left, and plan its next start."""
        for member in self._family:
            if member.pid is None:
                continue
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid:
                processes.kill_session(pid)
                self._drain(member)
                member.ended()
                self._ledger.strike(member.child.name)
                if not self._signals:
                    pause = max(0.0, member.start_at - monotonic())
                    self._say("myp", f"{member.child.name} {_how(status)}; again in {pause:.1f} s")

    def _drain(self, member: Running) -> None:
        """The last words of a child whose session has ended."""
        if member.output is not None:
            self._selector.unregister(member.output)
            for line in member.read():
                self._say(member.child.name, line)
            member.close()

    def _end_all(self) -> None:
        """Ask everybody to end; who does not within the patience is killed, and so is what children left."""
        deadline = monotonic() + PATIENCE
        for member in self._family:
            if member.pid is not None:
                os.kill(member.pid, signal.SIGTERM)
        while any(member.pid for member in self._family) and monotonic() < deadline and self._signals < 2:
            self._listen(max(0.0, min(0.5, deadline - monotonic())))
            self._reap()

    def _bury(self, member: Running) -> None:
        """Whatever happened: the child and its session are gone afterwards."""
        if member.pid is not None:
            processes.kill_session(member.pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(member.pid, 0)
            self._ledger.strike(member.child.name)
            member.pid = None
        member.close()

    def _say(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if self._out.isatty():
            names = [member.child.name for member in self._family]
            colour = _COLOURS[names.index(name) % len(_COLOURS)] if name in names else 37
            prefix = f"\033[{colour}m{prefix}\033[0m"
        with contextlib.suppress(OSError, ValueError):  # nobody reads us any more: that is no reason to end
            self._out.write(f"{prefix} {line}\n")
            self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._wakeup.close()
        self._alarm.close()
        self._selector.close()


def _ignore(signum: int, frame: FrameType | None) -> None:
    """A handler, so that the signal wakes the loop."""


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def listens(host: str, port: int) -> Callable[[], bool]:
    """A ``ready`` for a child that serves on a port."""

    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.2):
            return True
        return False

    return ask
