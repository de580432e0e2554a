"""The readers of the environment are typed and loud."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from myp_project import env


@pytest.fixture
def variable(monkeypatch):
    """Sets MYP_X."""
    return lambda value: monkeypatch.setenv("MYP_X", value)


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("Yes", True), ("off", False), ("false", False)]
)
def test_a_boolean_is_read(variable, value, expected):
    variable(value)
    assert env.boolean("MYP_X", not expected) is expected


def test_what_is_not_set_has_its_default(monkeypatch):
    monkeypatch.delenv("MYP_X", raising=False)
    assert env.boolean("MYP_X", True) is True
    assert env.integer("MYP_X", 7) == 7
    assert env.text("MYP_X", "a") == "a"
    assert env.words("MYP_X", "a, b,") == ["a", "b"]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.boolean("MYP_X", True), "perhaps"),
        (lambda: env.integer("MYP_X", 1), "many"),
        (lambda: env.integer("MYP_X", 1), "-3"),
        (lambda: env.integer("MYP_X", 1, minimum=1), "0"),
        (lambda: env.secret("MYP_X"), ""),
    ],
)
def test_nonsense_stops_the_start_and_names_the_variable(variable, read, value):
    variable(value)
    with pytest.raises(ImproperlyConfigured, match="MYP_X"):
        read()


def test_a_whole_number_is_read(variable):
    variable("42")
    assert env.integer("MYP_X", 1) == 42


def test_a_secret_may_lie_in_a_file_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("MYP_X_FILE", str(tmp_path / "key"))
    assert env.secret("MYP_X") == "from the file"


def test_a_file_of_settings_is_read_and_the_environment_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("MYP_X", "environment")
    monkeypatch.setenv("MYP_Y", "to be restored")
    monkeypatch.delenv("MYP_Y")
    file = tmp_path / "myp.env"
    file.write_text("# comment\n\nMYP_X=file\nMYP_Y='quoted value'\n")
    env.load_file(file)
    assert (env.text("MYP_X"), env.text("MYP_Y")) == ("environment", "quoted value")
    env.load_file(tmp_path / "absent")


def test_a_broken_line_is_named(tmp_path):
    file = tmp_path / "myp.env"
    file.write_text("MYP_OK=1\nnot a line\n")
    with pytest.raises(ImproperlyConfigured, match=r"myp\.env:2"):
        env.load_file(file)
