"""The lock-out on every way in: what is asked, what is answered, and what is written down."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from rest_framework.request import Request

from accounts import lockout
from accounts.domain import guarding
from accounts.domain.entering import client_address, enter, note_miss
from accounts.domain.guarding import LockedOut
from accounts.models import LoginGuard, User
from accounts.periodic import forget_attempts
from core.actor import Actor, Channel
from core.errors import Refused
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
DESK, LAPTOP = "10.0.0.5", "10.0.0.6"
RIGHT, WRONG = "demo", "guess"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
API = ["/auth/login", "/api/auth/token"]
ODD = {
    "NUL": "al\0ice",
    "long": "x" * 254,
    "endless": "x" * 60_000,
    "wide": "😀" * 100,
    "SQL": "a' OR 1=1 --",
}
WAYS = ["/accounts/login/", *API]


@pytest.fixture(autouse=True)
def hand() -> Iterator[Any]:
    """The clock stands at noon; ``hand.move_to`` turns it."""
    cache.clear()
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


class Counting(MD5PasswordHasher):
    """Tells how many passwords were looked at, or pretended to be."""

    looked_at = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).looked_at += 1
        return super().encode(password, salt)


@pytest.fixture
def looks(settings: Any, people: SimpleNamespace) -> Any:
    """How many times a password was looked at since the last question."""
    settings.PASSWORD_HASHERS = ["tests.accounts.test_lockout_ways_in.Counting"]

    def since() -> int:
        Counting.looked_at, count = 0, Counting.looked_at
        return count

    since()
    return since


def ask(way: str, name: str, password: str, address: str = DESK, **headers: str) -> HttpResponse:
    """One log-in by somebody whom no cookie knows."""
    client = Client(REMOTE_ADDR=address, headers={"Accept-Language": "en", **headers})
    if way.startswith("/accounts"):
        return client.post(way, {"login": name, "password": password})
    return client.post(
        way, json.dumps({"username": name, "password": password}), content_type="application/json"
    )


def is_let_in(answer: HttpResponse) -> bool:
    return answer.status_code in (200, 302) and (answer.status_code == 302 or b"alert" not in answer.content)


def lock(name: str = "alice", way: str = "/accounts/login/", address: str = DESK) -> HttpResponse:
    answers = [ask(way, name, WRONG, address) for _number in range(5)]
    assert all(answer.status_code != 429 for answer in answers[:4])
    return answers[4]


@pytest.mark.parametrize("way", WAYS)
class TestEveryWay:
    def test_the_fifth_failure_locks_and_the_right_password_is_refused_too(self, people, way):
        assert lock(way=way).status_code == 429
        for other in WAYS:
            for name in ("alice", "ALICE@workshop.test"):
                assert ask(other, name, RIGHT, LAPTOP).status_code == 429

    def test_the_length_grows(self, people, hand, way):
        at = NOON
        for length in (5, 15, 60, 60):
            assert lock(way=way)["Retry-After"] == str(length * 60)
            at += timedelta(minutes=length)
            hand.move_to(at - timedelta(seconds=2))
            assert ask(way, "alice", RIGHT).status_code == 429
            at += timedelta(seconds=1)
            hand.move_to(at)

    def test_a_second_after_the_end_the_right_password_opens(self, people, hand, way):
        lock(way=way)
        hand.move_to(NOON + timedelta(seconds=301))
        assert is_let_in(ask(way, "alice", RIGHT))
        assert not LoginGuard.objects.filter(kind="user").exists()

    def test_others_at_the_same_terminal_come_in(self, people, way):
        lock(way=way)
        assert is_let_in(ask(way, "charlie", RIGHT))

    def test_five_names_lock_the_address(self, people, way):
        for name in ("bob", "charlie", "dora", "nobody", "root"):
            answer = ask(way, name, WRONG)
        assert answer.status_code == 429
        assert ask(way, "alice", RIGHT).status_code == 429
        assert is_let_in(ask(way, "alice", RIGHT, LAPTOP))

    def test_many_addresses_lock_the_account(self, people, way):
        for number in range(5):
            ask(way, "alice", WRONG, f"10.9.0.{number}")
        assert ask(way, "alice", RIGHT, LAPTOP).status_code == 429

    def test_a_success_forgives(self, people, way):
        for _round in range(3):
            for _number in range(4):
                ask(way, "alice", WRONG)
            assert is_let_in(ask(way, "alice", RIGHT))

    def test_known_and_unknown_names_are_answered_alike(self, people, way):
        def told(name: str, address: str) -> list[tuple[int, Any, str]]:
            answers = [ask(way, name, WRONG, address) for _number in range(6)]
            return [
                (a.status_code, a.get("Retry-After"), a.content.decode().replace(name, "")) for a in answers
            ]

        known, unknown = told("alice", DESK), told("nobody", LAPTOP)
        assert [(status, wait) for status, wait, _said in known] == [
            (status, wait) for status, wait, _said in unknown
        ]
        token = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
        assert [token.sub("", said) for *_answer, said in known] == [
            token.sub("", said) for *_answer, said in unknown
        ]

    def test_every_name_costs_one_look_and_a_locked_one_none(self, people, looks, way):
        """Time tells nothing: by name, by address, nobody, switched off, without a password; the same work."""
        User.objects.filter(username="charlie").update(is_active=False)
        User.objects.filter(username="dora").update(password="!")
        names = ["alice", "ALICE", "alice@workshop.test", "nobody", "nobody@workshop.test", "charlie", "dora"]
        for number, name in enumerate(names):
            ask(way, name, WRONG, f"10.9.1.{number}")
            assert looks() == 1, name
        lock(way=way, name="bob")
        looks()
        ask(way, "bob", RIGHT)
        assert looks() == 0

    @pytest.mark.parametrize("name", ODD.values(), ids=ODD)
    def test_odd_names_are_no_fault(self, people, way, name):
        for _number in range(6):
            assert ask(way, name, WRONG).status_code in (200, 400, 401, 429)

    def test_nothing_secret_is_written_down(self, people, way):
        ask(way, "alice", "Pa55-by-alice")
        ask(way, "Pa55-in-the-wrong-field", "Pa55-by-nobody")
        written = [
            str(row) for model in (AccessFailureLog, AccessLog, LoginGuard) for row in model.objects.values()
        ]
        assert written
        assert "Pa55" not in "".join(written)
        assert not AccessAttempt.objects.exists()


class TestAnswers:
    def test_the_page_says_how_long_and_how_on(self, people):
        lock()
        answer = ask("/accounts/login/", "alice", RIGHT)
        page = answer.content.decode()
        assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (
            429,
            "300",
            "no-store",
        )
        assert "5 minutes" in page
        assert "/accounts/login/" in page
        assert "alice" not in page

    def test_attempts_during_a_lock_leave_nothing_behind(self, people, hand):
        """Neither a second limit of the library's, nor a different answer once that is reached."""
        lock()
        assert {ask("/accounts/login/", "alice", WRONG).status_code for _number in range(80)} == {429}
        hand.move_to(NOON + timedelta(seconds=301))
        assert is_let_in(ask("/accounts/login/", "alice", RIGHT))

    def test_after_a_trainer_has_lifted_it_twice_the_right_password_opens(self, people):
        for _number in range(3):
            lock()
            guard = LoginGuard.objects.get(kind="user")
            guarding.lift(guard.pk, actor=Actor(people.bob.pk, Channel.ADMIN), now=NOON)
        assert is_let_in(ask("/accounts/login/", "alice", RIGHT))

    @pytest.mark.parametrize("path", API)
    def test_programs_get_a_problem(self, people, path):
        lock(way=path)
        answer = ask(path, "alice", RIGHT)
        problem = answer.json()
        assert answer["Content-Type"].startswith("application/problem+json")
        assert answer["Retry-After"] == "300"
        assert (problem["status"], problem["title"], problem["type"]) == (
            429,
            "Too Many Requests",
            "urn:myp:refused",
        )
        message = "Too many failed log-ins. Try again in 5 minutes."
        assert problem["detail"] == message
        assert problem["errors"] == [
            {"code": "locked_out", "field": "", "message": message, "overridable": False}
        ]

    @pytest.mark.parametrize(("path", "kind"), [("/api/x", "application/problem+json"), ("/x", "text/html")])
    def test_axes_may_ask_for_an_answer_in_every_way(self, rf: RequestFactory, path, kind):
        """Under ASGI it hands over the credentials in the place of the view's answer."""
        for arguments in ((), ({"username": "alice"},), (HttpResponse(), None)):
            request = rf.post(path)
            request.user = AnonymousUser()
            answer = lockout.answer(request, *arguments)
            assert (answer.status_code, answer["Retry-After"]) == (429, "300")
            assert answer["Content-Type"].startswith(kind)

    def test_the_admin_leads_to_the_one_log_in(self, people):
        answer = Client().post("/admin/login/", {"username": "bob", "password": RIGHT})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")

    def test_asking_again_who_one_is_counts_too(self, people, client):
        """Whoever finds a session open does not get to guess its password."""
        client.force_login(people.alice)
        said = [client.post("/accounts/reauthenticate/", {"password": WRONG}).status_code for _n in range(5)]
        assert said == [200] * 4 + [429]
        assert client.post("/accounts/reauthenticate/", {"password": RIGHT}).status_code == 429

    def test_a_wrapped_request_is_locked_underneath(self, people):
        """REST framework hands us its own request; the middleware looks at Django's."""
        inner = RequestFactory(REMOTE_ADDR=DESK).post("/api/x")
        for _number in range(5):
            assert authenticate(Request(inner), username="alice", password=WRONG) is None
        assert inner.axes_locked_out is True
        assert inner.lock_out.retry_after == 300


class TestAddresses:
    @pytest.fixture
    def proxied(self, settings):
        settings.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.1"]

    def test_a_stranger_invents_addresses_in_vain(self, people):
        for number in range(5):
            ask("/accounts/login/", f"name{number}", WRONG, **{"X-Forwarded-For": f"8.8.8.{number}"})
        assert LoginGuard.objects.get(kind="address").key == DESK
        answer = ask("/accounts/login/", "alice", RIGHT, **{"X-Forwarded-For": "9.9.9.9"})
        assert answer.status_code == 429

    def test_behind_a_proxy_the_last_address_that_is_not_ours_counts(self, people, proxied):
        for number in range(5):
            hops = f"8.8.8.{number}, 192.168.1.7, 10.0.0.1"
            ask("/accounts/login/", f"name{number}", WRONG, "127.0.0.1", **{"X-Forwarded-For": hops})
        assert LoginGuard.objects.get(kind="address").key == "192.168.1.7"

        def comes_in(hops: str) -> bool:
            return is_let_in(
                ask("/accounts/login/", "alice", RIGHT, "127.0.0.1", **{"X-Forwarded-For": hops})
            )

        assert not comes_in("9.9.9.9, 192.168.1.7, 10.0.0.1")
        assert comes_in("192.168.1.7, 192.168.1.8, 10.0.0.1")

    @pytest.mark.parametrize(
        ("peer", "found"),
        [("10.0.0.5", "10.0.0.5"), ("fe80::1%eth0", "fe80::1"), ("", ""), ("unix:", ""), (None, "")],
    )
    def test_what_is_no_address_is_none(self, peer, found):
        request = HttpRequest()
        request.META["REMOTE_ADDR"] = peer
        assert client_address(request) == found

    @pytest.mark.parametrize(("peer", "kept"), [("", None), ("fe80::1%eth0", "fe80::1")])
    def test_an_odd_peer_is_written_down_all_the_same(self, people, peer, kept):
        ask("/auth/login", "alice", WRONG, peer)
        user_logged_in.send(User, request=RequestFactory(REMOTE_ADDR=peer).get("/"), user=people.alice)
        assert AccessFailureLog.objects.get().ip_address == kept
        assert AccessLog.objects.get().ip_address == kept


class TestSecondFactor:
    @pytest.fixture
    def secret(self, people) -> str:
        TOTP.activate(people.alice, SECRET)
        return SECRET

    @staticmethod
    def code(steps: int = 0) -> str:
        return format_hotp_value(hotp_value(SECRET, int(NOON.timestamp()) // 30 + steps))

    @staticmethod
    def request() -> HttpRequest:
        return RequestFactory(REMOTE_ADDR=DESK).post("/api/auth/token")

    def come(self, password: str = RIGHT, code: str = "") -> str:
        """The code of the refusal, or the name of who is in."""
        try:
            return enter(self.request(), username="alice", password=password, code=code).username
        except Refused as no:
            return no.codes[0]

    def test_who_has_none_needs_none(self, people):
        assert self.come() == "alice"
        assert self.come(code="000000") == "alice"

    def test_a_right_code_opens_once(self, people, secret):
        assert self.come() == "second_factor_needed"
        assert self.come(code=self.code()) == "alice"
        assert self.come(code=self.code()) == "wrong_code"
        assert self.come(code=self.code(1)) == "alice"

    def test_a_recovery_code_opens_once(self, people, secret):
        code = RecoveryCodes.activate(people.alice).get_unused_codes()[0]
        assert [self.come(code=code), self.come(code=code)] == ["alice", "wrong_code"]

    def test_wrong_codes_lock_like_wrong_passwords_and_add_up_with_them(self, people, secret):
        said = [self.come(WRONG), self.come(code="000000"), self.come(WRONG), self.come(code="000000")]
        assert said == ["wrong_credentials", "wrong_code"] * 2
        assert self.come(code="000000") == "locked_out"
        assert self.come(code=self.code()) == "locked_out"
        assert AccessFailureLog.objects.filter(username="alice").count() == 5

    def test_the_password_alone_forgives_nothing(self, people, secret):
        for _number in range(4):
            assert self.come(code="000000") == "wrong_code"
            assert self.come() == "second_factor_needed"
        assert self.come(code="000000") == "locked_out"

    def test_the_code_is_asked_for_only_after_the_right_password(self, people, secret):
        assert self.come(WRONG) == "wrong_credentials"
        assert self.come(WRONG, self.code()) == "wrong_credentials"
        assert self.come(code=self.code()) == "alice"

    def test_a_key_alone_does_not_open_by_code(self, people):
        Authenticator.objects.create(user=people.alice, type=Authenticator.Type.WEBAUTHN, data={})
        assert [self.come(), self.come(code="123456")] == ["second_factor_needed", "wrong_code"]

    def test_a_complete_log_in_starts_afresh_also_on_the_pages(self, people, secret):
        for _number in range(3):
            ask("/accounts/login/", "alice", WRONG)
        client = Client(REMOTE_ADDR=DESK)
        client.post("/accounts/login/", {"login": "alice", "password": RIGHT})
        assert LoginGuard.objects.get(kind="user").failures == 3
        assert client.post("/accounts/2fa/authenticate/", {"code": self.code()}).status_code == 302
        assert not LoginGuard.objects.filter(kind="user").exists()

    def test_on_the_pages_a_locked_account_takes_no_code(self, people, secret):
        client = Client(REMOTE_ADDR=DESK)
        client.post("/accounts/login/", {"login": "alice", "password": RIGHT})
        lock()
        answer = client.post("/accounts/2fa/authenticate/", {"code": self.code()})
        assert (answer.status_code, answer["Retry-After"]) == (429, "300")
        assert "_auth_user_id" not in client.session


class TestOtherSecrets:
    def test_a_miss_counts_is_written_down_and_locks(self, people):
        for number in range(5):
            request = RequestFactory(REMOTE_ADDR=DESK).get("/api/calendar.ics")
            guarding.demand_open("alice", DESK, NOON)
            if number < 4:
                note_miss(request, "alice")
                continue
            with pytest.raises(LockedOut) as no:
                note_miss(request, "alice")
        assert no.value.retry_after == 300
        assert request.axes_locked_out is False  # the view answers, not the middleware
        assert list(AccessFailureLog.objects.values_list("username", "locked_out").order_by("pk")) == [
            ("alice", False)
        ] * 4 + [("alice", True)]


class TestLog:
    def test_failures_and_successes_are_kept_for_a_season(self, people, hand):
        ask("/accounts/login/", "nobody", WRONG)
        lock()
        ask("/accounts/login/", "charlie", RIGHT)
        failures = AccessFailureLog.objects.order_by("pk")
        assert [row.locked_out for row in failures] == [False] * 5 + [True]
        assert failures[0].username.startswith("?")
        assert (failures[5].username, failures[5].ip_address, failures[5].path_info) == (
            "alice",
            DESK,
            "/accounts/login/",
        )
        assert AccessLog.objects.get().username == "charlie"
        forget_attempts(NOON + timedelta(days=89))
        assert (AccessFailureLog.objects.count(), AccessLog.objects.count()) == (6, 1)
        forget_attempts(NOON + timedelta(days=90, seconds=1))
        assert (AccessFailureLog.objects.count(), AccessLog.objects.count()) == (0, 0)

    def test_what_comes_during_a_lock_does_not_fill_the_log(self, people):
        lock()
        for _number in range(10):
            ask("/accounts/login/", "alice", WRONG)
        assert AccessFailureLog.objects.count() == 5
