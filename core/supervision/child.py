"""One supervised process: how it is started, and what becomes of its output."""

import contextlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from core.supervision import processes

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
HEALTHY_AFTER = 60.0
LONGEST_LINE = 16_384


@dataclass(frozen=True, kw_only=True)
class Child:
    """What to run: a function in a fork of this process, or a program.

    ``ready`` is asked in the parent, about ten times a second, until it says True; it is quick and never
    uses the database (a connection would leak into later forks). ``after`` names children that must be
    ready before this one starts for the first time.
    """

    name: str
    run: Callable[[], object] | None = None
    argv: Sequence[str] | None = None
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    after: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.run is None) == (self.argv is None):
            raise ValueError(f"{self.name}: give either run or argv")


class Running:
    """A child's life across its restarts, as the parent sees it."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.pid: int | None = None
        self.output: int | None = None
        self.is_ready = child.ready is None
        self.start_at = 0.0
        self._failures = 0
        self._started_at = 0.0
        self._rest = b""

    def start(self, in_child: Callable[[], None]) -> None:
        """Fork; ``in_child`` lets go of what belongs to the parent."""
        reading, writing = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _become(self.child, parent, writing, in_child)
        os.close(writing)
        os.set_blocking(reading, False)
        self.pid, self.output, self._started_at = pid, reading, monotonic()

    def ended(self) -> None:
        """The child is gone: when may it start again? Later and later, unless it had lived for a while."""
        if monotonic() - self._started_at >= HEALTHY_AFTER:
            self._failures = 0
        self.start_at = monotonic() + min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 10)
        self.pid = None

    def read(self) -> list[str]:
        """The lines that came since; the last one also without its end, once nothing more can come."""
        if self.output is None:
            return []
        data = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.output, 65_536):
                data += chunk
                if len(data) > LONGEST_LINE * 16:
                    break
            else:
                self.close()
                data += b"\n"
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode(errors="replace") for line in lines if line.strip()]

    def close(self) -> None:
        """No more output."""
        if self.output is not None:
            os.close(self.output)
            self.output = None


def _become(child: Child, parent: int, output: int, in_child: Callable[[], None]) -> None:
    """In the fork: turn into the child. Never returns."""
    code = 1
    try:
        _leave_the_parent(parent, output)
        in_child()
        if child.argv is not None:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(child.argv[0], list(child.argv), {**os.environ, **(child.env or {})})  # noqa: S606 - our own programs
        os.environ.update(child.env or {})
        if child.run is not None:
            child.run()
        code = 0
    except SystemExit as request:
        code = request.code if isinstance(request.code, int) else int(request.code is not None)
    except KeyboardInterrupt:
        code = 0
    except BaseException:  # noqa: BLE001 - the end of a process: whatever it was, say it and leave
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _leave_the_parent(parent: int, output: int) -> None:
    """A session of its own, plain signals, its output into the parent's hands."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    processes.die_with_parent(parent, signal.SIGTERM)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # not so under a test's capture
