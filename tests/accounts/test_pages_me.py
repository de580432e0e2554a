"""One's own pages: address, sessions, tokens. What is somebody else's does not exist here."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.choices import Scope
from accounts.domain import tokens
from accounts.models import PersonalToken, User
from accounts.periodic import forget_sessions
from accounts.views.sessions import device_words
from core import clock
from core.actor import Actor, Channel
from journal.models import Entry

pytestmark = pytest.mark.django_db
AGAIN = "/accounts/reauthenticate/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"


def enter(name="alice", **more):
    client = Client(**more)
    assert client.post("/accounts/login/", {"login": name, "password": "demo"}).status_code == 302
    return client


def confirm(client, password="demo"):
    return client.post(AGAIN, {"password": password})


@pytest.mark.parametrize("path", ["/me", "/me/tokens", "/me/sessions"])
@pytest.mark.parametrize(("language", "word"), [("de", "Abmelden"), ("en", "Log out")])
def test_pages_are_for_oneself_and_kept_by_nobody(people, path, language, word):
    assert Client().get(path)["Location"].startswith("/accounts/login/")
    page = enter().get(path, headers={"Accept-Language": language})
    assert page.status_code == 200 and word in page.content.decode()
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("path", ["/me/sessions/end", "/me/sessions/1/end", "/me/tokens/1/delete"])
def test_what_ends_something_is_a_post(people, path):
    assert enter().get(path).status_code == 405
    assert Client(enforce_csrf_checks=True).post(path).status_code in {302, 403}


@pytest.mark.parametrize(
    "path", ["/me", "/me/tokens", "/me/sessions/end", "/me/sessions/1/end", "/me/tokens/1/delete"]
)
def test_a_foreign_page_can_post_nothing(people, path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.alice)
    assert client.post(path, {"email": "evil@workshop.test"}).status_code == 403


class TestAddress:
    def test_needs_the_password_again(self, people):
        client = enter()
        answer = client.post("/me", {"email": "new@workshop.test"})

        assert answer["Location"].startswith(AGAIN)
        assert User.objects.get(pk=people.alice.pk).email == "alice@workshop.test"
        assert confirm(client, "wrong").status_code == 200
        assert User.objects.get(pk=people.alice.pk).email == "alice@workshop.test"

    def test_is_saved_once_it_is_given(self, people):
        client = enter()
        answer = client.post("/me", {"email": "New@workshop.test"})
        client.post(answer["Location"], {"password": "demo"})

        assert User.objects.get(pk=people.alice.pk).email == "new@workshop.test"
        assert Entry.objects.get(kind="user.changed").data == {"fields": ["email"]}

    def test_of_somebody_else_is_refused(self, people):
        client = enter()
        confirm(client)
        page = client.post("/me", {"email": "BOB@workshop.test"}, headers={"Accept-Language": "en"})

        assert "Somebody else has this address" in page.content.decode()
        assert User.objects.get(pk=people.alice.pk).email == "alice@workshop.test"

    def test_nothing_else_can_be_sent_along(self, people):
        client = enter()
        confirm(client)
        more = {
            "username": "boss",
            "first_name": "Boss",
            "role": "administrator",
            "is_superuser": "on",
            "is_staff": "on",
        }
        client.post("/me", {"email": "", **more})

        alice = User.objects.get(pk=people.alice.pk)
        assert (alice.email, alice.username, alice.first_name) == ("", "alice", "Alice")
        assert not (alice.is_superuser or alice.is_staff)


class TestTokens:
    def test_a_new_one_is_shown_once(self, people):
        client = enter()
        confirm(client)
        page = client.post("/me/tokens", {"name": "calendar", "scope": "read", "lifetime": "30"})

        plain = page.context["plain"]
        assert page.content.decode().count(plain) == 1
        assert plain not in client.get("/me/tokens").content.decode()
        token = tokens.find(plain, clock.now())
        assert token.user == people.alice
        assert abs(token.expires_at - clock.now() - timedelta(days=30)) < timedelta(minutes=5)

    def test_a_session_that_lies_open_makes_none(self, people):
        answer = enter().post("/me/tokens", {"name": "evil", "scope": "write", "lifetime": ""})

        assert answer["Location"].startswith(AGAIN)
        assert not PersonalToken.objects.exists()

    def test_refusals_stand_at_their_field(self, people):
        client = enter()
        confirm(client)
        for _time in range(2):
            page = client.post("/me/tokens", {"name": "twice", "scope": "write", "lifetime": ""})

        assert page.context["form"].errors.as_data()["name"][0].code == "name_taken"
        assert PersonalToken.objects.get().expires_at is None

    def test_are_deleted_by_their_owner(self, people):
        alice = Actor(people.alice.pk, Channel.WEB)
        token, _plain = tokens.issue(people.alice.pk, "old", Scope.READ, None, actor=alice)

        assert enter("charlie").post(f"/me/tokens/{token.pk}/delete").status_code == 404
        assert PersonalToken.objects.exists()
        assert enter().post(f"/me/tokens/{token.pk}/delete").status_code == 302
        assert not PersonalToken.objects.exists()

    def test_the_list_costs_the_same_with_many(self, people, django_assert_num_queries):
        alice = Actor(people.alice.pk, Channel.WEB)
        client = enter()
        client.get("/me/tokens")
        with django_assert_num_queries(6):
            client.get("/me/tokens")
        for number in range(15):
            tokens.issue(people.alice.pk, f"<b>{number}", Scope.READ, None, actor=alice)
        with django_assert_num_queries(6):
            page = client.get("/me/tokens").content.decode()
        assert "<b>1" not in page and "&lt;b&gt;1" in page


class TestSessions:
    def test_are_listed_with_device_and_address(self, people):
        enter(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="192.0.2.7")
        page = enter().get("/me/sessions", headers={"Accept-Language": "en"})

        lines = page.context["lines"]
        assert {(line.device, line.address) for line in lines} >= {("Firefox, Windows", "192.0.2.7")}
        assert [line.is_this for line in lines].count(True) == 1
        assert "this one" in page.content.decode()

    def test_one_is_ended_and_the_others_live(self, people):
        phone, desk = enter(headers={"User-Agent": FIREFOX}), enter()
        theirs = UserSession.objects.get(user_agent=FIREFOX)

        assert enter("charlie").post(f"/me/sessions/{theirs.pk}/end").status_code == 404
        assert phone.get("/").status_code == 200
        assert desk.post(f"/me/sessions/{theirs.pk}/end").status_code == 302

        assert phone.get("/").status_code == 302
        assert desk.get("/").status_code == 200

    def test_everywhere_else_means_everywhere(self, people):
        others = [enter() for _number in range(3)]
        hidden = Client()
        hidden.force_login(people.alice)
        charlie, here = enter("charlie"), enter()

        here.post("/me/sessions/end")

        assert [client.get("/").status_code for client in (*others, hidden)] == [302] * 4
        assert [client.get("/").status_code for client in (here, charlie)] == [200, 200]
        assert Entry.objects.get(kind="user.sessions_ended").data == {"count": 4}

    def test_a_new_password_ends_the_others(self, people):
        other, here = enter(), enter()
        form = {"oldpassword": "demo", "password1": "battery-staple-8", "password2": "battery-staple-8"}
        assert here.post("/accounts/password/change/", form).status_code == 302

        assert (other.get("/").status_code, here.get("/").status_code) == (302, 200)
        assert Session.objects.count() == 1
        assert len(here.get("/me/sessions").context["lines"]) == 1
        assert Entry.objects.filter(kind="user.password_changed", actor=people.alice).exists()

    def test_the_key_changes_at_the_log_in(self, people):
        """What somebody planted before is worth nothing afterwards."""
        client = Client()
        client.post("/accounts/login/", {"login": "alice", "password": "wrong"})
        session = client.session
        session["planted"] = "yes"
        session.save()
        planted = session.session_key
        client.cookies["sessionid"] = planted
        client.post("/accounts/login/", {"login": "alice", "password": "demo"})

        assert client.cookies["sessionid"].value != planted
        thief = Client()
        thief.cookies["sessionid"] = planted
        assert thief.get("/").status_code == 302

    def test_end_after_half_an_hour_without_a_click(self, people):
        start = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
        with time_machine.travel(start, tick=False) as time:
            client = enter()
            time.shift(timedelta(minutes=29))
            assert client.get("/").status_code == 200
            time.shift(timedelta(minutes=29))
            assert client.get("/").status_code == 200
            time.shift(timedelta(minutes=31))
            assert client.get("/").status_code == 302

    def test_rows_of_ended_ones_are_swept_up(self, people):
        start = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
        with time_machine.travel(start, tick=False) as time:
            enter()
            time.shift(timedelta(minutes=31))
            here = enter("bob")
            forget_sessions(clock.now())

            assert here.get("/").status_code == 200
            assert [row.user for row in UserSession.objects.all()] == [people.bob]
            assert Session.objects.count() == 1

    def test_a_page_that_asks_by_itself_keeps_nobody_in(self, people):
        start = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
        with time_machine.travel(start, tick=False) as time:
            client = enter()
            for _minute in range(29):
                time.shift(timedelta(minutes=1))
                assert client.get("/_machines", headers={"HX-Request": "true"}).status_code == 200
            time.shift(timedelta(minutes=2))
            assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox, Windows"),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Safari/537.36 Edg/126.0", "Edge, Windows"),
        ("curl/8.5", "curl/8.5"),
        ("x" * 200, "x" * 60),
    ],
)
def test_devices_in_words(agent, words):
    assert device_words(agent) == words


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/accounts/email/", "/me"),
        ("/accounts/sessions/", "/me/sessions"),
        ("/admin/password_change/", "/accounts/password/change/"),
    ],
)
def test_pages_of_libraries_lead_to_ours(people, path, to):
    assert enter().get(path)["Location"] == to
