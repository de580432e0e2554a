"""Typed, loud readers of the environment.

A variable that is set to nonsense stops the start with its name and the cure; it is never guessed.
``NAME_FILE`` may point at a file that holds the value of ``NAME`` (systemd credentials, container secrets).
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def load_file(path: Path) -> None:
    """Read ``NAME=value`` lines into the environment; what is already set there wins."""
    if not path.is_file():
        return
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, found, value = line.partition("=")
        if not found or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path}:{number}: expected NAME=value, found {name.strip()!r}")
        os.environ.setdefault(name.strip(), value.strip().strip("'\""))


def text(name: str, default: str = "") -> str:
    """The value of ``name``, or of the file that ``name_FILE`` points at, or the default."""
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


def secret(name: str) -> str:
    """Like :func:`text`, but it must be there."""
    if value := text(name):
        return value
    raise ImproperlyConfigured(
        f"{name} is not set. `./myp demo` and the installer write it to the environment file."
    )


def boolean(name: str, default: bool) -> bool:
    """True or false; 1/0, true/false, yes/no, on/off."""
    value = text(name).lower()
    if not value:
        return default
    if value in _TRUE | _FALSE:
        return value in _TRUE
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}")


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    """A whole number of at least ``minimum``."""
    value = text(name)
    if not value:
        return default
    if not value.isdecimal() or int(value) < minimum:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {minimum}, not {value!r}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A list, separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
