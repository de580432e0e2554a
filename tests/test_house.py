"""The house rules that no linter knows: sizes, documented settings, no address from outside."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = [
    "core",
    "journal",
    "accounts",
    "plugs",
    "printers",
    "reservations",
    "insights",
    "kiosk",
    "api",
    "simulation",
    "myp_project",
    "bench",
    "tools",
]

# What is larger than the house allows, and why. This list may only shrink.
LARGER: dict[str, int] = {}


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from (p for p in (ROOT / app).rglob("*.py") if "migrations" not in p.parts)


def units() -> Iterator[tuple[str, int, int]]:
    """Each module, class and function: its name, its lines and what the house holds."""
    for path in sources():
        name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        yield name, len(text.splitlines()), 400
        for node in ast.walk(ast.parse(text)):
            lines = (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1
            if isinstance(node, ast.ClassDef):
                yield f"{name}::{node.name}", lines, 300
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                is_edge = path.name in {"views.py", "admin.py"} or path.parent.name in {"views", "admin"}
                limit = 15 if name.endswith("domain/rules.py") else 25 if is_edge else 40
                yield f"{name}::{node.name}", lines, limit


def test_units_keep_their_size():
    too_large = {name: lines for name, lines, limit in units() if lines > LARGER.get(name, limit)}
    assert too_large == {}


def test_the_list_of_exceptions_has_no_dead_entries():
    sizes = {name: (lines, limit) for name, lines, limit in units()}
    assert {name for name in LARGER if name not in sizes or sizes[name][0] <= sizes[name][1]} == set()


@pytest.mark.parametrize(("pattern", "limit"), [("templates/**/*.html", 250), ("static/js/*.js", 300)])
def test_templates_and_scripts_keep_their_size(pattern, limit):
    files = list(ROOT.glob(pattern))
    assert files
    assert {str(p.relative_to(ROOT)) for p in files if len(p.read_text().splitlines()) > limit} == set()


def test_every_variable_that_is_read_is_documented_and_the_other_way_round():
    read = set()
    for path in [*sources(), ROOT / "myp"]:
        read |= set(re.findall(r"\bMYP_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    documented = set(re.findall(r"^#? ?(MYP_[A-Z_]+)=", (ROOT / "myp.env.example").read_text(), re.MULTILINE))
    for_developers = {name for name in read if name.startswith(("MYP_TEST_", "MYP_REQUIRE_", "MYP_REAL_"))}
    for_developers.add("MYP_VENV")
    assert read - for_developers == documented


def tracked(*patterns: str) -> list[Path]:
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in out.stdout.splitlines()]


def test_no_file_names_the_host_of_a_package_registry():
    hosts = re.compile(r"https?://[^ \"')]*(pypi|pythonhosted|npmjs|debian)\.", re.IGNORECASE)
    found = [
        p.name
        for p in tracked()
        if p.suffix in {".txt", ".json", ".toml", ".py", ".md", ".sh", ""}
        and p.is_file()
        and hosts.search(p.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []


def test_pages_load_nothing_from_outside_and_carry_no_inline_script_or_style():
    outside = re.compile(r"(src|href)=[\"'](https?:)?//", re.IGNORECASE)
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|\son[a-z]+=[\"']|\sstyle=[\"']", re.IGNORECASE
    )
    offences = {}
    for page in (ROOT / "templates").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        hits = [m.group(0) for m in outside.finditer(text)] + [m.group(0) for m in inline.finditer(text)]
        if hits:
            offences[str(page.relative_to(ROOT))] = hits
    assert offences == {}
