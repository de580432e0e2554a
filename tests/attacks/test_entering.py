"""Getting in without being let in: guessing, asking who exists, planting a session, poisoning a link."""

import re
import statistics
import time
from urllib.parse import urlsplit

import pytest

from tests.attacks.conftest import PASSWORD, Target, Visitor

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

UNKNOWN = "nobody-of-that-name"
EVIL = "https://evil.example"
# How browsers can be led to another site by what looks like a path of ours.
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "///evil.example",
    "https:evil.example",
    "http:///evil.example",
    "\thttps://evil.example",
    " https://evil.example",
    "/\t/evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://127.0.0.1@evil.example/",
    "//evil.example\r\nX-Injected: 1",
    "/%0d%0aX-Injected:%201",
    "/\r\nX-Injected: 1",
]


def guess(visitor: Visitor, name: str, times: int) -> list[int]:
    return [visitor.log_in(name, f"wrong-{n}").status_code for n in range(times)]


class TestGuessing:
    def test_one_address_and_one_account(self, target: Target) -> None:
        thief = target.visitor()

        assert 429 not in guess(thief, "greta", 5)[:4]
        locked = thief.log_in("greta", PASSWORD)

        assert locked.status_code == 429, "the right password must not open what is locked"
        assert int(locked.headers["Retry-After"]) in range(1, 301)
        assert re.search(r"\b[45]\b", locked.text), "the page says for how long"

    def test_many_addresses_and_one_account(self, target: Target) -> None:
        for _n in range(5):
            target.visitor().log_in("hannes", "wrong")

        assert target.visitor().log_in("hannes", PASSWORD).status_code == 429
        # By the other name of the same account, and on the other ways in.
        mail = target.rows("SELECT email FROM accounts_user WHERE username = 'hannes'")[0][0]
        assert target.visitor().log_in(mail or "HANNES", PASSWORD).status_code == 429
        for path in ("/auth/login", "/api/auth/login", "/api/auth/token"):
            answer = target.visitor().post(path, json={"username": "hannes", "password": PASSWORD})
            assert answer.status_code == 429, path
            assert int(answer.headers["Retry-After"]) > 0

    def test_one_address_and_many_names(self, target: Target) -> None:
        thief = target.visitor()
        for name in ("admin", "root", "test", "trainer1", "student", "max"):
            thief.log_in(name, "summer2026")

        assert thief.log_in("clara", PASSWORD).status_code == 429, "whoever tries many names is locked"
        assert target.visitor().log_in("clara", PASSWORD).status_code == 302, "others are not"

    def test_an_invented_address_changes_nothing(self, target: Target) -> None:
        """What a client writes in front of the proxy's own entry is not read."""
        thief = target.visitor()
        for n in range(6):
            thief.headers["X-Forwarded-For"] = f"8.8.8.{n}, {thief.address}"
            thief.log_in(f"somebody-{n}", "wrong")
        thief.headers["X-Forwarded-For"] = f"9.9.9.9, {thief.address}"

        assert thief.log_in("clara", PASSWORD).status_code == 429

    def test_many_at_the_same_instant(self, target: Target) -> None:
        """Thirty at once on one account: no more than the limit are looked at."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        visitors = [target.visitor() for _n in range(30)]
        for visitor in visitors:
            visitor.token()
        with ThreadPoolExecutor(15) as pool:
            found = list(pool.map(lambda v: v.log_in("finn", "wrong").status_code, visitors))

        assert sum(status != 429 for status in found) <= 5
        assert target.visitor().log_in("finn", PASSWORD).status_code == 429


class TestAskingWhoExists:
    def test_by_text(self, target: Target) -> None:
        def said(name: str) -> tuple[int, str]:
            answer = target.visitor().log_in(name, "wrong")
            return answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)

        assert said("alice") == said(UNKNOWN)

    def test_by_text_of_the_api(self, target: Target) -> None:
        def said(name: str) -> tuple[int, str]:
            answer = target.visitor().post("/auth/login", json={"username": name, "password": "wrong"})
            return answer.status_code, answer.text

        assert said("alice") == said(UNKNOWN)

    def test_by_the_forgotten_password(self, target: Target) -> None:
        def said(mail: str) -> tuple[int, str]:
            answer = target.visitor().submit("/accounts/password/reset/", {"email": mail})
            assert "Location" in answer.headers, answer.text[:300]
            return answer.status_code, answer.headers["Location"]

        known = target.rows("SELECT email FROM accounts_user WHERE username = 'alice'")[0][0]
        assert said(known or "alice@example.org") == said("nobody@example.org")

    def test_by_the_locked_answer(self, target: Target) -> None:
        """An unknown name is locked just as a known one."""

        def said(name: str) -> tuple[int, str]:
            for _n in range(5):
                target.visitor().log_in(name, "wrong")
            answer = target.visitor().log_in(name, "wrong")
            return answer.status_code, re.sub(r'value="[^"]*"|\d+', "", answer.text)

        assert said("elif") == said("nobody-to-lock")

    def test_by_time(self, target: Target) -> None:
        """Known and unknown names in turn; bcrypt is paid for both."""
        unknown_here = f"{UNKNOWN}-by-time"  # the limits count names, too
        took: dict[str, list[float]] = {"ben": [], unknown_here: []}
        visitors = {name: target.visitor() for name in took}
        for n in range(4):  # one less than locks
            for name in sorted(took, reverse=bool(n % 2)):
                visitors[name].token()
                began = time.monotonic()
                answer = visitors[name].log_in(name, "wrong")
                took[name].append(time.monotonic() - began)
                assert answer.status_code != 429

        known, unknown = (statistics.median(took[name]) for name in ("ben", unknown_here))
        assert 0.5 < known / unknown < 2, took


class TestSessions:
    def test_a_planted_session_is_not_taken_over(self, target: Target) -> None:
        """Fixation: the thief knows the cookies of before the log-in; they are worth nothing after it."""
        victim, thief = target.visitor(), target.visitor()
        victim.take({"sessionid": "a" * 32})
        before = victim.token()
        planted = dict(victim.cookies)
        assert victim.log_in("alice", PASSWORD).status_code == 302

        after = victim.cookies.get("sessionid", domain="127.0.0.1") or ""
        assert after
        assert after not in {"a" * 32, planted.get("sessionid")}
        assert victim.token("/accounts/password/change/") != before
        thief.take(planted)
        assert thief.get("/").status_code == 302

    def test_the_session_ends_with_the_log_out(self, target: Target) -> None:
        person, thief = target.person("alice", anew=True), target.visitor()
        thief.take(dict(person.cookies))
        assert thief.get("/").status_code == 200
        person.submit("/accounts/logout/")

        assert thief.get("/").status_code == 302

    def test_cookies_are_not_for_scripts_nor_for_other_sites(self, target: Target) -> None:
        visitor = target.visitor()
        visitor.token()
        answer = visitor.log_in("alice", PASSWORD)
        cookies = answer.raw.headers.getlist("Set-Cookie")
        assert {cookie.partition("=")[0] for cookie in cookies} >= {"sessionid", "csrftoken"}
        for cookie in cookies:
            if cookie.startswith(("sessionid", "csrftoken")):
                assert "HttpOnly" in cookie
                assert "SameSite=Lax" in cookie

    def test_a_forged_session_cookie_is_nobodys(self, target: Target) -> None:
        for value in ("1", "../../../etc/passwd", "' OR 1=1 --", "a" * 5000, "{{7*7}}", "0" * 32):
            visitor = target.visitor()
            visitor.headers["Cookie"] = f"sessionid={value}"
            assert visitor.get("/").status_code == 302


class TestLeadingElsewhere:
    @pytest.mark.parametrize("there", ELSEWHERE)
    def test_after_the_log_in_and_the_choice_of_language(self, target: Target, there: str) -> None:
        visitor = target.visitor()
        answers = [visitor.submit("/language", {"language": "de", "next": there})]
        if there in ELSEWHERE[:6]:  # each costs a password's check
            answers.append(
                visitor.submit("/accounts/login/", {"login": "david", "password": PASSWORD, "next": there})
            )
            answers.append(visitor.submit("/accounts/logout/", {"next": there}))
        for answer in answers:
            self.stays(answer)

    def test_after_a_verb_or_a_job(self, target: Target) -> None:
        trainer = target.person("trainer")
        job = target.rows("SELECT id FROM reservations_job WHERE state = 'booked' ORDER BY id DESC")[0][0]
        for there in ELSEWHERE:
            self.stays(trainer.submit("/admin/plugs/smartplug/1/do/test/", {"next": there}))
            self.stays(trainer.submit(f"/jobs/{job}/start", {"next": there}))

    def test_a_redirect_of_the_log_in_page(self, target: Target) -> None:
        alice = target.person("alice")
        for there in ELSEWHERE:
            self.stays(alice.get("/accounts/login/", params={"next": there}))
            self.stays(alice.get("/admin/login/", params={"next": there}))

    def test_a_path_with_two_slashes(self, target: Target) -> None:
        for path in (
            "//evil.example/admin",
            "//evil.example/%2e%2e",
            "/%5cevil.example/admin/",
            "//evil.example",
        ):
            answer = target.visitor().get(target.url + path)
            self.stays(answer)

    def stays(self, answer: object) -> None:
        headers = answer.headers
        assert "X-Injected" not in headers
        location = headers.get("Location", "")
        parts = urlsplit(location.replace("\\", "/").strip())
        assert answer.status_code < 500
        assert parts.netloc in {"", answer.request.headers.get("Host", ""), urlsplit(answer.url).netloc}, (
            location
        )
        assert parts.scheme in {"", "http"}, location
        assert not location.replace("\\", "/").startswith("//"), location


class TestPoisonedLinks:
    def test_the_host_of_a_request_never_gets_into_a_mail(self, target: Target) -> None:
        mail = "poison@example.org"
        target.run(
            "from accounts.models import User\n"
            f"out = User.objects.filter(username='alice').update(email='{mail}')"
        )
        visitor = target.visitor()
        token = visitor.token("/accounts/password/reset/")
        body = {"csrfmiddlewaretoken": token, "email": mail}

        for headers in ({"Host": "evil.example"}, {"Host": f"127.0.0.1:{target.port}@evil.example"}):
            assert visitor.post("/accounts/password/reset/", data=body, headers=headers).status_code == 400
        for headers in (
            {"X-Forwarded-Host": "evil.example"},
            {"X-Host": "evil.example"},
            {"Forwarded": "host=evil.example"},
            {"X-Original-URL": EVIL},
        ):
            fresh = target.visitor()
            body = {"csrfmiddlewaretoken": fresh.token("/accounts/password/reset/"), "email": mail}
            assert fresh.post("/accounts/password/reset/", data=body, headers=headers).status_code in {
                302,
                429,
            }
        time.sleep(1)
        sent = "".join(target.mails.letters)
        assert f"127.0.0.1:{target.port}" in sent or not sent
        assert "evil.example" not in sent
