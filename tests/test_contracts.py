"""Every import contract of the house is broken here once on purpose, and must be seen to fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]

# contract -> the module that offends, and how
OFFENCES = {
    "Apps form a ladder (no cycles)": ("printers/domain/activity.py", "import reservations.choices"),
    "Inside an app: edges > forms > domain > models, drivers > names": (
        "reservations/models.py",
        "import reservations.domain.rules",
    ),
    "Rules and the power plan are pure": ("reservations/domain/power.py", "import django.db"),
    "Drivers are plain Python": ("plugs/drivers/errors.py", "import django.conf"),
    "Job rows belong to reservations": ("simulation/seeding.py", "import reservations.models"),
    "Device libraries stay inside drivers": ("plugs/domain/observing.py", "import tapo"),
    "The product does not know its simulation": ("myp_project/urls.py", "import simulation.spec"),
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    return subprocess.run(
        [lint_imports, "--no-cache"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    """The packages and the contracts, to be spoilt."""
    for package in PROJECT["root_packages"]:
        ignore = shutil.ignore_patterns("__pycache__", "migrations", "templates", "static")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_has_its_offence():
    assert {contract["name"] for contract in PROJECT["contracts"]} == set(OFFENCES)


@pytest.mark.parametrize("contract", OFFENCES)
def test_a_broken_contract_is_seen(copy, contract):
    module, offence = OFFENCES[contract]
    path = copy / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{offence}\n", encoding="utf-8")
    answer = lint(copy)
    assert answer.returncode == 1
    assert f"{contract} BROKEN" in answer.stdout
