"""Run one part in a process of its own, on a directory of its own, for a bounded time."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from bench.parts import Part
from bench.report import ROOT, Result
from core.supervision import processes

PATIENCE = 20.0


def measure(part: Part, *, is_quick: bool, postgres: str) -> dict[str, Any]:
    """The part's figures as JSON; with "error" when it could not be measured."""
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="myp-bench-", ignore_cleanup_errors=True) as directory:
        out = Path(directory) / "figures.json"
        command = [sys.executable, "-m", "bench.inside", part.module, "--out", str(out)]
        command += ["--variant", part.variant] if part.variant else []
        command += ["--quick"] if is_quick else []
        env = environment(Path(directory))
        if part.variant == "postgresql":
            env["MYP_DATABASE_URL"] = postgres
        process = subprocess.Popen(command, cwd=ROOT, env=env)
        try:
            status = process.wait(part.may_take)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            _end(process)
        measured: dict[str, Any]
        if out.exists():
            measured = json.loads(out.read_text(encoding="utf-8"))
        else:
            why = (
                f"not finished within {part.may_take:.0f} s"
                if status == -1
                else f"ended with status {status}"
            )
            measured = {**Result(part.says, notes=[f"not measured: {why}"]).as_json(), "error": why}
    return {**measured, "seconds": round(monotonic() - began, 1)}


def environment(directory: Path) -> dict[str, str]:
    """The product's settings for a scratch directory; whatever is set for a real installation is left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYP_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "myp_project.settings",
        "MYP_ENV_FILE": os.devnull,
        "MYP_DATA_DIR": str(directory),
        "MYP_SECRET_KEY": secrets.token_urlsafe(40),
        "MYP_FIELD_KEY": secrets.token_urlsafe(40),
        "MYP_HTTPS": "false",
        "MYP_LOG_LEVEL": "WARNING",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """The part and everything it started are gone afterwards."""
    if process.poll() is not None:
        return
    family = processes.descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(PATIENCE)
    for each in family:
        processes.send(each, signal.SIGKILL)
