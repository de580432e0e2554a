"""How many requests one address, one person and one token may send."""

import os
import subprocess
import sys

import pytest
import time_machine
from django.core.cache import cache

from tests.api.asking import Caller, bearing, by_token, codes, is_problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clean(now):
    cache.clear()
    with time_machine.travel(now, tick=False):
        yield
    cache.clear()


@pytest.fixture
def rates(settings):
    def lower(**rates):
        all_rates = {"address": "1000/min", "user": "1000/min", "token": "1000/min", **rates}
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": all_rates}

    return lower


def test_answer_says_what_is_left(people, rates):
    rates(address="100/min", user="20/min", token="10/min")
    caller = by_token(people.alice)
    caller.ask("/api/jobs")
    answer = caller.ask("/api/jobs")
    assert answer["RateLimit-Policy"] == '"address";q=100;w=60, "user";q=20;w=60, "token";q=10;w=60'
    assert answer["RateLimit"].startswith('"address";r=98;t=')
    assert (answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == ("10", "8")
    assert 0 < int(answer["RateLimit-Reset"]) <= 61


def test_token_that_asks_too_often_has_to_wait_and_others_need_not(people, rates):
    rates(token="2/min")
    first, second = by_token(people.alice, name="one"), by_token(people.alice, name="two")
    assert [first.ask("/api/jobs").status_code for _ in range(2)] == [200, 200]
    answer = first.ask("/api/jobs")
    assert is_problem(answer, 429)
    assert codes(answer) == {"throttled"}
    assert 0 < int(answer["Retry-After"]) <= 61
    assert answer["RateLimit-Remaining"] == "0"
    assert second.ask("/api/jobs").status_code == 200


def test_after_the_wait_it_goes_on(people, rates, now):
    rates(token="1/min")
    caller = by_token(people.alice)
    caller.ask("/api/jobs")
    wait = int(caller.ask("/api/jobs")["Retry-After"])
    with time_machine.travel(now.timestamp() + wait, tick=False):
        assert caller.ask("/api/jobs").status_code == 200


def test_person_is_counted_over_all_their_tokens_and_sessions(people, rates):
    rates(user="2/min")
    browser = Caller()
    browser.force_login(people.alice)
    by_token(people.alice, name="one").ask("/api/jobs")
    browser.ask("/api/jobs")
    assert is_problem(by_token(people.alice, name="two").ask("/api/jobs"), 429)
    assert by_token(people.charlie).ask("/api/jobs").status_code == 200


def test_address_that_guesses_tokens_is_stopped_before_any_is_looked_up(rates, django_assert_num_queries):
    rates(address="3/min")
    for number in range(3):
        assert bearing(f"myp_{number}").ask("/api/jobs").status_code == 401
    with django_assert_num_queries(0):
        assert is_problem(bearing("myp_4").ask("/api/jobs"), 429)


def test_address_is_counted_on_ways_in_and_on_what_is_not_there(rates):
    rates(address="2/min")
    caller = Caller()
    caller.tell("/auth/login", {})
    caller.ask("/api/nothing")
    assert is_problem(caller.tell("/api/auth/token", {}), 429)


def test_another_address_is_free(rates):
    rates(address="1/min")
    Caller().ask("/api/nothing")
    assert Caller().ask("/api/nothing").status_code == 429
    assert Caller(REMOTE_ADDR="10.0.0.9").ask("/api/nothing").status_code == 404


def test_forwarded_address_of_a_stranger_does_not_buy_a_new_budget(rates):
    rates(address="1/min")
    for number in range(2):
        answer = Caller().ask("/api/nothing", x_forwarded_for=f"10.0.0.{number}")
    assert answer.status_code == 429


def test_limits_may_stand_in_the_environment_file(tmp_path):
    file = tmp_path / "myp.env"
    file.write_text("MYP_SECRET_KEY=x\nMYP_FIELD_KEY=y\nMYP_API_RATE_TOKEN=7/hour\n")
    told = (
        "from django.conf import settings; print(settings.REST_FRAMEWORK['DEFAULT_THROTTLE_RATES']['token'])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYP_")}
    env = kept | {"MYP_ENV_FILE": str(file), "DJANGO_SETTINGS_MODULE": "myp_project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", told], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "7/hour"
