"""What every test may use. People, not fixtures: Alice books, Bob trains, Charlie is an outsider, Dora lacks the qualification."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.utils import translation

from core.actor import Actor, Channel
from tests import factories
from tests.processes.databases import why_no_server

# Marks of tests that talk on the loopback address; for all others sockets are off.
NEEDS_SOCKETS = ("sockets", "processes", "browser", "postgres")
# A Wednesday in winter, 10:00 in Berlin.
NOON = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones last, so that a mistake shows early."""
    for item in items:
        if any(item.get_closest_marker(mark) for mark in NEEDS_SOCKETS):
            item.add_marker(pytest.mark.enable_socket)
    items.sort(key=lambda item: any(item.get_closest_marker(m) for m in ("processes", "browser")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Sockets only where a test says so, and plain words where something is not there."""
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        skip_or_fail("Chromium is not installed")
    if item.get_closest_marker("postgres") and (why := why_no_server()):
        skip_or_fail(why)


def skip_or_fail(reason: str) -> None:
    """Skip, and say so; where everything has to be there, fail."""
    if os.environ.get("MYP_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and MYP_REQUIRE_ALL=1")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _speak_german() -> Iterator[None]:
    """A request in another language leaves it to the thread; every test starts with the site's own."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def now() -> datetime:
    """The instant at which most tests play."""
    return NOON


@pytest.fixture
def people(db: None) -> SimpleNamespace:
    """Alice books, Bob trains, Charlie is an outsider, Dora lacks every qualification."""
    return SimpleNamespace(
        alice=factories.TraineeFactory(username="alice", first_name="Alice"),
        bob=factories.TrainerFactory(username="bob", first_name="Bob"),
        charlie=factories.TraineeFactory(username="charlie", first_name="Charlie"),
        dora=factories.TraineeFactory(username="dora", first_name="Dora"),
    )


@pytest.fixture
def alice(people: SimpleNamespace) -> Actor:
    """Alice, on the web pages."""
    return Actor(people.alice.pk, Channel.WEB)


@pytest.fixture
def bob(people: SimpleNamespace) -> Actor:
    """Bob the trainer, in the admin."""
    return Actor(people.bob.pk, Channel.ADMIN)


@pytest.fixture
def charlie(people: SimpleNamespace) -> Actor:
    """Charlie, whose job it is not."""
    return Actor(people.charlie.pk, Channel.WEB)


@pytest.fixture
def printer(db: None) -> Iterator[object]:
    """A machine with a plug that nobody has asked yet."""
    return factories.PrinterFactory()
