"""The system checks: each one holds for the product and fails when its promise is broken."""

import pytest
from django.conf import settings as real

from core import checks

GOOD = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous=FULL;",
}


def ids(messages):
    return [message.id for message in messages]


def test_product_passes():
    assert checks.sqlite_is_tuned(None) == []
    assert checks.background_work_is_tuned(None) == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (GOOD, []),
        ({**GOOD, "transaction_mode": "DEFERRED"}, ["core.E001"]),
        ({**GOOD, "init_command": "PRAGMA synchronous=FULL"}, ["core.E002"]),
        ({**GOOD, "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL"}, ["core.E003"]),
        ({}, ["core.E001", "core.E002", "core.E003"]),
    ],
)
def test_sqlite_must_be_tuned(monkeypatch, options, found):
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}}
    monkeypatch.setattr(real, "DATABASES", databases)
    messages = checks.sqlite_is_tuned(None)
    assert ids(messages) == found
    assert all(message.hint for message in messages)


def test_other_databases_need_no_tuning(monkeypatch):
    monkeypatch.setattr(real, "DATABASES", {"default": {"ENGINE": "django.db.backends.postgresql"}})
    assert checks.sqlite_is_tuned(None) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"retry": 20}, ["core.E004"]),
        ({"timeout": None}, ["core.E004"]),
        ({"scheduler": True}, ["core.E005"]),
        ({"max_attempts": 0}, ["core.E006"]),
    ],
)
def test_background_work_must_be_tuned(settings, change, found):
    settings.Q_CLUSTER = {**real.Q_CLUSTER, **change}
    assert ids(checks.background_work_is_tuned(None)) == found


@pytest.mark.parametrize(
    ("session", "field", "found"),
    [
        ("a" * 40, "b" * 40, []),
        ("a" * 40, "a" * 40, ["core.E008"]),
        ("only-for-tests", "b" * 40, ["core.E007"]),
        ("a" * 40, "short", ["core.E007"]),
    ],
)
def test_secrets_must_be_secret(settings, session, field, found):
    settings.SECRET_KEY, settings.FIELD_KEY = session, field
    assert ids(checks.secrets_are_secret(None)) == found
