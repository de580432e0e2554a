"""The command `./myp`: what it does before the product's own environment exists, and how little that costs."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.processes]

# Stands for the environment's Python: tells what it was asked to run, and with which settings.
ECHO = """#!/bin/sh
printf '%s\\n' "$@" > "$MYP_TEST_ECHO"
env | grep -E '^(MYP_|DJANGO_)' | sort >> "$MYP_TEST_ECHO"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the command in a path with a space, with an environment that looks ready."""
    place = tmp_path / "a place with spaces"
    place.mkdir()
    shutil.copy(ROOT / "myp", place / "myp")
    shutil.copytree(ROOT / "tools", place / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "requirements.txt").write_text("nothing==1\n")
    (place / "requirements-dev.txt").write_text("-r requirements.txt\nmore==2\n")
    make_ready(place)
    return place


def make_ready(place: Path) -> None:
    binaries = place / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(ECHO)
    (binaries / "python").chmod(0o755)
    version = ".".join(map(str, sys.version_info[:3]))
    (place / ".venv" / "pyvenv.cfg").write_text(f"version = {version}\n")
    stamp = {"python": version, "place": str(place / ".venv")}
    for level, name in {"run": "requirements.txt", "dev": "requirements-dev.txt"}.items():
        stamp[level] = hashlib.sha256((place / name).read_bytes()).hexdigest()
    (place / ".venv" / ".myp-stamp.json").write_text(json.dumps(stamp))


def myp(place: Path, *arguments: str, cwd: Path | None = None, **environment: str):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MYP_", "DJANGO_"))}
    clean |= {"MYP_TEST_ECHO": str(place / "echo"), **environment}
    command = [sys.executable, str(place / "myp"), *arguments]
    return subprocess.run(
        command, check=False, cwd=cwd or "/", env=clean, capture_output=True, text=True, timeout=60
    )


def asked(place: Path) -> tuple[list[str], dict[str, str]]:
    """What the environment's Python was asked to run, and the variables it got."""
    lines = (place / "echo").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if line.startswith(("MYP_", "DJANGO_")))
    return [line for line in lines if not line.startswith(("MYP_", "DJANGO_"))], variables


def test_help_names_every_command(checkout):
    done = myp(checkout, "--help")
    assert done.returncode == 0
    for name in (
        "demo",
        "serve",
        "secrets",
        "doctor",
        "manage",
        "test",
        "check",
        "bench",
        "lock",
        "exit codes",
    ):
        assert name in done.stdout


@pytest.mark.parametrize("name", ["demo", "serve", "secrets", "doctor", "check", "lock"])
def test_each_command_tells_about_itself_without_an_environment(checkout, name):
    shutil.rmtree(checkout / ".venv")
    done = myp(checkout, name, "--help")
    assert done.returncode == 0
    assert f"usage: ./myp {name}" in done.stdout


def test_without_a_command_it_helps_and_says_that_this_was_no_use(checkout):
    assert myp(checkout).returncode == 2


def test_unknown_command_gets_a_hint(checkout):
    done = myp(checkout, "sevre")
    assert done.returncode == 2
    assert "Did you mean serve?" in done.stderr


def test_manage_passes_everything_on_from_any_directory(checkout):
    assert myp(checkout, "manage", "migrate", "--plan").returncode == 0
    arguments, _variables = asked(checkout)
    assert arguments == [str(checkout / "manage.py"), "migrate", "--plan"]


def test_start_costs_little_when_nothing_has_to_be_done(checkout):
    """Counted in processor time: how busy the machine is with other things does not matter."""

    clean = {name: value for name, value in os.environ.items() if not name.startswith("MYP_")}

    def measure(*command: str) -> float:
        begun = os.times()
        subprocess.run(command, check=True, env={**clean, "MYP_TEST_ECHO": "/dev/null"}, capture_output=True)
        ended = os.times()
        return ended.children_user + ended.children_system - begun.children_user - begun.children_system

    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")
    bare = min(measure(sys.executable, "-c", "pass") for _ in range(5))
    ours = min(measure(sys.executable, str(checkout / "myp"), "manage", "check") for _ in range(5))
    assert ours - bare < 0.1


def test_demo_has_settings_of_its_own_and_keeps_its_secrets(checkout, tmp_path):
    mine = {"MYP_SECRET_KEY": "the product's own", "MYP_DATABASE_URL": "postgres://the/product"}
    assert myp(checkout, "demo", "--port", "8123", **mine).returncode == 0
    arguments, variables = asked(checkout)
    data = checkout / "data" / "demo"
    assert arguments == [str(checkout / "manage.py"), "demo", "--port", "8123"]
    assert variables["MYP_DATA_DIR"] == str(data)
    assert (variables["MYP_SIMULATION"], variables["MYP_HTTPS"]) == ("true", "false")
    assert variables["MYP_ENV_FILE"] == str(data / "demo.env")
    assert {"MYP_SECRET_KEY", "MYP_DATABASE_URL"}.isdisjoint(variables)
    assert stat.S_IMODE((data / "demo.env").stat().st_mode) == 0o600
    secrets = (data / "demo.env").read_text()
    assert [line.partition("=")[0] for line in secrets.splitlines()] == ["MYP_SECRET_KEY", "MYP_FIELD_KEY"]
    myp(checkout, "demo")
    assert (data / "demo.env").read_text() == secrets


def test_demo_in_a_directory_of_choice_counts_from_where_the_person_is(checkout, tmp_path):
    myp(checkout, "demo", "--data", "here", cwd=tmp_path)
    assert asked(checkout)[1]["MYP_DATA_DIR"] == str(tmp_path / "here")


def test_fresh_deletes_the_data_of_a_demo_and_nothing_else(checkout, tmp_path):
    data = tmp_path / "workshop"
    myp(checkout, "demo", "--data", str(data))
    old = (data / "demo.env").read_text()
    (data / "myp.sqlite3").touch()
    assert myp(checkout, "demo", "--data", str(data), "--fresh").returncode == 0
    assert not (data / "myp.sqlite3").exists()
    assert (data / "demo.env").read_text() != old

    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").touch()
    done = myp(checkout, "demo", "--data", str(precious), "--fresh")
    assert done.returncode == 1
    assert "does not look like the data of a demo" in done.stderr
    assert (precious / "thesis.txt").exists()


def test_serve_without_secrets_names_the_cure_and_the_cure_works(checkout):
    done = myp(checkout, "serve")
    assert done.returncode == 1
    assert "Run `./myp secrets` once" in done.stderr
    assert "Traceback" not in done.stderr
    assert myp(checkout, "doctor").returncode == 2
    findings = json.loads(myp(checkout, "doctor", "--json").stdout)
    assert (findings[0]["level"], findings[0]["cure"]) == ("broken", "./myp secrets")

    (checkout / "myp.env").write_text("MYP_SITE_NAME=Workshop\n#MYP_SECRET_KEY=\nMYP_FIELD_KEY=")
    assert "wrote MYP_SECRET_KEY, MYP_FIELD_KEY" in myp(checkout, "secrets").stdout
    assert stat.S_IMODE((checkout / "myp.env").stat().st_mode) == 0o600
    lines = (checkout / "myp.env").read_text().splitlines()
    assert lines[0] == "MYP_SITE_NAME=Workshop"
    assert len({line for line in lines if line.startswith("MYP_SECRET_KEY=")}) == 1
    assert "nothing was missing" in myp(checkout, "secrets").stdout
    assert myp(checkout, "serve", "--port", "9000").returncode == 0
    assert asked(checkout)[0] == [str(checkout / "manage.py"), "serve", "--port", "9000"]


def test_secrets_from_the_environment_or_from_files_of_their_own_count_too(checkout):
    given = {"MYP_SECRET_KEY": "a", "MYP_FIELD_KEY_FILE": "/run/secrets/key"}
    assert myp(checkout, "serve", **given).returncode == 0


def test_check_of_an_unknown_step_names_the_steps(checkout):
    done = myp(checkout, "check", "moods")
    assert done.returncode == 2
    assert "no such step: moods" in done.stderr


@pytest.mark.parametrize("change", ["requirements", "interrupted", "python is gone"])
def test_environment_that_is_not_up_to_date_is_not_used(checkout, change):
    """Its pip is our stand-in here: what counts is that it was asked, and what it was asked."""
    if change == "requirements":
        (checkout / "requirements.txt").write_text("nothing==2\n")
        done = myp(checkout, "manage", "check")
        assert done.returncode == 0, done.stderr
        assert "The environment is ready" in done.stderr
        stamp = json.loads((checkout / ".venv" / ".myp-stamp.json").read_text())
        assert stamp["run"] == hashlib.sha256(b"nothing==2\n").hexdigest()
        assert myp(checkout, "manage", "check").stderr == ""
        return
    if change == "interrupted":
        (checkout / ".venv" / ".myp-building").touch()
    else:
        (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / "requirements.txt").write_text("")  # nothing to fetch
    (checkout / "manage.py").write_text("import sys; print(sys.prefix)\n")
    done = myp(checkout, "manage", "check")
    assert done.returncode == 0, done.stderr
    assert "Preparing the environment" in done.stderr
    assert done.stdout.strip() == str(checkout / ".venv")
    assert not (checkout / ".venv" / ".myp-building").exists()


def test_directory_that_is_no_environment_is_never_emptied(checkout, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").touch()
    done = myp(checkout, "manage", "check", MYP_VENV=str(precious))
    assert done.returncode == 1
    assert "is no virtual environment" in done.stderr
    assert (precious / "thesis.txt").exists()


def test_failed_installation_is_said_and_done_again(checkout):
    (checkout / "requirements.txt").write_text("nothing==3\n")
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho 'no such package'\nexit 1\n")
    done = myp(checkout, "manage", "check")
    assert done.returncode == 1
    assert "no such package" in done.stderr
    assert "Run the command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert (checkout / ".venv" / ".myp-building").exists()
