"""Oneself over the API: what may be changed, with what, and what a key that was found cannot do."""

from datetime import timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import Scope
from accounts.models import PersonalToken, User
from api.models import GivenAnswer
from journal.models import Entry
from tests.api.asking import codes, is_problem
from tests.api.conftest import Client
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery"
NEW = {"name": "script", "scope": "write"}


@pytest.fixture
def signed_in(noon, people):
    """Makes a client of somebody who has just given name and password, as a program does it."""

    def make(name: str = "alice", password: str = "demo", agent: str = "curl/8") -> Client:
        client = Client()
        answer = client.post("/auth/login", {"username": name, "password": password}, HTTP_USER_AGENT=agent)
        assert answer.status_code == 200
        client.credentials(HTTP_X_CSRFTOKEN=answer.json()["csrf_token"])
        return client

    return make


@pytest.fixture
def alice(signed_in):
    """Alice, just signed in."""
    return signed_in()


@pytest.fixture
def by_jwt(noon, people):
    """A program with an access token of Alice's."""
    client = Client()
    pair = client.post("/api/auth/token", {"username": "alice", "password": "demo"}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


# ------------------------------------------------------------------ my record


def test_everybody_sees_their_own_record(alice, people):
    answer = alice.get("/api/me")
    assert answer.json()["id"] == people.alice.pk
    assert answer.json()["role"] == "trainee"
    assert alice.get("/api/me", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    assert set(alice.get("/api/me?fields=id,email").json()) == {"id", "email"}
    assert is_problem(Client().get("/api/me"), 401)


def test_address_is_ones_own_to_change(alice, people):
    answer = alice.patch("/api/me", {"email": "New@Alice.test"})
    assert (answer.status_code, answer.json()["email"]) == (200, "new@alice.test")
    assert codes(alice.patch("/api/me", {"email": "bob@workshop.test"})) == {"email_taken"}
    assert is_problem(alice.patch("/api/me", {"email": "nonsense"}), 400)


def test_name_is_the_workshops(alice, people):
    assert codes(alice.patch("/api/me", {"first_name": "Bob"})) == {"not_allowed"}
    people.alice.refresh_from_db()
    assert people.alice.first_name == "Alice"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "administrator"),
        ("is_staff", True),
        ("is_superuser", True),
        ("is_active", False),
        ("username", "bob2"),
        ("password", GOOD),
        ("must_change_password", True),
        ("groups", [1, 2, 3]),
        ("id", 4711),
        ("date_joined", "2001-01-01T00:00:00Z"),
    ],
)
def test_more_than_that_changes_nothing(alice, people, name, value):
    before = User.objects.values().get(pk=people.alice.pk)
    assert alice.patch("/api/me", {"email": "alice@workshop.test", name: value}).status_code == 200
    assert User.objects.values().get(pk=people.alice.pk) == before
    assert User.objects.get(pk=people.alice.pk).groups.get().name == "trainee"


def test_former_version_is_not_changed(alice):
    etag = alice.get("/api/me")["ETag"]
    assert alice.patch("/api/me", {"email": "a@alice.test"}, HTTP_IF_MATCH=etag).status_code == 200
    assert is_problem(alice.patch("/api/me", {"email": "b@alice.test"}, HTTP_IF_MATCH=etag), 412)


# ------------------------------------------------------------------ what a key cannot do


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "/api/me", {"email": "thief@elsewhere.test"}),
        ("post", "/api/me/password", {"old_password": "demo", "new_password": GOOD}),
        ("post", "/api/auth/tokens", NEW),
    ],
)
class TestWaysIn:
    def test_no_token_changes_them(self, bearer, by_jwt, people, method, path, body):
        for client in (bearer(people.alice), by_jwt):
            answer = getattr(client, method)(path, body)
            assert is_problem(answer, 403)
            assert codes(answer) == {"session_needed"}
        people.alice.refresh_from_db()
        assert people.alice.email == "alice@workshop.test"
        assert people.alice.check_password("demo")
        assert not PersonalToken.objects.filter(name="script").exists()

    def test_page_elsewhere_changes_them_not(self, alice, method, path, body):
        alice.forget_csrf()
        assert codes(getattr(alice, method)(path, body)) == {"csrf_failed"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("patch", "/api/me", {"email": "thief@elsewhere.test"}), ("post", "/api/auth/tokens", NEW)],
)
def test_session_left_open_is_not_enough(alice, people, noon, method, path, body):
    noon.shift(timedelta(minutes=6))
    answer = getattr(alice, method)(path, body)
    assert is_problem(answer, 403)
    assert codes(answer) == {"sign_in_again"}
    assert User.objects.get(pk=people.alice.pk).email == "alice@workshop.test"


# ------------------------------------------------------------------ password


def change(client, old="demo", new=GOOD):
    return client.post("/api/me/password", {"old_password": old, "new_password": new})


def test_new_password_ends_all_other_sessions_and_keeps_this_one(alice, signed_in, by_jwt, people):
    other = signed_in()
    assert change(alice).status_code == 204
    assert alice.get("/api/me").status_code == 200
    assert other.get("/api/me").status_code == 401
    assert by_jwt.get("/api/me").status_code == 401
    assert [row["current"] for row in alice.get("/api/auth/sessions").json()["results"]] == [True]
    signed_in(password=GOOD)
    assert Entry.objects.filter(kind="user.password_changed", actor=people.alice).exists()


def test_wrong_old_passwords_lock_the_account_as_at_the_log_in(alice, people):
    for _try in range(4):
        answer = change(alice, old="wrong")
        assert is_problem(answer, 400)
        assert answer.json()["errors"][0]["field"] == "old_password"
    answer = change(alice, old="wrong")
    assert is_problem(answer, 429)
    assert int(answer["Retry-After"]) == 300
    assert is_problem(change(alice), 429)  # the right one, too late
    assert Client().post("/auth/login", {"username": "alice", "password": "demo"}).status_code == 429
    people.alice.refresh_from_db()
    assert people.alice.check_password("demo")


def test_right_old_password_forgets_the_wrong_ones(alice):
    for _try in range(4):
        change(alice, old="wrong")
    assert change(alice).status_code == 204
    assert is_problem(change(alice, old="wrong"), 400)


@pytest.mark.parametrize("new", ["short", "12345678901", "password1", "", "alice@workshop"])
def test_weak_password_is_named_at_its_field(alice, people, new):
    answer = change(alice, new=new)
    assert is_problem(answer, 400)
    assert {error["field"] for error in answer.json()["errors"]} == {"new_password"}
    people.alice.refresh_from_db()
    assert people.alice.check_password("demo")


def test_first_password_can_be_changed_here_and_to_another_one_only(people, signed_in):
    people.alice.set_password(GOOD)
    people.alice.must_change_password = True
    people.alice.save()
    alice = signed_in(password=GOOD)
    assert codes(alice.get("/api/jobs")) == {"password_change_needed"}
    assert {e["code"] for e in change(alice, GOOD, GOOD).json()["errors"]} == {"password_same"}
    assert change(alice, GOOD, "another long one").status_code == 204
    assert alice.get("/api/jobs").status_code == 200


# ------------------------------------------------------------------ sessions


def test_sessions_are_listed_with_device_and_address(alice, signed_in, people):
    signed_in(agent="Firefox/140")
    signed_in("bob", agent="Bob's own")
    rows = alice.get("/api/auth/sessions").json()["results"]
    assert [(row["device"], row["address"], row["current"]) for row in rows] == [
        ("Firefox/140", "127.0.0.1", False),
        ("curl/8", "127.0.0.1", True),
    ]
    assert all(set(row) == {"id", "device", "address", "since", "current"} for row in rows)
    keys = list(UserSession.objects.values_list("session_key", flat=True))
    assert not [key for key in keys if key in str(rows)]


def test_one_of_them_can_be_ended(alice, signed_in):
    other = signed_in(agent="lost phone")
    [lost] = [row["id"] for row in alice.get("/api/auth/sessions").json()["results"] if not row["current"]]
    assert alice.delete(f"/api/auth/sessions/{lost}").status_code == 204
    assert other.get("/api/me").status_code == 401
    assert alice.get("/api/me").status_code == 200
    assert is_problem(alice.delete(f"/api/auth/sessions/{lost}"), 404)


def test_ending_the_present_one_signs_out(alice):
    [own] = [row["id"] for row in alice.get("/api/auth/sessions").json()["results"] if row["current"]]
    answer = alice.delete(f"/api/auth/sessions/{own}")
    assert answer.status_code == 204
    assert alice.get("/api/me").status_code == 401


def test_sessions_of_others_are_not_there(alice, signed_in):
    bob = signed_in("bob")
    row = UserSession.objects.get(user__username="bob")
    assert is_problem(alice.get(f"/api/auth/sessions/{row.pk}"), 404)
    assert is_problem(alice.delete(f"/api/auth/sessions/{row.pk}"), 404)
    assert bob.get("/api/me").status_code == 200


def test_all_others_can_be_ended(alice, signed_in, by_jwt):
    other = signed_in()
    answer = alice.post("/api/auth/sessions/end-others")
    assert (answer.status_code, answer.json()) == (200, {"ended": 2})
    assert alice.get("/api/me").status_code == 200
    assert other.get("/api/me").status_code == by_jwt.get("/api/me").status_code == 401


def test_program_with_tokens_knows_its_own_session(alice, by_jwt):
    [own] = [row for row in by_jwt.get("/api/auth/sessions").json()["results"] if row["current"]]
    assert by_jwt.post("/api/auth/sessions/end-others").json() == {"ended": 1}
    assert alice.get("/api/me").status_code == 401
    assert by_jwt.delete(f"/api/auth/sessions/{own['id']}").status_code == 204
    assert by_jwt.get("/api/me").status_code == 401


def test_script_can_sign_out_everywhere(alice, bearer, people):
    script = bearer(people.alice)
    assert not [r for r in script.get("/api/auth/sessions").json()["results"] if r["current"]]
    assert script.post("/api/auth/sessions/end-others").json() == {"ended": 1}
    assert alice.get("/api/me").status_code == 401
    assert script.get("/api/me").status_code == 200


# ------------------------------------------------------------------ tokens


def test_key_is_shown_once_and_opens(alice, people):
    answer = alice.post("/api/auth/tokens", NEW)
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    key, made = answer.json()["token"], answer.json()
    assert key.startswith("myp_")
    assert answer["Location"].endswith(f"/api/auth/tokens/{made['id']}")
    script = Client()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    assert script.get("/api/me").json()["username"] == "alice"
    for shown in (alice.get("/api/auth/tokens"), alice.get(answer["Location"]), alice.get("/api/journal")):
        assert shown.status_code == 200
        assert key not in shown.content.decode()
        assert PersonalToken.objects.get(name="script").digest not in shown.content.decode()


def test_token_reads_unless_said_otherwise_and_ends_when_said(alice):
    ends = NOON + timedelta(days=1)
    made = alice.post("/api/auth/tokens", {"name": "r", "expires_at": ends.isoformat()}).json()
    assert made["scope"] == Scope.READ
    script = Client()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {made['token']}")
    assert script.get("/api/me").status_code == 200
    assert codes(script.delete(f"/api/auth/tokens/{made['id']}")) == {"token_is_read_only"}
    with time_machine.travel(ends, tick=False):
        assert script.get("/api/me").status_code == 401


def test_lost_answer_comes_again_for_a_day_and_is_sealed_meanwhile(alice, signed_in, noon):
    key = {"HTTP_IDEMPOTENCY_KEY": "k1"}
    first, again = alice.post("/api/auth/tokens", NEW, **key), alice.post("/api/auth/tokens", NEW, **key)
    assert again.status_code == 201
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert PersonalToken.objects.filter(name="script").count() == 1
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT body FROM {GivenAnswer._meta.db_table}")
        [(kept,)] = cursor.fetchall()
    assert kept and first.json()["token"] not in kept and "script" not in kept
    assert alice.post("/api/auth/tokens", {"name": "other"}, **key).status_code == 422
    # Nobody else's key, nor a token of one's own, gets the answer.
    bob = signed_in("bob").post("/api/auth/tokens", NEW, **key)
    assert bob.json()["token"] != first.json()["token"]
    script = Client()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {first.json()['token']}")
    assert codes(script.post("/api/auth/tokens", NEW, **key)) == {"session_needed"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "name"),
        ({"name": " "}, 400, "name"),
        ({"name": "x" * 101}, 400, "name"),
        ({"name": "x", "scope": "admin"}, 400, "scope"),
        ({"name": "x", "expires_at": "soon"}, 400, "expires_at"),
        ({"name": "x", "expires_at": "2026-02-04T08:59:59Z"}, 409, "expires_at"),
        ({"name": "taken"}, 409, "name"),
    ],
)
def test_what_is_wrong_is_named_at_its_field(alice, body, status, field):
    alice.post("/api/auth/tokens", {"name": "taken"})
    answer = alice.post("/api/auth/tokens", body)
    assert is_problem(answer, status)
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert PersonalToken.objects.count() == 1


def test_twenty_are_enough(alice):
    for number in range(20):
        assert alice.post("/api/auth/tokens", {"name": f"t{number}"}).status_code == 201
    assert codes(alice.post("/api/auth/tokens", {"name": "one more"})) == {"too_many_tokens"}


@pytest.mark.parametrize("name", ["user", "digest", "hint", "id", "last_used_at", "created_at", "token"])
def test_fields_that_are_not_offered_change_nothing(alice, people, name):
    values = {"user": people.bob.pk, "id": 4711}
    alice.post("/api/auth/tokens", {"name": "x", name: values.get(name, "2001-01-01T00:00:00Z")})
    token = PersonalToken.objects.get()
    assert (token.user, token.created_at, token.last_used_at) == (people.alice, NOON, None)
    assert token.pk != 4711 and len(token.digest) == 64 and token.hint.startswith("myp_")


def test_token_that_was_deleted_opens_no_more(alice, bearer, people):
    script = bearer(people.alice)
    row = PersonalToken.objects.get()
    stale = alice.get(f"/api/auth/tokens/{row.pk}")["ETag"]
    PersonalToken.objects.update(name="renamed")
    assert is_problem(alice.delete(f"/api/auth/tokens/{row.pk}", HTTP_IF_MATCH=stale), 412)
    assert alice.delete(f"/api/auth/tokens/{row.pk}").status_code == 204
    assert script.get("/api/me").status_code == 401
    assert is_problem(alice.delete(f"/api/auth/tokens/{row.pk}"), 404)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_tokens_of_others_are_not_there(signed_in, bearer, people, who):
    script = bearer(people.charlie)
    row, client = PersonalToken.objects.get(), signed_in(who)
    assert is_problem(client.get(f"/api/auth/tokens/{row.pk}"), 404)
    assert is_problem(client.delete(f"/api/auth/tokens/{row.pk}"), 404)
    assert client.get("/api/auth/tokens").json()["results"] == []
    assert script.get("/api/me").status_code == 200


@pytest.mark.parametrize("path", ["/api/me", "/api/auth/tokens", "/api/auth/sessions"])
def test_queries_do_not_grow_with_rows(signed_in, people, path):
    client, counts = signed_in(), []
    for number in (1, 29):
        for n in range(number):
            name = f"{number}-{n}"
            PersonalToken.objects.create(user=people.alice, name=name, digest=name, created_at=NOON)
        if path.endswith("sessions"):
            signed_in()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/me"), ("delete", "/api/me"), ("put", "/api/me"), ("get", "/api/me/password"),
        ("put", "/api/auth/tokens/1"), ("patch", "/api/auth/tokens/1"), ("post", "/api/auth/sessions"),
        ("patch", "/api/auth/sessions/1"), ("get", "/api/auth/sessions/end-others"),
    ],
)  # fmt: skip
def test_other_methods_are_not_offered(alice, method, path):
    answer = getattr(alice, method)(path)
    assert answer.status_code in {404, 405}
    assert is_problem(answer, answer.status_code)
