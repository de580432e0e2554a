"""What is believed of an identity provider's words. The whole way through a real one is in tests/oidc."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.test import RequestFactory
from django.urls import reverse

from accounts.choices import Role
from accounts.domain.identities import role_from
from accounts.identity import WorkshopAdapter
from accounts.models import User
from core.supervision.ports import free_ports
from tests import factories


@pytest.fixture
def request_(rf: RequestFactory):
    """A request inside the library's context, as its middleware sets it."""
    request = rf.get("/")
    request.session = SessionStore()
    request._messages = FallbackStorage(request)
    with context.request_context(request):
        yield request


@pytest.fixture(autouse=True)
def _named_groups(settings):
    settings.OIDC_ROLE_CLAIM = "groups"
    settings.OIDC_TRAINERS, settings.OIDC_ADMINISTRATORS = ["ausbilder"], ["admins"]


def arriving(*, userinfo=None, id_token=None, uid="u1") -> SocialLogin:
    """Somebody whom the provider has vouched for with these words."""
    said = {"userinfo": userinfo, "id_token": id_token}
    data = {name: {"sub": uid, **claims} for name, claims in said.items() if claims is not None}
    account = SocialAccount(provider="sso", uid=uid, extra_data=data)
    return SocialLogin(user=User(), account=account)


def role_of(request, **said) -> Role:
    login = arriving(**said)
    WorkshopAdapter().pre_social_login(request, login)
    return login.state["role"]


@pytest.mark.parametrize(("claim", "value", "role"), [
    ("groups", ["ausbilder"], Role.TRAINER),
    ("groups", "x ausbilder y", Role.TRAINER),
    ("groups", ["ausbilder", "admins"], Role.ADMINISTRATOR),
    ("groups", ["Ausbilder", "ausbilderinnen", "/ausbilder"], Role.TRAINEE),
    ("groups", ["x ausbilder y"], Role.TRAINEE),
    ("groups", [["ausbilder"], {"ausbilder": 1}, None, 5], Role.TRAINEE),
    ("groups", {"ausbilder": True}, Role.TRAINEE),
    ("groups", True, Role.TRAINEE),
    ("groups", None, Role.TRAINEE),
])  # fmt: skip
def test_what_the_claim_may_look_like(db, request_, claim, value, role):
    assert role_of(request_, userinfo={claim: value}) is role


@pytest.mark.parametrize(("path", "claims", "role"), [
    ("realm_access.roles", {"realm_access": {"roles": ["admins"]}}, Role.ADMINISTRATOR),
    ("realm_access.roles", {"realm_access": ["roles", "admins"]}, Role.TRAINEE),
    ("realm_access.roles", {"realm_access": "admins"}, Role.TRAINEE),
    ("realm_access.roles", {}, Role.TRAINEE),
    ("https://x.example/roles", {"https://x.example/roles": ["admins"]}, Role.ADMINISTRATOR),
])  # fmt: skip
def test_where_the_claim_may_lie(db, request_, settings, path, claims, role):
    settings.OIDC_ROLE_CLAIM = path
    assert role_of(request_, userinfo=claims) is role


def test_a_claim_of_the_token_counts_and_the_asked_answer_wins(db, request_):
    assert role_of(request_, userinfo={}, id_token={"groups": ["admins"]}) is Role.ADMINISTRATOR
    assert role_of(request_, id_token={"groups": ["admins"]}) is Role.ADMINISTRATOR
    assert role_of(request_, userinfo={"groups": []}, id_token={"groups": ["admins"]}) is Role.TRAINEE


def test_no_group_at_all_makes_no_trainer():
    assert role_from({""}, [], []) is Role.TRAINEE


def test_an_answer_for_somebody_else_is_not_believed(db, request_):
    login = arriving(userinfo={"sub": "u1"}, id_token={"sub": "u2"})
    with pytest.raises(PermissionDenied):
        WorkshopAdapter().pre_social_login(request_, login)


@pytest.mark.parametrize(("userinfo", "id_token", "address"), [
    ({"email": "A@x.example", "email_verified": True}, None, "a@x.example"),
    ({"email": "a@x.example", "email_verified": "true"}, None, ""),
    ({"email": "a@x.example", "email_verified": 1}, None, ""),
    ({"email": "a@x.example"}, {"email": "b@x.example", "email_verified": True}, ""),
    ({}, {"email": "b@x.example", "email_verified": True}, "b@x.example"),
    ({"email": "no address", "email_verified": True}, None, ""),
    ({"email": None, "email_verified": True}, None, ""),
])  # fmt: skip
def test_an_address_counts_when_the_same_document_confirms_it(db, request_, userinfo, id_token, address):
    login = arriving(userinfo=userinfo, id_token=id_token)
    WorkshopAdapter().pre_social_login(request_, login)
    assert login.user.email == address
    assert [(a.email, a.verified) for a in login.email_addresses] == ([(address, True)] if address else [])


def test_an_address_that_only_the_library_knows_is_somebodys_too(people, request_):
    EmailAddress.objects.create(user=people.bob, email="bob@elsewhere.example", verified=False)
    login = arriving(userinfo={"email": "bob@elsewhere.example", "email_verified": True})
    with pytest.raises(ImmediateHttpResponse) as caught:
        WorkshopAdapter().pre_social_login(request_, login)
    assert caught.value.response.status_code == 403


def test_two_first_log_ins_at_once_make_one_person(db, request_):
    """The other one was quicker between our look and our write."""
    login = arriving(userinfo={"preferred_username": "alice"})
    adapter = WorkshopAdapter()
    adapter.pre_social_login(request_, login)
    SocialAccount.objects.create(user=factories.TraineeFactory(), provider="sso", uid="u1")
    with pytest.raises(ImmediateHttpResponse) as caught:
        adapter.save_user(request_, login)
    assert caught.value.response["Location"] == reverse("account_login")
    assert User.objects.count() == 1


# ------------------------------------------------------------------ the log-in page


def test_without_a_provider_the_log_in_page_offers_none(client, db):
    assert "/oidc/" not in client.get(reverse("account_login")).content.decode()
    assert client.get("/accounts/oidc/sso/login/").status_code == 404
    assert client.get("/accounts/oidc/sso/login/callback/?code=1&state=1").status_code == 404


def test_with_a_provider_its_name_is_on_the_button(client, db, settings):
    settings.SOCIALACCOUNT_PROVIDERS = sso("https://login.example", name="School & friends")
    page = client.get(reverse("account_login")).content.decode()
    assert "School &amp; friends" in page
    assert 'action="/accounts/oidc/sso/login/"' in page


# ------------------------------------------------------------------ a provider that is broken


def sso(issuer: str, name: str = "SSO") -> dict[str, object]:
    app = {
        "provider_id": "sso",
        "name": name,
        "client_id": "c",
        "secret": "s",
        "settings": {"server_url": issuer},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_ports(1)[0]), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.sockets
@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (404, b"{}"), (200, b"<html>"), (200, b"")])
def test_a_provider_that_talks_nonsense_is_not_available(client, db, settings, status, body):
    with answering(status, body) as issuer:
        settings.SOCIALACCOUNT_PROVIDERS = sso(issuer)
        answer = client.post("/accounts/oidc/sso/login/")
    assert answer.status_code == 503
    assert "Location" not in answer


@pytest.mark.parametrize("issuer", ["http://login.example", "http://192.168.1.5:8080", "ftp://login.example"])
def test_a_provider_without_https_is_a_wrong_setting(client, db, settings, issuer):
    """Whoever sits on the line could say who is an administrator. No socket is even opened."""
    settings.SOCIALACCOUNT_PROVIDERS = sso(issuer)
    with pytest.raises(ImproperlyConfigured, match="over https"):
        client.post("/accounts/oidc/sso/login/")


def test_what_is_kept_of_the_claims(people, request_):
    account = SocialAccount.objects.create(user=people.alice, provider="sso", uid="u1")
    account.extra_data = {
        "userinfo": {"sub": "u1", "preferred_username": "al", "groups": ["x"], "phone": "1"}
    }
    WorkshopAdapter().pre_social_login(request_, SocialLogin(user=people.alice, account=account))
    account.refresh_from_db()
    assert json.loads(json.dumps(account.extra_data)) == {"userinfo": {"username": "al"}}
