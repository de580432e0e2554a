"""What a part found out: figures, their targets, a table for people and JSON for programs."""

import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``at_most`` is its target, if it has one."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target is kept; None without a target."""
        return None if self.at_most is None else self.value <= self.at_most

    def as_json(self) -> dict[str, Any]:
        """With the verdict."""
        return {**asdict(self), "reached": self.reached}


@dataclass(slots=True)
class Result:
    """All of one part. ``details`` are for programs, ``notes`` for people."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str = "", at_most: float | None = None) -> None:
        """One more figure."""
        self.figures.append(Figure(name, round(value, 3), unit, at_most))

    def add_spread(
        self, name: str, values: Sequence[float], unit: str, *, p99_at_most: float | None = None
    ) -> None:
        """p50, p95, p99 and the largest of the values; the target is for p99."""
        for share in (50, 95, 99):
            target = p99_at_most if share == 99 else None
            self.add(f"{name} p{share}", percentile(values, share), unit, target)
        self.add(f"{name} max", max(values, default=math.nan), unit)

    def as_json(self) -> dict[str, Any]:
        """The part in the JSON file."""
        return {
            "title": self.title,
            "figures": [figure.as_json() for figure in self.figures],
            "notes": self.notes,
            "details": self.details,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by ``share`` percent of them (nearest rank)."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)]


def table(part: dict[str, Any]) -> str:
    """A part's JSON for the terminal."""
    rows = [("", "value", "target", "")]
    for figure in part["figures"]:
        target = "" if figure["at_most"] is None else f"<= {_number(figure['at_most'])} {figure['unit']}"
        verdict = {None: "", True: "reached", False: "MISSED"}[figure["reached"]]
        rows.append((figure["name"], f"{_number(figure['value'])} {figure['unit']}", target, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{part['title']}  ({part['seconds']:.0f} s)"]
    for name, value, target, verdict in rows:
        lines.append(
            f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {target:>{widths[2]}}  {verdict}".rstrip()
        )
    lines += [f"  {note}" for note in part["notes"]]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    load = os.getloadavg()
    return {
        "system": platform.platform(),
        "processor": _from_proc("cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": int((_from_proc("meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "load_before": [round(each, 2) for each in load],
    }


def _from_proc(name: str, key: str) -> str:
    for line in (Path("/proc") / name).read_text(encoding="utf-8").splitlines():
        found, _, value = line.partition(":")
        if found.strip() == key:
            return value.strip()
    return ""


def commit() -> str:
    """The commit measured; with a plus when files differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if head and _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
