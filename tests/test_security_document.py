"""The document about security names tests; each of them exists, and each row has a test or says that it has a reason."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_the_named_test_exists(name: str) -> None:
    path, *parts = name.split("::")
    scope: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for part in parts:
        inside = {
            node.name: node
            for node in ast.iter_child_nodes(scope)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert part in inside, name
        scope = inside[part]
    assert parts[-1].startswith("test_")


def test_every_chapter_and_every_row_is_answered() -> None:
    chapters = re.findall(r"^### V(\d+) ", TEXT, re.MULTILINE)
    assert chapters == [str(number) for number in range(1, 15)]
    rows = [line for line in TEXT[TEXT.index("### V1 ") :].splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith(("| asked |", "|---"))]
    assert len(rows) > 90
    for row in rows:
        _before, asked, answer, proof, _after = row.split("|")
        assert asked.strip()
        assert answer.strip()
        assert proof.strip() == "reason" or "`tests/" in proof, row


def test_enough_is_proved() -> None:
    assert len(NAMED) > 80
