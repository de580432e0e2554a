"""People over the API: trainers look after trainees, nobody makes themselves more than they are."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import GuardKind, Role, Scope
from accounts.domain.roles import give_role
from accounts.models import LoginGuard, PersonalToken, User
from core.actor import Actor, Channel
from journal.models import Entry
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from tests import factories
from tests.api.asking import codes, is_problem
from tests.api.conftest import Client
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
GOOD = "correct horse battery"


@pytest.fixture
def as_root(noon, people):
    """An administrator."""
    root = factories.TrainerFactory(username="ada")
    give_role(root, Role.ADMINISTRATOR)
    return Client().sign_in(root)


def book(printer, owner, start):
    wish = Wish(printer.pk, owner.pk, start + HOUR, start)
    return booking.book(wish, actor=Actor(owner.pk, Channel.WEB), now=NOON)


# ------------------------------------------------------------------ who may at all


@pytest.mark.parametrize("who", ["anonymous", "as_alice", "as_bob"])
@pytest.mark.parametrize(
    ("method", "path", "trainer"),
    [
        ("get", "/api/users", 200),
        ("post", "/api/users", 201),
        ("get", "/api/users/{alice}", 200),
        ("get", "/api/users/{dora}", 200),
        ("patch", "/api/users/{dora}", 200),
        ("put", "/api/users/{dora}", 405),
        ("delete", "/api/users/{dora}", 405),
        ("delete", "/api/users", 405),
        ("post", "/api/users/{dora}/unlock", 204),
        ("post", "/api/users/{dora}/password-link", 201),
        ("get", "/api/users/999999", 404),
        ("patch", "/api/users/999999", 404),
        ("post", "/api/users/999999/unlock", 404),
    ],
)
def test_trainers_look_after_people_and_nobody_else_does(request, people, who, method, path, trainer):
    client = request.getfixturevalue(who)
    url = path.format(alice=people.alice.pk, dora=people.dora.pk)
    body = {"username": "eve"} if url == "/api/users" else {"first_name": "Dorothea"}
    answer = getattr(client, method)(url, body if method in {"post", "patch", "put"} else None)
    expected = {"anonymous": 401, "as_alice": 403, "as_bob": trainer}[who]
    assert answer.status_code == expected
    if expected >= 400:
        assert is_problem(answer, expected)
    if who != "as_bob":
        assert not User.objects.filter(username="eve").exists()
        people.dora.refresh_from_db()
        assert people.dora.first_name == "Dora"


def test_script_that_may_only_read_changes_nobody(bearer, people):
    reader = bearer(people.bob, Scope.READ)
    assert reader.get("/api/users").status_code == 200
    assert codes(reader.post("/api/users", {"username": "eve"})) == {"token_is_read_only"}
    assert codes(reader.patch(f"/api/users/{people.dora.pk}", {"is_active": False})) == {"token_is_read_only"}


def test_change_without_the_csrf_token_is_refused(as_bob, people):
    as_bob.forget_csrf()
    assert codes(as_bob.patch(f"/api/users/{people.dora.pk}", {"is_active": False})) == {"csrf_failed"}


# ------------------------------------------------------------------ add


def test_person_with_a_password_can_log_in_at_once(as_bob, anonymous):
    answer = as_bob.post(
        "/api/users",
        {"username": "eve", "first_name": "Eve", "last_name": "Ox", "email": "Eve@Ox.test", "password": GOOD},
    )
    assert answer.status_code == 201
    person = User.objects.get(username="eve")
    assert answer["Location"] == f"http://testserver/api/users/{person.pk}"
    expected = {
        "id": person.pk,
        "username": "eve",
        "email": "eve@ox.test",
        "role": "trainee",
        "is_active": True,
    }
    assert expected.items() <= answer.json().items()
    assert answer.json()["must_change_password"] is False
    assert not {"password", "is_staff", "is_superuser"} & set(answer.json())
    entered = anonymous.post("/auth/login", {"username": "eve", "password": GOOD})
    assert entered.status_code == 200
    assert Entry.objects.get(kind="user.added").channel == Channel.API


def test_program_says_that_a_password_is_a_first_one(as_bob):
    body = {"username": "eve", "password": GOOD, "must_change_password": True}
    assert as_bob.post("/api/users", body).json()["must_change_password"] is True


def test_person_without_a_password_cannot_log_in(as_bob, anonymous):
    assert as_bob.post("/api/users", {"username": "eve"}).status_code == 201
    assert not User.objects.get(username="eve").has_usable_password()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "eve", "email": "no address"}, "email"),
        ({"username": "eve", "password": "short"}, "password"),
        ({"username": "eve", "password": "12345678901"}, "password"),
        ({"username": "evergreen", "password": "evergreen1"}, "password"),
        ({"username": "eve", "role": "king"}, "role"),
        ({"username": "eve", "must_change_password": "perhaps"}, "must_change_password"),
    ],
)
def test_what_is_wrong_is_named_at_its_field(as_bob, body, field):
    answer = as_bob.post("/api/users", body)
    assert is_problem(answer, 400)
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert not User.objects.filter(username__startswith="eve").exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"username": "ALICE"}, "username_taken"),
        ({"username": "alice@workshop.test"}, "username_taken"),
        ({"username": "eve", "email": "ALICE@workshop.test"}, "email_taken"),
    ],
)
def test_names_and_addresses_are_nobody_elses(as_bob, people, body, code):
    answer = as_bob.post("/api/users", body)
    assert is_problem(answer, 409)
    assert codes(answer) == {code}


def test_repeat_with_the_same_key_adds_nobody_twice(as_bob):
    body, key = {"username": "eve", "password": GOOD}, {"HTTP_IDEMPOTENCY_KEY": "k1"}
    first, again = as_bob.post("/api/users", body, **key), as_bob.post("/api/users", body, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    assert as_bob.post("/api/users", {"username": "mallory"}, **key).status_code == 422
    assert User.objects.filter(username__in=["eve", "mallory"]).count() == 1


# ------------------------------------------------------------------ more than one is


FORBIDDEN = {
    "id": 4711,
    "is_staff": True,
    "is_superuser": True,
    "groups": [1, 2, 3],
    "user_permissions": [1],
    "digest": "x",
    "last_login": "2020-01-01T00:00:00Z",
    "date_joined": "2001-01-01T00:00:00Z",
}


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_fields_that_are_not_offered_change_nothing(as_bob, people, method, name):
    url = "/api/users" if method == "post" else f"/api/users/{people.dora.pk}"
    getattr(as_bob, method)(url, {"username": "eve", name: FORBIDDEN[name]})
    person = User.objects.get(username="eve")
    assert not person.is_staff and not person.is_superuser
    assert (person.role, person.user_permissions.count()) == (Role.TRAINEE, 0)
    assert person.pk != 4711
    assert person.last_login is None and person.date_joined.year > 2001


@pytest.mark.parametrize("role", ["trainer", "administrator"])
def test_trainers_give_no_roles(as_bob, people, role):
    for answer in (
        as_bob.post("/api/users", {"username": "eve", "role": role}),
        as_bob.patch(f"/api/users/{people.dora.pk}", {"role": role}),
        as_bob.patch(f"/api/users/{people.bob.pk}", {"role": "administrator"}),
    ):
        assert is_problem(answer, 403)
        assert codes(answer) == {"not_allowed"}
    assert not User.objects.filter(username="eve").exists()
    assert User.objects.get(pk=people.bob.pk).role is Role.TRAINER


@pytest.mark.parametrize("field", ["first_name", "email", "is_active", "password", "must_change_password"])
def test_trainers_do_not_touch_trainers_or_administrators(as_bob, as_root, people, field):
    values = {
        "first_name": "X",
        "email": "x@x.test",
        "is_active": False,
        "password": GOOD,
        "must_change_password": True,
    }
    carol = factories.TrainerFactory(username="carol")
    for person in (carol, User.objects.get(username="ada")):
        answer = as_bob.patch(f"/api/users/{person.pk}", {field: values[field]})
        assert is_problem(answer, 403)
        assert codes(answer) == {"not_allowed"}
    assert codes(as_bob.post(f"/api/users/{carol.pk}/password-link")) == {"not_allowed"}


def test_administrators_give_roles(as_root, people):
    answer = as_root.post("/api/users", {"username": "eve", "role": "trainer"})
    assert (answer.status_code, answer.json()["role"]) == (201, "trainer")
    assert as_root.patch(f"/api/users/{answer.json()['id']}", {"role": "trainee"}).json()["role"] == "trainee"
    ada = User.objects.get(username="ada")
    assert codes(as_root.patch(f"/api/users/{ada.pk}", {"role": "trainee"})) == {"last_administrator"}


# ------------------------------------------------------------------ change


def test_only_what_is_named_changes(as_bob, people):
    answer = as_bob.patch(f"/api/users/{people.dora.pk}", {"last_name": "Ox"})
    assert answer.status_code == 200
    assert (answer.json()["first_name"], answer.json()["last_name"]) == ("Dora", "Ox")


def test_form_without_a_box_for_it_switches_nobody_off(as_bob, people):
    """An unticked box of an HTML form is not sent; for REST framework that means no."""
    answer = as_bob.patch(f"/api/users/{people.dora.pk}", {"last_name": "Ox"}, format="multipart")
    assert answer.status_code == 200
    assert answer.json()["is_active"] is True


def test_former_version_is_not_changed(as_bob, people):
    url = f"/api/users/{people.dora.pk}"
    etag = as_bob.get(url)["ETag"]
    User.objects.filter(pk=people.dora.pk).update(last_login=NOON)  # the machine's own, no change
    assert as_bob.patch(url, {"last_name": "Ox"}, HTTP_IF_MATCH=etag).status_code == 200
    answer = as_bob.patch(url, {"is_active": False}, HTTP_IF_MATCH=etag)
    assert is_problem(answer, 412)
    assert is_problem(as_bob.post(f"{url}/unlock", HTTP_IF_MATCH=etag), 412)
    assert is_problem(as_bob.post(f"{url}/password-link", HTTP_IF_MATCH=etag), 412)
    assert User.objects.get(pk=people.dora.pk).is_active


def test_nothing_is_half_done(as_bob, people):
    """The third of three changes is refused: the first two are taken back."""
    answer = as_bob.patch(
        f"/api/users/{people.dora.pk}",
        {"password": GOOD, "first_name": "Dorothea", "email": "ALICE@workshop.test"},
    )
    assert codes(answer) == {"email_taken"}
    people.dora.refresh_from_db()
    assert people.dora.check_password("demo") and people.dora.first_name == "Dora"


def test_new_password_ends_sessions_and_is_a_first_one(as_bob, as_alice, people):
    answer = as_bob.patch(f"/api/users/{people.alice.pk}", {"password": GOOD})
    assert answer.json()["must_change_password"] is True
    assert as_alice.get("/api/me").status_code == 401
    people.alice.refresh_from_db()
    assert people.alice.check_password(GOOD)


def test_switched_off_means_out_at_once(as_bob, as_alice, bearer, people, printer):
    script = bearer(people.alice)
    calendar_key = PersonalToken.objects.get(user=people.alice)
    running, coming = book(printer, people.alice, NOON), book(printer, people.alice, NOON + 3 * HOUR)
    lifecycle.advance([printer.pk], actor=Actor(None, Channel.SCHEDULER), now=NOON)
    running.refresh_from_db()
    assert running.state == State.RUNNING
    answer = as_bob.patch(f"/api/users/{people.alice.pk}", {"is_active": False})
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    assert as_alice.get("/api/me").status_code == 401
    assert script.get("/api/me").status_code == 401
    assert not PersonalToken.objects.filter(pk=calendar_key.pk).exists()
    running.refresh_from_db(), coming.refresh_from_db()
    assert (running.state, coming.state) == (State.RUNNING, State.CANCELLED)
    assert (
        as_bob.patch(f"/api/users/{people.alice.pk}", {"is_active": False}).status_code == 200
    )  # is so already
    again = as_bob.patch(f"/api/users/{people.alice.pk}", {"is_active": True})
    assert again.json()["is_active"] is True
    assert as_alice.get("/api/me").status_code == 401
    coming.refresh_from_db()
    assert coming.state == State.CANCELLED


def test_pair_of_tokens_ends_with_the_account(as_bob, anonymous, people):
    pair = anonymous.post("/api/auth/token", {"username": "alice", "password": "demo"}).json()
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert anonymous.get("/api/me").status_code == 200
    as_bob.patch(f"/api/users/{people.alice.pk}", {"is_active": False})
    assert anonymous.get("/api/me").status_code == 401
    anonymous.credentials()
    assert anonymous.post("/api/auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 401


# ------------------------------------------------------------------ unlock, link


def test_locked_person_may_try_again_when_a_trainer_says_so(as_bob, anonymous, people):
    wrong = {"username": "alice", "password": "wrong"}
    for _try in range(5):
        answer = anonymous.post("/auth/login", wrong)
    assert answer.status_code == 429
    right = {"username": "alice", "password": "demo"}
    assert anonymous.post("/auth/login", right).status_code == 429
    assert as_bob.post(f"/api/users/{people.alice.pk}/unlock").status_code == 204
    assert anonymous.post("/auth/login", right).status_code == 200
    assert as_bob.post(f"/api/users/{people.alice.pk}/unlock").status_code == 204


def test_trainers_do_not_unlock_administrators(as_bob, as_root):
    ada = User.objects.get(username="ada")
    LoginGuard.objects.create(
        kind=GuardKind.USER, key="ada", failures=5, locked_until=NOON + HOUR, changed_at=NOON
    )
    assert codes(as_bob.post(f"/api/users/{ada.pk}/unlock")) == {"not_allowed"}
    assert as_root.post(f"/api/users/{ada.pk}/unlock").status_code == 204


def test_link_is_for_one_password_and_in_no_record(as_bob, people, client):
    answer = as_bob.post(f"/api/users/{people.dora.pk}/password-link")
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    link = answer.json()["link"]
    assert link.startswith("http://testserver/accounts/password/reset/key/")
    assert client.get(link, follow=True).status_code == 200
    key = link.rstrip("/").rpartition("-")[2]
    assert key not in str(list(Entry.objects.values()))
    as_bob.patch(f"/api/users/{people.dora.pk}", {"is_active": False})
    assert codes(as_bob.post(f"/api/users/{people.dora.pk}/password-link")) == {"is_inactive"}


# ------------------------------------------------------------------ lists


def names(answer):
    assert answer.status_code == 200, answer.json()
    return [row["username"] for row in answer.json()["results"]]


def test_filters_and_order(as_bob, as_root, people):
    User.objects.create_superuser("zeus", password="x")
    people.dora.is_active = False
    people.dora.save()
    User.objects.filter(pk=people.charlie.pk).update(last_name="O'Neill%", email="C@elsewhere.test")
    path = "/api/users?ordering=username"
    assert names(as_bob.get(path)) == ["ada", "alice", "bob", "charlie", "dora", "zeus"]
    assert names(as_bob.get(f"{path}&role=administrator")) == ["ada", "zeus"]
    assert names(as_bob.get(f"{path}&role=trainer")) == ["bob"]
    assert names(as_bob.get(f"{path}&role=trainee")) == ["alice", "charlie", "dora"]
    assert names(as_bob.get(f"{path}&is_active=false")) == ["dora"]
    assert names(as_bob.get(f"{path}&is_active=true&role=trainee")) == ["alice", "charlie"]
    for part in ("LIE O'NEI", "charl", "elsewhere", "%"):
        assert names(as_bob.get(path, {"q": part, "ordering": "username"})) == ["charlie"], part
    assert names(as_bob.get(f"{path}&q=nobody")) == []
    assert names(as_bob.get("/api/users?ordering=-username&limit=2")) == ["zeus", "dora"]
    rows = {row["username"]: row["role"] for row in as_bob.get(path).json()["results"]}
    assert (rows["zeus"], rows["ada"], rows["bob"], rows["dora"]) == (
        "administrator",
        "administrator",
        "trainer",
        "trainee",
    )


@pytest.mark.parametrize(
    "query", ["role=king", "ordering=password", "fields=password", "ordering=last_login", "cursor=x"]
)
def test_filter_that_is_none_is_400(as_bob, query):
    assert is_problem(as_bob.get(f"/api/users?{query}"), 400)


def test_list_asks_the_database_as_often_for_30_as_for_1(as_bob, people):
    counts = []
    for number in (1, 29):
        factories.TraineeFactory.create_batch(number)
        with CaptureQueriesContext(connection) as queries:
            assert as_bob.get("/api/users").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_list_that_has_not_changed_is_not_sent_again(as_bob):
    etag = as_bob.get("/api/users")["ETag"]
    assert as_bob.get("/api/users", HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert Session.objects.exists()
