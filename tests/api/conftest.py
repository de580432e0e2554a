"""Programs and browsers that ask the API: Alice books, Bob trains, Charlie is an outsider.

Each is a client of its own with a real session, so that CSRF is checked as it is outside. It sends the token by
itself; ``client.forget_csrf()`` stops that. ``bearer`` makes a client with a personal token in place of a session.
"""

import secrets
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import time_machine
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.choices import Scope
from accounts.domain import tokens
from accounts.models import User
from core import clock
from core.actor import Actor, Channel
from tests.conftest import NOON


class Client(APIClient):
    """Checks CSRF as the product does, and speaks English."""

    def __init__(self) -> None:
        super().__init__(enforce_csrf_checks=True, HTTP_ACCEPT_LANGUAGE="en")

    def sign_in(self, person: User) -> "Client":
        """A session, and the CSRF token that belongs to it."""
        self.force_login(person)
        token = secrets.token_hex(16)
        self.cookies["csrftoken"] = token
        self.credentials(HTTP_X_CSRFTOKEN=token)
        return self

    def forget_csrf(self) -> None:
        """From now on without the token."""
        self.credentials()


@pytest.fixture(autouse=True)
def _fresh_budgets() -> Iterator[None]:
    """The rate limits count in the cache, which outlives a test."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    """The clock stands still at noon of a Wednesday in winter; ``noon.move_to(…)`` turns it."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def as_alice(noon: object, people: SimpleNamespace) -> Client:
    """Alice, a trainee, in a browser."""
    return Client().sign_in(people.alice)


@pytest.fixture
def as_charlie(noon: object, people: SimpleNamespace) -> Client:
    """Charlie, another trainee, in a browser."""
    return Client().sign_in(people.charlie)


@pytest.fixture
def as_bob(noon: object, people: SimpleNamespace) -> Client:
    """Bob, a trainer, in a browser."""
    return Client().sign_in(people.bob)


@pytest.fixture
def anonymous(noon: object, db: None) -> Client:
    """Nobody."""
    return Client()


@pytest.fixture
def bearer(noon: object, db: None) -> Callable[..., Client]:
    """Makes a script with a personal token: ``bearer(person, scope)``."""

    def make(person: User, scope: Scope = Scope.WRITE) -> Client:
        actor = Actor(person.pk, Channel.API)
        name = secrets.token_hex(8)
        _token, key = tokens.issue(person.pk, name, scope, None, actor=actor, now=clock.now())
        client = Client()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return client

    return make
