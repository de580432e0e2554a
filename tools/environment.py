"""The virtual environment: made when missing, brought up to date when the requirements changed."""

from __future__ import annotations

import hashlib
import json
import os
import sys

from tools.console import Failure, progress, say

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
MARK_BUILDING, STAMP = ".myp-building", ".myp-stamp.json"
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}


def venv_dir() -> str:
    """Where the virtual environment is."""
    return os.path.abspath(os.environ.get("MYP_VENV") or os.path.join(ROOT, ".venv"))


def venv_python() -> str:
    """The environment's interpreter."""
    return os.path.join(venv_dir(), "bin", "python")


def wanted_stamp(level: str) -> dict[str, str]:
    """What an up-to-date environment says of itself."""
    names = ["run"] if level == "run" else ["run", "dev"]
    stamp = {"python": ".".join(map(str, sys.version_info[:3])), "place": venv_dir()}
    for name in names:
        with open(os.path.join(ROOT, REQUIREMENTS[name]), "rb") as file:
            stamp[name] = hashlib.sha256(file.read()).hexdigest()
    return stamp


def read_stamp() -> dict[str, str]:
    """What the environment says of itself; nothing while it is being built."""
    if os.path.exists(os.path.join(venv_dir(), MARK_BUILDING)):
        return {}
    try:
        with open(os.path.join(venv_dir(), STAMP), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def is_ready(level: str) -> bool:
    """True when nothing has to be installed. The interpreter inside counts, not the one that runs this."""
    stamp, wanted = read_stamp(), wanted_stamp(level)
    if not os.access(venv_python(), os.X_OK):
        return False
    if running_inside():
        wanted["python"] = stamp.get("python", "")
    return all(stamp.get(name) == value for name, value in wanted.items())


def running_inside() -> bool:
    """True when this very process runs in the environment."""
    return os.path.realpath(sys.prefix) == os.path.realpath(venv_dir())


def prepare(level: str) -> None:
    """Make the environment, or bring it up to date; one process at a time."""
    if is_ready(level):
        return
    import fcntl

    parent = os.path.dirname(venv_dir())
    os.makedirs(parent, exist_ok=True)
    lock = os.open(parent, os.O_RDONLY)  # a directory can be locked: no file is left lying about
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say("Waiting for another process that prepares the environment …")
        fcntl.flock(lock, fcntl.LOCK_EX)
    if not is_ready(level):
        build(level)
    os.close(lock)


def build(level: str) -> None:
    """Install; an interrupted build leaves a mark and is done again from scratch."""
    import time

    begun = time.monotonic()
    mark = os.path.join(venv_dir(), MARK_BUILDING)
    fresh = not os.access(venv_python(), os.X_OK) or os.path.exists(mark) or is_of_another_python()
    if fresh:
        make_venv(mark)
    names = ["run"] if level == "run" else ["run", "dev"]
    stamp = {**({} if fresh else read_stamp()), **wanted_stamp(level)}
    touch(mark)
    for name in names:
        install(REQUIREMENTS[name])
    temporary = os.path.join(venv_dir(), STAMP + ".new")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(stamp, file, indent=1)
    os.replace(temporary, os.path.join(venv_dir(), STAMP))
    os.unlink(mark)
    say(f"The environment is ready ({time.monotonic() - begun:.0f} s).")


def is_of_another_python() -> bool:
    """True when the environment was made with another version of Python, or for another place."""
    try:
        with open(os.path.join(venv_dir(), "pyvenv.cfg"), encoding="utf-8") as file:
            lines = dict(line.split(" = ", 1) for line in file.read().splitlines() if " = " in line)
    except OSError:
        return True
    moved = read_stamp().get("place", venv_dir()) != venv_dir()
    return moved or not lines.get("version", "").startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


def make_venv(mark: str) -> None:
    """An empty environment. Refuses to empty a directory that is no environment."""
    place = venv_dir()
    is_used = os.path.isdir(place) and bool(os.listdir(place))
    if is_used and not os.path.exists(os.path.join(place, "pyvenv.cfg")) and not os.path.exists(mark):
        raise Failure(f"{place} exists and is no virtual environment. Move it away, or set MYP_VENV.")
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        raise Failure("Python's venv module is missing. On Debian: apt install python3-venv") from None
    say(f"Preparing the environment in {place} (once; a minute or two) …")
    builder = venv.EnvBuilder(clear=True, with_pip=True, symlinks=True)
    builder.ensure_directories(place)
    touch(mark)
    builder.clear = False
    builder.create(place)


def touch(path: str) -> None:
    """Make an empty file."""
    with open(path, "w", encoding="utf-8"):
        pass


def install(name: str) -> None:
    """Install one requirements file and show how it goes."""
    import subprocess

    path = os.path.join(ROOT, name)
    with open(path, encoding="utf-8") as file:
        total = sum("==" in line for line in file)
    command = [venv_python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    done = 0
    tail: list[str] = []
    for line in process.stdout or ():
        tail = [*tail[-19:], line]
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            done += 1
            progress(f"  {name}: {min(done, total)} of {total}")
    progress("")
    if process.wait():
        sys.stderr.write("".join(tail))
        raise Failure(
            f"Installing {name} failed (see above). Is there a network? Run the command again to retry."
        )
