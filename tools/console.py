"""How the command speaks to the person at the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


class Failure(Exception):  # noqa: N818 - what the command says before it ends with 1
    """It cannot go on; the text tells what to do."""


def say(text: str) -> None:
    """To the person, not into a pipe that reads the output."""
    print(text, file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """One line that changes, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def subparser(name: str, function: object, epilog: str) -> argparse.ArgumentParser:
    """A parser whose help is the command's docstring."""
    import argparse

    text = "\n".join(line.strip() for line in (function.__doc__ or "").splitlines())
    return argparse.ArgumentParser(
        prog=f"./myp {name}",
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
