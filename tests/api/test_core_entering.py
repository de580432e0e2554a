"""Ways in and out: sessions, pairs of tokens, personal tokens."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser

from accounts.choices import Scope
from accounts.domain.tokens import issue
from api.authentication import BearerAuthentication
from core import clock
from core.actor import Actor, Channel
from tests.api.asking import PASSWORD, Caller, bearing, by_token, codes, is_problem, key_of

pytestmark = pytest.mark.django_db
LOGINS = ["/auth/login", "/auth/login/", "/api/auth/login"]
FOREIGN = [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}]


@pytest.fixture(autouse=True)
def clock_hand(now):
    with time_machine.travel(now, tick=False) as traveller:
        yield traveller


@pytest.fixture
def hers(people):
    return {"username": "alice", "password": PASSWORD}


def strict() -> Caller:
    """As a real browser: the CSRF token counts."""
    return Caller(enforce_csrf_checks=True)


class TestSession:
    @pytest.mark.parametrize("path", LOGINS)
    def test_log_in_by_json(self, people, hers, path):
        caller = strict()
        answer = caller.tell(path, hers)
        assert answer.status_code == 200
        assert set(answer.json()) == {"user", "csrf_token"}
        assert answer.json()["user"]["username"] == "alice"
        assert PASSWORD not in answer.content.decode()
        assert caller.ask("/api/jobs").status_code == 200

    def test_log_in_by_form_and_by_mail_address(self, people):
        answer = Browser().post("/auth/login", {"username": people.alice.email, "password": PASSWORD})
        assert (answer.status_code, answer.json()["user"]["id"]) == (200, people.alice.pk)

    def test_token_of_the_answer_is_good_for_changes(self, people, printer, hers):
        caller = strict()
        token = caller.tell("/auth/login", hers).json()["csrf_token"]
        body = {"printer": printer.pk, "minutes": 60}
        refused = caller.tell("/api/jobs", body)
        assert is_problem(refused, 403) and codes(refused) == {"csrf_failed"}
        assert caller.tell("/api/jobs", body, x_csrftoken=token).status_code == 201

    def test_session_says_who_one_is(self, people, hers):
        caller = strict()
        assert is_problem(caller.ask("/api/auth/session"), 401)
        caller.tell("/auth/login", hers)
        assert caller.ask("/api/auth/session").json()["user"]["role"] == "trainee"

    def test_session_key_is_new_after_the_log_in(self, people, hers):
        """What an attacker planted before is worth nothing afterwards."""
        caller = strict()
        caller.cookies["sessionid"] = "planted-by-somebody-else-0123456"
        caller.tell("/auth/login", hers)
        assert caller.cookies["sessionid"].value != "planted-by-somebody-else-0123456"
        other = Caller()
        other.cookies["sessionid"] = "planted-by-somebody-else-0123456"
        assert other.ask("/api/jobs").status_code == 401

    @pytest.mark.parametrize("path", ["/auth/login", "/api/auth/token"])
    def test_wrong_name_and_wrong_password_look_the_same(self, people, hers, path):
        wrong = Caller().tell(path, hers | {"password": "no"})
        unknown = Caller().tell(path, {"username": "nobody", "password": "no"})
        assert is_problem(wrong, 401) and is_problem(unknown, 401)
        assert wrong.json() == unknown.json()
        assert wrong["WWW-Authenticate"] == unknown["WWW-Authenticate"]

    def test_deactivated_person_looks_like_a_wrong_password(self, people, hers):
        people.alice.is_active = False
        people.alice.save()
        assert is_problem(Caller().tell("/auth/login", hers), 401)

    @pytest.mark.parametrize("path", ["/auth/login", "/api/auth/token"])
    @pytest.mark.parametrize("headers", FOREIGN)
    def test_page_of_another_site_signs_nobody_in(self, people, hers, path, headers):
        caller = strict()
        answer = caller.tell(path, hers, **headers)
        assert is_problem(answer, 403) and codes(answer) == {"foreign_origin"}
        assert "sessionid" not in caller.cookies

    def test_page_of_this_site_does(self, people, hers):
        answer = strict().tell("/auth/login", hers, origin="http://testserver", sec_fetch_site="same-origin")
        assert answer.status_code == 200

    @pytest.mark.parametrize("body", [{}, {"username": ["a"]}, {"username": "x" * 300, "password": "x"}])
    def test_log_in_that_is_no_log_in_is_400(self, body):
        assert is_problem(Caller().tell("/auth/login", body), 400)


class TestLogOut:
    @pytest.mark.parametrize("path", ["/auth/logout", "/api/auth/logout", "/auth/logout/"])
    def test_by_post(self, people, hers, path):
        caller = strict()
        token = caller.tell("/auth/login", hers).json()["csrf_token"]
        assert caller.tell(path, x_csrftoken=token).status_code == 204
        assert caller.ask("/api/jobs").status_code == 401

    def test_by_post_without_csrf_token_stays_in(self, people, hers):
        caller = strict()
        caller.tell("/auth/login", hers)
        assert is_problem(caller.tell("/auth/logout"), 403)
        assert caller.ask("/api/jobs").status_code == 200

    def test_by_get_goes_to_the_log_in_page(self, people, hers):
        caller = strict()
        caller.tell("/auth/login", hers)
        answer = caller.ask("/auth/logout", accept="text/html,*/*;q=0.8")
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
        assert caller.ask("/api/jobs").status_code == 401

    @pytest.mark.parametrize("headers", FOREIGN)
    def test_by_get_from_another_site_stays_in(self, people, hers, headers):
        caller = strict()
        caller.tell("/auth/login", hers)
        assert is_problem(caller.ask("/auth/logout", **headers), 403)
        assert caller.ask("/api/jobs").status_code == 200

    def test_of_nobody(self):
        assert strict().ask("/auth/logout").status_code == 204


class TestPairs:
    def test_access_token_works_and_needs_no_csrf_token(self, people, printer, hers):
        pair = strict().tell("/api/auth/token", hers).json()
        assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 300)
        caller = bearing(pair["access"])
        assert caller.tell("/api/jobs", {"printer": printer.pk, "minutes": 60}).status_code == 201

    def test_making_one_signs_no_browser_in(self, people, hers):
        caller = strict()
        caller.tell("/api/auth/token", hers)
        assert caller.ask("/api/jobs").status_code == 401

    def test_access_token_ends_after_five_minutes(self, people, hers, clock_hand):
        pair = strict().tell("/api/auth/token", hers).json()
        clock_hand.shift(timedelta(seconds=299))
        assert bearing(pair["access"]).ask("/api/jobs").status_code == 200
        clock_hand.shift(timedelta(seconds=2))
        assert is_problem(bearing(pair["access"]).ask("/api/jobs"), 401)

    def test_refresh_token_is_good_once(self, people, hers):
        pair = strict().tell("/api/auth/token", hers).json()
        second = strict().tell("/api/auth/token/refresh", {"refresh": pair["refresh"]})
        assert second.status_code == 200
        assert bearing(second.json()["access"]).ask("/api/jobs").status_code == 200
        assert is_problem(strict().tell("/api/auth/token/refresh", {"refresh": pair["refresh"]}), 401)

    def test_refresh_token_ends_after_a_day(self, people, hers, clock_hand):
        pair = strict().tell("/api/auth/token", hers).json()
        clock_hand.shift(timedelta(hours=24, seconds=1))
        assert is_problem(strict().tell("/api/auth/token/refresh", {"refresh": pair["refresh"]}), 401)

    @pytest.mark.parametrize("swap", [("access", "refresh"), ("refresh", "access")])
    def test_one_kind_is_not_the_other(self, people, hers, swap):
        pair = strict().tell("/api/auth/token", hers).json()
        assert is_problem(bearing(pair["refresh"]).ask("/api/jobs"), 401)
        assert is_problem(strict().tell("/api/auth/token/refresh", {"refresh": pair["access"]}), 401)

    def test_log_out_ends_both(self, people, hers):
        pair = strict().tell("/api/auth/token", hers).json()
        caller = bearing(pair["access"])
        assert caller.tell("/api/auth/logout").status_code == 204
        assert is_problem(caller.ask("/api/jobs"), 401)
        assert is_problem(strict().tell("/api/auth/token/refresh", {"refresh": pair["refresh"]}), 401)

    def test_log_out_of_one_leaves_the_others(self, people, hers):
        first, second = (strict().tell("/api/auth/token", hers).json() for _ in range(2))
        bearing(first["access"]).tell("/api/auth/logout")
        assert bearing(second["access"]).ask("/api/jobs").status_code == 200

    def test_deactivated_person_is_out_at_once(self, people, hers):
        pair = strict().tell("/api/auth/token", hers).json()
        people.alice.is_active = False
        people.alice.save()
        assert is_problem(bearing(pair["access"]).ask("/api/jobs"), 401)
        assert is_problem(strict().tell("/api/auth/token/refresh", {"refresh": pair["refresh"]}), 401)

    def test_forged_token_opens_nothing(self, people, hers):
        head, body, _signature = strict().tell("/api/auth/token", hers).json()["access"].split(".")
        for forged in (f"{head}.{body}.", f"{head}.{body}.AAAA", f"eyJhbGciOiJub25lIn0.{body}."):
            assert is_problem(bearing(forged).ask("/api/jobs"), 401)


class TestPersonalTokens:
    def test_reader_reads_and_changes_nothing(self, people, printer):
        caller = by_token(people.alice, Scope.READ)
        assert caller.ask("/api/jobs").status_code == 200
        answer = caller.tell("/api/jobs", {"printer": printer.pk, "minutes": 60})
        assert is_problem(answer, 403) and codes(answer) == {"token_is_read_only"}

    def test_writer_writes_without_a_csrf_token(self, people, printer):
        caller = Caller(enforce_csrf_checks=True, headers={"authorization": f"Bearer {key_of(people.alice)}"})
        assert caller.tell("/api/jobs", {"printer": printer.pk, "minutes": 60}).status_code == 201

    def test_expired_token_opens_nothing(self, people, now, clock_hand):
        actor = Actor(people.alice.pk, Channel.WEB)
        _token, plain = issue(
            people.alice.pk, "t", Scope.READ, now + timedelta(hours=1), actor=actor, now=clock.now()
        )
        clock_hand.move_to(now + timedelta(minutes=59))
        assert bearing(plain).ask("/api/jobs").status_code == 200
        clock_hand.move_to(now + timedelta(hours=1))
        assert is_problem(bearing(plain).ask("/api/jobs"), 401)

    def test_token_of_a_deactivated_person_opens_nothing(self, people):
        caller = by_token(people.alice)
        people.alice.is_active = False
        people.alice.save()
        assert is_problem(caller.ask("/api/jobs"), 401)

    def test_token_that_is_wrong_is_not_passed_over_for_the_session(self, people):
        """Whoever shows a token means it; the cookie is not looked at then."""
        caller = Caller()
        caller.force_login(people.alice)
        assert caller.ask("/api/jobs").status_code == 200
        assert is_problem(caller.ask("/api/jobs", authorization="Bearer myp_wrong"), 401)

    def test_other_schemes_are_not_ours(self, people):
        assert is_problem(Caller().ask("/api/jobs", authorization="Basic YTpi"), 401)
        assert BearerAuthentication().authenticate_header(None).startswith("Bearer")

    def test_first_password_has_to_be_changed_first(self, people, hers):
        people.alice.must_change_password = True
        people.alice.save()
        caller = strict()
        caller.tell("/auth/login", hers)
        answer = caller.ask("/api/jobs")
        assert is_problem(answer, 403) and codes(answer) == {"password_change_needed"}


class TestUnfinished:
    """Whoever has something to settle first is told so, whatever they show."""

    def test_first_password_stops_tokens_of_every_kind(self, people, hers):
        pair = strict().tell("/api/auth/token", hers).json()
        _token, key = issue(
            people.alice.pk, "script", Scope.WRITE, None, actor=Actor(people.alice.pk, Channel.WEB)
        )
        people.alice.must_change_password = True
        people.alice.save()
        for bearer in (pair["access"], key):
            answer = bearing(bearer).ask("/api/jobs")
            assert is_problem(answer, 403)
            assert codes(answer) == {"password_change_needed"}
        assert bearing(pair["access"]).ask("/api/auth/session").status_code == 200

    def test_role_without_its_second_factor_stops_tokens(self, people, settings):
        settings.TWO_FACTOR_ROLES = ["trainer"]
        _token, key = issue(
            people.bob.pk, "script", Scope.READ, None, actor=Actor(people.bob.pk, Channel.WEB)
        )
        assert codes(bearing(key).ask("/api/printers")) == {"second_factor_missing"}
        settings.TWO_FACTOR_ROLES = ["administrator"]
        assert bearing(key).ask("/api/jobs").status_code == 200
