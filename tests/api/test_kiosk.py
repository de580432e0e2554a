"""The display over the API."""

import pytest

from accounts.choices import Scope
from journal.models import Entry
from kiosk.models import Display
from tests.api.asking import codes, is_problem

pytestmark = pytest.mark.django_db
STATUS, ON, OFF = (f"/api/kiosk/{name}" for name in ("status", "activate", "deactivate"))


def test_everybody_signed_in_sees_the_state(as_alice, anonymous):
    untouched = {"active": True, "changed_at": None, "changed_by": None, "page": "/kiosk"}
    assert as_alice.get(STATUS).json() == untouched
    assert is_problem(anonymous.get(STATUS), 401)
    assert as_alice.get("/kiosk").status_code == 200


def test_trainer_switches_it_off_and_on(as_bob, as_alice, people):
    off = {
        "active": False,
        "changed_at": "2026-02-04T10:00:00+01:00",
        "changed_by": people.bob.pk,
        "page": "/kiosk",
    }
    assert as_bob.post(OFF).json() == as_bob.post(OFF).json() == as_alice.get(STATUS).json() == off
    assert as_bob.post(ON).json() == off | {"active": True}
    kinds = Entry.objects.order_by("pk").values_list("kind", "channel")
    assert list(kinds) == [("display.deactivated", "api"), ("display.activated", "api")]


@pytest.mark.parametrize("path", [ON, OFF])
def test_nobody_else_does(as_alice, as_bob, anonymous, bearer, people, path):
    assert is_problem(anonymous.post(path), 401)
    assert is_problem(as_alice.post(path), 403)
    assert codes(bearer(people.bob, Scope.READ).post(path)) == {"token_is_read_only"}
    assert is_problem(as_bob.get(path), 405)
    as_bob.forget_csrf()
    assert codes(as_bob.post(path)) == {"csrf_failed"}
    assert not Display.objects.exists()
