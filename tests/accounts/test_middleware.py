"""Who has not settled something sees the page for it, and programs are told in their own way."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.domain import people as door
from accounts.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "/accounts/password/change/"
FIRST = "correct-horse-7"
OWN = "battery-staple-8"


@pytest.fixture
def newcomer(people, bob):
    """Alice with a first password from Bob, logged in."""
    door.set_password(people.alice.pk, FIRST, actor=bob)
    client = Client()
    assert client.post("/accounts/login/", {"login": "alice", "password": FIRST}).status_code == 302
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/jobs",
        "/me",
        "/me/tokens",
        "/me/sessions",
        "/accounts/password/set/",
        "/admin/",
        "/accounts/2fa/",
    ],
)
def test_every_page_leads_to_the_form(newcomer, path):
    for call in (newcomer.get, newcomer.post):
        answer = call(path)
        assert (answer.status_code, answer["Location"]) == (302, PASSWORD)


def test_the_form_says_why_and_the_ways_out_stay_open(newcomer):
    assert (
        "Somebody else has set your password"
        in newcomer.get(PASSWORD, headers={"Accept-Language": "en"}).content.decode()
    )
    assert newcomer.post("/language", {"language": "en", "next": PASSWORD}).status_code == 302
    assert newcomer.get("/healthz").status_code in {200, 503}
    assert newcomer.get("/accounts/logout/").status_code == 200
    assert newcomer.post("/accounts/logout/")["Location"] == "/accounts/login/"


def test_a_part_of_a_page_takes_the_whole_page_along(newcomer):
    answer = newcomer.get("/_machines", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, PASSWORD)


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/", "/api/me"])
def test_programs_get_a_problem(newcomer, path):
    answer = newcomer.get(path)

    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["errors"][0]["code"]) == (403, "password_change_needed")
    assert problem["errors"][0]["message"] == problem["detail"]


def test_ones_own_password_opens_everything(newcomer, people):
    form = {"oldpassword": FIRST, "password1": OWN, "password2": OWN}
    assert newcomer.post(PASSWORD, form).status_code == 302

    assert newcomer.get("/").status_code == 200
    alice = User.objects.get(pk=people.alice.pk)
    assert alice.check_password(OWN) and not alice.must_change_password


def test_the_first_password_cannot_be_chosen_again(newcomer, people):
    answer = newcomer.post(PASSWORD, {"oldpassword": FIRST, "password1": FIRST, "password2": FIRST})

    assert answer.status_code == 200
    assert User.objects.get(pk=people.alice.pk).must_change_password
    assert newcomer.get("/")["Location"] == PASSWORD


@pytest.mark.parametrize("path", ["/", "/jobs", "/healthz"])
def test_others_are_asked_nothing_more(people, client, path, settings):
    """The same page costs as many questions without us."""
    client.force_login(people.alice)
    client.get(path)
    with CaptureQueriesContext(connection) as with_us:
        client.get(path)
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "UnfinishedBusiness" not in name]
    without = Client()
    without.cookies = client.cookies
    with CaptureQueriesContext(connection) as bare:
        without.get(path)
    assert len(with_us) == len(bare)


def test_whose_role_needs_a_second_factor_sets_one_up_first(people, client, settings):
    settings.TWO_FACTOR_ROLES = ["trainer"]
    client.force_login(people.bob)

    assert client.get("/")["Location"] == "/accounts/2fa/"
    assert client.get("/api/jobs").json()["errors"][0]["code"] == "second_factor_missing"
    assert client.get("/accounts/2fa/").status_code == 200
    client.force_login(people.alice)
    assert client.get("/").status_code == 200
