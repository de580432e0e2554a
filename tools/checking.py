"""`./myp check`: every linter, one after the other."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import time

from tools.console import subparser
from tools.environment import ROOT, prepare, venv_python


def check(arguments: list[str]) -> None:
    """Every linter, in the order of the continuous integration, with a summary. Ends with 1 when one failed.

    Naming steps runs those alone.
    """
    parser = subparser("check", check, "example: ./myp check mypy imports")
    names = [name for name, _command, _environment in check_steps()]
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"any of: {', '.join(names)}")
    options = parser.parse_args(arguments)
    unknown = set(options.steps) - set(names)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    prepare("dev")
    os.chdir(ROOT)
    rows = []
    for name, command, environment in check_steps():
        if not options.steps or name in options.steps:
            print(f"── {name}", flush=True)
            rows.append((name, *run_step(name, command, environment)))
    print("\n" + "\n".join(f"{verdict:<8} {name:<12} {seconds:6.1f} s" for name, verdict, seconds in rows))
    sys.exit(any(verdict == "FAILED" for _name, verdict, _seconds in rows))


def check_steps() -> list[tuple[str, list[str], dict[str, str]]]:
    """Name, command and environment of each step."""
    plain = {"MYP_ENV_FILE": os.devnull, "MYP_SECRET_KEY": "s" * 20 + "-only-for-the-check-" + "k" * 20}
    plain["MYP_FIELD_KEY"] = plain["MYP_SECRET_KEY"][::-1]
    # As on a machine that serves people over HTTPS.
    production = {
        **plain,
        "MYP_HTTPS": "true",
        "MYP_HSTS_SECONDS": "3600",
        "MYP_ALLOWED_HOSTS": "myp.example",
    }
    production |= {
        "DJANGO_SETTINGS_MODULE": "myp_project.settings",
        "MYP_DEBUG": "false",
        "MYP_SIMULATION": "false",
    }
    testing = {**plain, "DJANGO_SETTINGS_MODULE": "myp_project.settings_test"}
    languages = sorted(
        os.path.relpath(path, ROOT)
        for path in glob.glob(os.path.join(ROOT, "tests", "**", "test_translations*.py"), recursive=True)
    )
    manage_py = ["manage.py"]
    return [
        ("format", ["-m", "ruff", "format", "--check", ".", "myp"], {}),
        ("lint", ["-m", "ruff", "check", ".", "myp"], {}),
        ("mypy", ["-m", "mypy", ".", "myp"], plain),
        ("imports", ["-c", "from importlinter.cli import lint_imports_command as run; run()"], plain),
        ("migrations", [*manage_py, "makemigrations", "--check", "--dry-run"], testing),
        ("deploy", [*manage_py, "check", "--deploy", "--fail-level", "WARNING"], production),
        ("templates", ["-m", "djlint", ".", "--lint"], {}),
        ("translations", ["-m", "pytest", "-q", "--no-header", *languages] if languages else [], {}),
        ("deptry", ["-m", "deptry", "."], {}),
        (
            "audit",
            ["-m", "pip_audit", "-r", "requirements.txt", "--no-deps", "--disable-pip", "--timeout", "10"],
            {},
        ),
    ]


def run_step(name: str, command: list[str], environment: dict[str, str]) -> tuple[str, float]:
    """Run one step; its verdict and how long it took."""
    begun = time.monotonic()
    if not command:
        return "skipped", 0.0
    pipe = subprocess.PIPE if name == "audit" else None
    done = subprocess.run(
        [venv_python(), *command],
        env={**os.environ, **environment},
        check=False,
        text=True,
        stdout=pipe,
        stderr=pipe and subprocess.STDOUT,
    )
    seconds = time.monotonic() - begun
    if name != "audit":
        return ("FAILED" if done.returncode else "ok"), seconds
    unknown = done.stdout.count("could not be audited")
    if "Found " in done.stdout or not (done.returncode or unknown):
        print(done.stdout)
        return ("FAILED" if done.returncode else "ok"), seconds
    print(f"no list of advisories can be had from here ({unknown or 'all'} packages were not looked at)")
    return "skipped", seconds
