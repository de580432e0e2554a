"""`./myp lock`: requirements.txt and requirements-dev.txt from pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import tempfile

from tools.console import Failure, subparser
from tools.environment import REQUIREMENTS, ROOT, prepare, venv_python


def lock(arguments: list[str]) -> None:
    """Pin the requirements anew from pyproject.toml, to the newest versions that fit, or keep what fits.

    requirements.txt is what runs; requirements-dev.txt is what tests and linters need besides.
    """
    parser = subparser("lock", lock, "example: ./myp lock --upgrade")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions where they fit")
    options = parser.parse_args(arguments)
    prepare("dev")
    os.chdir(ROOT)
    run, dev = REQUIREMENTS["run"], REQUIREMENTS["dev"]
    first = "# Made by `./myp lock` from pyproject.toml. Do not edit.\n"
    pinned = compile_pins(run, [], upgrade=options.upgrade, known=[])
    write(run, first + "".join(pinned))
    everything = compile_pins(dev, ["--extra=dev"], upgrade=options.upgrade, known=pinned)
    versions = {line.split()[0] for line in pinned}
    names = {version.split("==")[0] for version in versions}
    more = [line for line in everything if line.split()[0].split("==")[0] not in {*names, "myp"}]
    clash = [line for line in everything if line.split("==")[0] in names and line.split()[0] not in versions]
    if clash:
        raise Failure(f"Tests would need other versions than what runs: {clash}")
    write(dev, f"{first}-r {run}\n" + "".join(more))
    print(f"{run}: {len(pinned)} packages; {dev}: {len(more)} more")


def compile_pins(name: str, options: list[str], *, upgrade: bool, known: list[str]) -> list[str]:
    """What pip-compile finds, one line per package, without a word about where it found it."""
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, name)
        old = [] if upgrade or not os.path.exists(name) else pins_of(name)
        write(output, "".join(known or old))
        constraint = os.path.join(directory, "known.txt")
        write(constraint, "".join(known))
        command = [
            venv_python(),
            "-m",
            "piptools",
            "compile",
            "pyproject.toml",
            f"--output-file={output}",
            "--quiet",
        ]
        command += [
            "--strip-extras",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-emit-options",
            "--no-header",
        ]
        command += [
            "--annotation-style=line",
            f"--constraint={constraint}",
            *options,
            *(["--upgrade"] if upgrade else []),
        ]
        if subprocess.run(command, check=False).returncode:
            raise Failure("pip-compile failed (see above).")
        return [without_place(line, constraint) for line in pins_of(output)]


def pins_of(path: str) -> list[str]:
    """The lines of a requirements file that pin a package."""
    with open(path, encoding="utf-8") as file:
        return [line for line in file if "==" in line and not line.startswith("#")]


def without_place(line: str, constraint: str) -> str:
    """Drop our temporary file from the list of those who want the package."""
    pin, _, why = line.rstrip("\n").partition("# via")
    reasons = [
        reason.strip() for reason in why.split(",") if constraint not in reason and reason.strip() != "myp"
    ]
    return f"{pin.rstrip():<25} # via {', '.join(reasons) or 'myp (pyproject.toml)'}\n"


def write(path: str, text: str) -> None:
    """Write a file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
