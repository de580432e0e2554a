"""Log-in through a real OpenID Connect provider, over HTTP, step by step as a browser does it."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session

from accounts.choices import Role, Scope
from accounts.domain.roles import give_role
from accounts.domain.tokens import issue
from accounts.models import PersonalToken, User
from core.actor import Actor, Channel
from journal.models import Entry
from tests import factories

pytestmark = [
    pytest.mark.processes,
    pytest.mark.sockets,
    pytest.mark.django_db(transaction=True),
]
FIELD = re.compile(r'<input[^>]*name="(?P<name>[^"]+)"[^>]*?(?:value="(?P<value>[^"]*)")?[^>]*>')


class Browser:
    """A person's browser: keeps cookies, follows redirects one by one, fills forms."""

    def __init__(self, base: str) -> None:
        self.base, self.session = base, requests.Session()
        self.session.headers["Accept-Language"] = "en"

    def close(self) -> None:
        self.session.close()

    def get(self, path: str, **options):
        return self.session.get(self.base + path, timeout=20, **options)

    def post(self, path: str, **data):
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get("/accounts/login/").text)
        csrf = token.group(1) if token else self.session.cookies.get("csrftoken")
        return self.session.post(
            self.base + path, data={"csrfmiddlewaretoken": csrf, **data}, timeout=20, allow_redirects=False
        )

    def leave(self, **data):
        """Press the button: the answer."""
        return self.post("/accounts/oidc/sso/login/", **data)

    def to_provider(self, **data) -> str:
        """Press the button: where the page in between leads."""
        answer = self.leave(**data)
        assert answer.status_code == 200, answer.text
        found = re.search(r'http-equiv="refresh"\s+content="0; url=([^"]+)"', answer.text)
        return html.unescape(found.group(1))

    def from_provider(self, where: str, subject: str) -> str:
        """Log in at the provider; the address it sends the browser back to."""
        page = self.session.get(where, timeout=20)
        action = re.search(r'<form[^>]*action="([^"]+)"', page.text).group(1)
        filled = {"prompt": "login", "login": subject, "password": "any"}
        answer = self.session.post(action, data=filled, timeout=20, allow_redirects=False)
        for _hop in range(5):
            where = answer.headers["Location"]
            if where.startswith(self.base):
                return where
            answer = self.session.get(where, timeout=20, allow_redirects=False)
        raise AssertionError(where)

    def log_in(self, subject: str, process: str = "login"):
        """The whole way; what our callback answers."""
        self.session.cookies.clear(
            domain="127.0.0.1"
        ) if "127.0.0.1" in self.session.cookies.list_domains() else None
        back = self.from_provider(self.to_provider(process=process), subject)
        return self.session.get(back, timeout=20, allow_redirects=False)

    def is_in(self) -> bool:
        return self.get("/jobs", allow_redirects=False).status_code == 200


@pytest.fixture
def browsers(live_server):
    opened = []

    def new() -> Browser:
        opened.append(Browser(live_server.url))
        return opened[-1]

    yield new
    for browser in opened:
        browser.close()


def test_a_trainee_and_a_trainer_come_through_the_provider(provider, browsers):
    provider.knows(
        "alice", given_name="Alice", family_name="Adler", email="Alice@School.Example", email_verified=True
    )
    provider.knows("bob", given_name="Bob", groups=["staff", "ausbilder"])
    for subject in ("alice", "bob"):
        browser = browsers()
        assert browser.log_in(subject).headers["Location"] == "/"
        assert browser.is_in()
    alice, bob = User.objects.get(username="alice"), User.objects.get(username="bob")
    assert (alice.get_full_name(), alice.email, alice.role) == (
        "Alice Adler",
        "alice@school.example",
        Role.TRAINEE,
    )
    assert not alice.has_usable_password()
    assert (bob.role, bob.is_staff, bob.email) == (Role.TRAINER, True, "")
    added = Entry.objects.get(kind="user.added", subject=f"user:{bob.pk}")
    assert added.data == {"role": "trainer", "through": "sso"}
    # Of the claims only a name is kept, and no token of the provider's.
    assert SocialAccount.objects.get(user=bob).extra_data == {"userinfo": {"username": "bob"}}


def test_the_second_log_in_finds_the_same_person(provider, browsers):
    provider.knows("alice")
    for _time in range(2):
        assert browsers().log_in("alice").status_code == 302
    assert User.objects.filter(username__startswith="alice").count() == 1


def test_the_role_follows_the_group_at_each_log_in(provider, browsers):
    roles = []
    for groups in (["ausbilder"], [], ["admins", "ausbilder"], ["admin"]):
        provider.knows("bob", groups=groups)
        browser = browsers()
        browser.log_in("bob")
        bob = User.objects.get(username="bob")
        roles.append((bob.role, bob.is_staff))
        assert browser.get("/admin/", allow_redirects=False).status_code == (200 if bob.is_staff else 302)
    assert roles == [
        (Role.TRAINER, True), (Role.TRAINEE, False), (Role.ADMINISTRATOR, True), (Role.TRAINEE, False),
    ]  # fmt: skip
    given = Entry.objects.filter(kind="user.role_given").order_by("id").values_list("data", flat=True)
    assert [(entry["from"], entry["to"]) for entry in given] == [
        ("trainer", "trainee"), ("trainee", "administrator"), ("administrator", "trainee"),
    ]  # fmt: skip


def test_a_role_in_a_nested_claim(provider, browsers, settings):
    settings.OIDC_ROLE_CLAIM = "realm_access.roles"
    provider.knows("bob", realm_access={"roles": ["ausbilder"]}, groups=[])
    browsers().log_in("bob")
    assert User.objects.get(username="bob").role is Role.TRAINER


def test_without_named_groups_the_roles_given_here_stay(provider, browsers, settings):
    settings.OIDC_TRAINERS = settings.OIDC_ADMINISTRATORS = []
    provider.knows("bob", groups=["ausbilder"])
    browsers().log_in("bob")
    bob = User.objects.get(username="bob")
    assert bob.role is Role.TRAINEE
    give_role(bob, Role.TRAINER)
    browsers().log_in("bob")
    assert User.objects.get(username="bob").role is Role.TRAINER


def test_an_unconfirmed_address_opens_nobodys_account(provider, browsers):
    alice = factories.TraineeFactory(username="alice", email="alice@school.example")
    for verified in (False, "true", "false", None):
        provider.knows("mallory", email="alice@school.example", email_verified=verified)
        browser = browsers()
        browser.log_in("mallory")
        assert browser.is_in()
    alice.refresh_from_db()
    assert alice.check_password("demo")
    mallory = User.objects.get(username="mallory")
    assert (mallory.email, mallory.pk == alice.pk) == ("", False)
    assert not SocialAccount.objects.filter(user=alice).exists()


def test_a_confirmed_address_takes_over_a_trainees_account_and_whoever_prepared_it_is_out(provider, browsers):
    alice = factories.TraineeFactory(username="alice.adler", email="Alice@School.example")
    issue(alice.pk, "script", Scope.WRITE, None, actor=Actor(alice.pk, Channel.WEB))
    intruder = browsers()
    assert intruder.post("/accounts/login/", login="alice.adler", password="demo").status_code == 302
    assert intruder.is_in()
    provider.knows("alice", email="alice@school.example", email_verified=True, groups=["ausbilder"])
    browser = browsers()
    browser.log_in("alice")
    assert browser.is_in()
    assert not intruder.is_in()
    assert not PersonalToken.objects.exists()
    alice = User.objects.get()
    assert (alice.username, alice.has_usable_password(), alice.role) == ("alice.adler", False, Role.TRAINER)
    assert Entry.objects.filter(kind="user.handed_over", subject=f"user:{alice.pk}").count() == 1


@pytest.mark.parametrize("kind", ["trainer", "administrator", "superuser", "factor", "connected", "twice"])
def test_who_has_more_to_lose_is_not_taken_over(provider, browsers, kind):
    person = factories.TraineeFactory(username="carla", email="carla@school.example")
    if kind in ("trainer", "administrator"):
        give_role(person, Role(kind))
    elif kind == "superuser":
        person.is_superuser = True
        person.save()
    elif kind == "factor":
        TOTP.activate(person, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    elif kind == "connected":
        SocialAccount.objects.create(user=person, provider="sso", uid="the former carla")
    else:
        factories.TraineeFactory(username="carla@school.example", email="")
    before = SocialAccount.objects.count()
    provider.knows("carla", email="carla@school.example", email_verified=True, groups=["admins"])
    browser = browsers()
    answer = browser.log_in("carla")
    assert answer.status_code == 403
    assert "not connected yet" in answer.text
    assert not browser.is_in()
    person = User.objects.get(username="carla")
    assert person.check_password("demo")
    assert SocialAccount.objects.count() == before


def test_who_is_logged_in_connects_their_own_account_after_the_password(provider, browsers):
    carla = factories.TrainerFactory(username="carla", email="carla@school.example")
    provider.knows("c4711", email="other@school.example", groups=["ausbilder"])
    browser = browsers()
    browser.post("/accounts/login/", login="carla", password="demo")
    answer = browser.log_in("c4711", process="connect")
    assert "reauthenticate" in answer.headers["Location"]
    assert not SocialAccount.objects.exists()
    page = browser.get(answer.headers["Location"])
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text).group(1)
    done = browser.session.post(page.url, data={"csrfmiddlewaretoken": csrf, "password": "demo"}, timeout=20)
    assert done.ok
    assert "c4711" in browser.get("/accounts/3rdparty/").text
    again = browsers()
    again.log_in("c4711")
    assert again.is_in()
    assert SocialAccount.objects.get().user_id == carla.pk
    assert User.objects.get(pk=carla.pk).check_password("demo")


def test_a_superuser_who_connected_keeps_every_right(provider, browsers):
    root = factories.TraineeFactory(username="root", is_superuser=True)
    SocialAccount.objects.create(user=root, provider="sso", uid="root")
    provider.knows("root", groups=["nobody"])
    browsers().log_in("root")
    root = User.objects.get()
    assert (root.is_superuser, root.role) == (True, Role.ADMINISTRATOR)
    assert not Entry.objects.filter(kind="user.role_given").exists()


@pytest.mark.parametrize("known", [True, False])
def test_switched_off_here_stays_out(provider, browsers, known):
    dora = factories.TraineeFactory(username="dora", email="dora@school.example", is_active=False)
    if known:
        SocialAccount.objects.create(user=dora, provider="sso", uid="dora")
    provider.knows("dora", email="dora@school.example", email_verified=True, groups=["admins"])
    browser = browsers()
    answer = browser.log_in("dora")
    assert answer.headers["Location"].endswith("/accounts/inactive/")
    assert not browser.is_in()
    dora = User.objects.get()
    assert (dora.is_active, dora.role) == (False, Role.TRAINEE)


def test_strangers_get_no_account_where_the_settings_say_so(provider, browsers, settings):
    settings.OIDC_SIGNUP = False
    provider.knows("stranger", email="stranger@school.example", email_verified=True)
    browser = browsers()
    answer = browser.log_in("stranger")
    assert "No sign-up" in answer.text
    assert not browser.is_in()
    assert not User.objects.exists()


def test_a_name_that_is_taken_gets_a_number_and_strange_names_are_cleaned(provider, browsers):
    factories.TraineeFactory(username="alice", email="bob@school.example")
    provider.knows("1", preferred_username="alice")
    provider.knows("2", preferred_username="bob@school.example")
    provider.knows("3", preferred_username="<b>Jürgen</b> {{7*7}}", given_name="x" * 500)
    provider.knows("4", preferred_username="")
    for subject in "1234":
        browsers().log_in(subject)
    names = dict(SocialAccount.objects.values_list("uid", "user__username"))
    assert names["1"] != "alice"
    assert names["1"].startswith("alice")
    assert names["2"] == "bob"
    assert re.fullmatch(r"[a-z0-9_.+-]+", names["3"])
    assert len(User.objects.get(username=names["3"]).first_name) == 150
    assert len(set(names.values())) == 4


def test_our_second_factor_is_asked_of_everybody(provider, browsers):
    provider.knows("alice")
    browsers().log_in("alice")
    TOTP.activate(User.objects.get(), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    browser = browsers()
    assert browser.log_in("alice").headers["Location"] == "/accounts/2fa/authenticate/"
    assert not browser.is_in()


def test_an_administrator_without_a_factor_may_set_one_up_though_there_is_no_password(
    provider, browsers, settings
):
    settings.TWO_FACTOR_ROLES = ["administrator"]
    provider.knows("carla", groups=["admins"])
    browser = browsers()
    browser.log_in("carla")
    assert browser.get("/admin/", allow_redirects=False).headers["Location"] == "/accounts/2fa/"
    assert browser.get("/accounts/2fa/totp/activate/", allow_redirects=False).status_code == 200


# ------------------------------------------------------------------ attacks and faults


def test_the_way_there_is_sealed_by_state_and_pkce(provider, browsers):
    query = parse_qs(urlsplit(browsers().to_provider()).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert len(query["state"][0]) >= 16


def test_a_state_that_is_forged_missing_strangers_or_used_opens_nothing(provider, browsers):
    provider.knows("alice")
    provider.knows("mallory")
    mallory = browsers()
    back = mallory.from_provider(mallory.to_provider(), "mallory")
    query = urlsplit(back).query
    code = parse_qs(query)["code"][0]
    victim = browsers()
    victim.to_provider()
    for attempt in (query, f"code={code}&state=forged", f"code={code}", "state=x", "error=access_denied"):
        answer = victim.get(f"/accounts/oidc/sso/login/callback/?{attempt}", allow_redirects=False)
        assert answer.status_code == 401, attempt
        assert not victim.is_in()
    # Mallory's own way still stands, once.
    assert mallory.session.get(back, timeout=20, allow_redirects=False).status_code == 302
    other = mallory.session.get(back, timeout=20, allow_redirects=False)
    assert other.status_code == 401
    assert User.objects.get().username == "mallory"


def test_a_code_that_the_provider_never_gave_opens_nothing(provider, browsers):
    browser = browsers()
    away = browser.to_provider()
    state = parse_qs(urlsplit(away).query)["state"][0]
    answer = browser.get(
        f"/accounts/oidc/sso/login/callback/?code=guessed&state={state}", allow_redirects=False
    )
    assert answer.status_code == 401
    assert "Single sign-on failed" in answer.text
    assert not User.objects.exists()


def test_a_wrong_secret_of_ours_is_a_page_and_a_line_in_the_log(provider, browsers, settings, caplog):
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["secret"] = "another"
    provider.knows("alice")
    browser = browsers()
    assert browser.log_in("alice").status_code == 401
    assert "invalid_client" in caplog.text
    assert "another" not in caplog.text


def test_the_log_in_starts_by_post_alone_and_leads_nowhere_else_afterwards(provider, browsers):
    provider.knows("alice")
    browser = browsers()
    assert browser.get("/accounts/oidc/sso/login/", allow_redirects=False).status_code == 200
    naked = browser.session.post(
        f"{browser.base}/accounts/oidc/sso/login/", timeout=20, allow_redirects=False
    )
    assert naked.status_code == 403
    back = browser.from_provider(browser.to_provider(next="https://evil.example/"), "alice")
    assert browser.session.get(back, timeout=20, allow_redirects=False).headers["Location"] == "/"


def test_a_new_session_begins_with_the_log_in(provider, browsers):
    provider.knows("alice")
    browser = browsers()
    browser.to_provider()
    before = browser.session.cookies.get("sessionid")
    assert before
    browser.log_in("alice")
    assert browser.session.cookies.get("sessionid") not in (None, before)
    assert not Session.objects.filter(pk=before).exists()


def test_a_provider_that_is_gone_is_a_page_that_says_so(provider, browsers):
    provider.knows("alice")
    on_the_way = browsers()
    back = on_the_way.from_provider(on_the_way.to_provider(), "alice")
    provider.stop()
    for answer in (browsers().leave(), on_the_way.session.get(back, timeout=20, allow_redirects=False)):
        assert answer.status_code == 503
        assert "Single sign-on is not available" in answer.text
        assert "Log in with your password" in answer.text
    factories.TraineeFactory(username="charlie")
    browser = browsers()
    browser.post("/accounts/login/", login="charlie", password="demo")
    assert browser.is_in()
