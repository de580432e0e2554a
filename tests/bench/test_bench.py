"""The bench runs and says what it found in the agreed shape; how quick it was is not judged here."""

import json
import math
import subprocess
import sys

import pytest

from bench import report
from bench.__main__ import main
from bench.parts import PARTS, chosen

WITH_TARGETS = {
    "lateness-6": "lateness p99",
    "lateness-200": "lateness p99",
    "bookings": "answers that were no confirmation",
    "api": "answers that were not as expected",
    "feed-sqlite": "week feed, times as long",
    "memory": "after load: all together",
}


@pytest.mark.processes
@pytest.mark.sockets
@pytest.mark.parametrize("part", WITH_TARGETS)
def test_part_measures_on_small_numbers(part, tmp_path):
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench", part, "--quick", "--json", str(file)]

    done = subprocess.run(command, cwd=report.ROOT, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert {"at", "commit", "python", "machine", "quick", "parts"} <= set(found)
    assert found["quick"] is True
    assert found["machine"]["cores"] >= 1
    figures = {figure["name"]: figure for figure in found["parts"][part]["figures"]}
    assert all(set(f) == {"name", "value", "unit", "at_most", "reached"} for f in figures.values())
    assert not any(math.isnan(f["value"]) for f in figures.values())
    assert figures[WITH_TARGETS[part]]["reached"] in {True, False}
    assert WITH_TARGETS[part] in done.stdout


@pytest.mark.processes
@pytest.mark.sockets
def test_feed_without_a_server_is_told_and_no_failure(tmp_path):
    file = tmp_path / "figures.json"

    status = main(
        [
            "feed-postgresql",
            "--quick",
            "--json",
            str(file),
            "--postgres",
            "postgres://nobody@127.0.0.1:1/none",
        ]
    )

    assert status == 0
    part = json.loads(file.read_text())["parts"]["feed-postgresql"]
    assert part["figures"] == []
    assert "no server" in part["notes"][0]


def test_unknown_part_is_named(capsys):
    assert main(["speed"]) == 2
    assert "no part 'speed'" in capsys.readouterr().err


def test_parts_are_chosen_by_name_or_by_kind():
    assert chosen([]) == list(PARTS)
    assert [part.name for part in chosen(["lateness"])] == ["lateness-6", "lateness-200"]
    assert [part.name for part in chosen(["memory", "feed-sqlite"])] == ["feed-sqlite", "memory"]


@pytest.mark.parametrize(("share", "expected"), [(50, 2.0), (75, 3.0), (99, 4.0), (100, 4.0), (1, 1.0)])
def test_percentile_is_a_value_that_was_seen(share, expected):
    assert report.percentile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_percentile_of_nothing_is_no_number():
    assert math.isnan(report.percentile([], 99))


def test_table_tells_target_and_verdict():
    result = report.Result("a part")
    result.add("quick enough", 10, "ms", 20)
    result.add("too slow", 30.5, "ms", 20)
    result.add("by the way", 1)
    result.notes.append("a note")

    lines = report.table({**result.as_json(), "seconds": 3.0}).splitlines()

    assert lines[0] == "a part  (3 s)"
    assert lines[2].split() == ["quick", "enough", "10", "ms", "<=", "20", "ms", "reached"]
    assert lines[3].split() == ["too", "slow", "30.50", "ms", "<=", "20", "ms", "MISSED"]
    assert lines[4].split() == ["by", "the", "way", "1"]
    assert lines[5].strip() == "a note"
