"""The second factor: sealed at rest, good for once, asked of everybody it is asked of, and taken off when lost."""

import base64
import json
import re
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import get_resolver, reverse
from django.urls.exceptions import NoReverseMatch

from accounts.admin.factors import REMOVE_FACTORS
from accounts.choices import Role
from accounts.domain.factors import remove_factors, use_code
from accounts.domain.roles import give_role
from accounts.second_factor import is_missing
from core.actor import Actor, Channel
from core.errors import Refused
from journal.models import Entry
from tests import factories
from tests.conftest import NOON

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PAGES = ["mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn"]


@pytest.fixture(autouse=True)
def _no_memory_of_others():
    """The library counts failures in the cache."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def frozen():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def code_at(secret: str, at, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(at.timestamp()) // 30 + steps))


def wrong_code(secret: str, at) -> str:
    right = {code_at(secret, at, steps) for steps in (-1, 0, 1)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


def with_password(person, client: Client | None = None) -> Client:
    client = client or Client()
    answer = client.post(reverse("account_login"), {"login": person.username, "password": "demo"})
    assert answer.status_code == 302, answer.content
    return client


def confirm(client: Client) -> None:
    """Show once more who one is, by password."""
    assert client.post(reverse("account_reauthenticate"), {"password": "demo"}).status_code == 302


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def send_code(client: Client, code: str):
    return client.post(reverse("mfa_authenticate"), {"code": code})


def set_up_app(person) -> str:
    """An app for the person, the quick way; the pages are tested apart."""
    TOTP.activate(person, SECRET)
    return SECRET


def set_up_by_pages(client: Client, at) -> str:
    confirm(client)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    secret = re.search(r'id="secret"[^>]*value="([A-Z2-7]{32})"', page).group(1)
    assert 'src="data:image/svg+xml;base64,' in page
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_at(secret, at)})
    assert answer.status_code == 302, answer.content
    return secret


# ------------------------------------------------------------------ at rest


def test_nothing_in_the_database_opens_the_second_factor(people, frozen, django_capture_on_commit_callbacks):
    client = with_password(people.alice)
    with django_capture_on_commit_callbacks(execute=True):
        secret = set_up_by_pages(client, NOON)
    codes = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    assert len(codes) == 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        stored = " ".join(str(row[0]) for row in cursor.fetchall())
        cursor.execute("SELECT data FROM journal_entry")
        stored += " ".join(str(row[0]) for row in cursor.fetchall())
    stored += " ".join(json.dumps(row.get_decoded()) for row in Session.objects.all())
    assert stored.count("gAAAA") == 2  # the app's secret and the codes' seed, both sealed
    for hidden in (secret, *codes):
        assert hidden not in stored
    kinds = list(Entry.objects.filter(kind__startswith="user.factor").values_list("data", flat=True))
    assert {"factor": "totp"} in kinds


def test_a_wrong_key_is_said_and_never_taken_for_a_wrong_code(people, settings):
    set_up_app(people.alice)
    settings.FIELD_KEY = "another"
    with pytest.raises(ImproperlyConfigured, match="MYP_FIELD_KEY"):
        use_code(people.alice, "123456")


# ------------------------------------------------------------------ at log-in


def test_after_the_password_the_code_is_asked_and_nothing_is_open_before(people, frozen):
    secret = set_up_app(people.alice)
    client = with_password(people.alice)
    assert not is_in(client)
    assert client.get("/").status_code == 302
    assert client.get(reverse("mfa_index")).status_code == 302
    assert send_code(client, code_at(secret, NOON)).status_code == 302
    assert is_in(client)


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_code_opens_once_in_whichever_process(people, frozen, forgetful):
    """The library's own memory is one process's, and 30 of the 90 seconds long."""
    secret = set_up_app(people.alice)
    code = code_at(secret, NOON)
    assert send_code(first := with_password(people.alice), code).status_code == 302
    assert is_in(first)
    if forgetful:
        cache.clear()
    frozen.shift(timedelta(seconds=29))
    assert send_code(second := with_password(people.alice), code).status_code == 200
    assert not is_in(second)


def test_an_older_code_is_worthless_once_a_newer_was_taken(people, frozen):
    secret = set_up_app(people.alice)
    assert use_code(people.alice, code_at(secret, NOON, 1)) is not None
    assert use_code(people.alice, code_at(secret, NOON, 0)) is None
    frozen.shift(timedelta(seconds=60))
    assert use_code(people.alice, code_at(secret, NOON, 2)) is not None


@pytest.mark.parametrize(("steps", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(people, frozen, steps, opens):
    secret = set_up_app(people.alice)
    assert (use_code(people.alice, code_at(secret, NOON, steps)) is not None) is opens


def test_the_code_of_the_setting_up_does_not_log_in(people, frozen, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        secret = set_up_by_pages(with_password(people.alice), NOON)
    assert use_code(people.alice, code_at(secret, NOON)) is None
    frozen.shift(timedelta(seconds=30))
    assert use_code(people.alice, code_at(secret, NOON, 1)) is not None


def test_a_recovery_code_opens_once(people, frozen):
    set_up_app(people.alice)
    code, other, *_rest = RecoveryCodes.activate(people.alice).get_unused_codes()
    assert send_code(with_password(people.alice), code).status_code == 302
    assert send_code(again := with_password(people.alice), code).status_code == 200
    assert not is_in(again)
    assert send_code(again, other).status_code == 302
    assert is_in(again)


def test_nobody_elses_code_opens(people, frozen):
    set_up_app(people.alice)
    TOTP.activate(people.charlie, "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU")
    client = with_password(people.charlie)
    assert send_code(client, code_at(SECRET, NOON)).status_code == 200
    assert not is_in(client)


def test_guessing_ends_after_five_codes_also_over_new_log_ins(people, frozen):
    secret = set_up_app(people.alice)
    for number in range(5):
        answer = send_code(client := with_password(people.alice), wrong_code(secret, NOON))
        assert answer.status_code == (200 if number < 4 else 429)
    assert send_code(client, code_at(secret, NOON)).status_code == 429
    assert not is_in(client)


def credential(**response) -> str:
    return json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response})


def websafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


ORIGIN = websafe(b'{"type": "webauthn.get", "challenge": "AAAA", "origin": "https://testserver"}')
ATTESTED = websafe(b"\xa3cfmtdnonegattStmt\xa0hauthDataX\x25" + bytes(37))
JUNK = [
    "", "null", "[]", "{}", '"x"', "1", '{"response": []}', '{"response": null}', '{"id":', "x" * 5000,
    credential(), credential(userHandle=5), credential(userHandle="x"), credential(userHandle="_w"),
    credential(userHandle=websafe(b"99999999999999999999999")),
    credential(clientDataJSON="e30", attestationObject="oA", authenticatorData="AA", signature="AA", userHandle="MQ"),
    credential(clientDataJSON="W10", attestationObject="gA", authenticatorData="", signature="", userHandle="MQ"),
    credential(clientDataJSON=ORIGIN, attestationObject="_____w", authenticatorData=websafe(bytes(37)), signature="AA", userHandle="MQ"),
    credential(clientDataJSON=ORIGIN, attestationObject=ATTESTED, authenticatorData=websafe(b"\xff" * 37), signature="AA", userHandle="MQ"),
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("door", ["log_in", "second", "again", "add"])
def test_a_credential_that_is_none_is_refused_and_never_a_fault(people, frozen, junk, door):
    client = Client()
    if door == "second":
        set_up_app(people.alice)
        with_password(people.alice, client)
    elif door in ("again", "add"):
        with_password(people.alice, client)
        confirm(client)
        client.get(reverse("mfa_add_webauthn"))
    else:
        client.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"})
    name = {
        "log_in": "mfa_login_webauthn",
        "second": "mfa_authenticate",
        "again": "mfa_reauthenticate_webauthn",
        "add": "mfa_add_webauthn",
    }[door]
    junk = junk.replace('"MQ"', f'"{websafe(str(people.alice.pk).encode())}"')
    answer = client.post(reverse(name), {"credential": junk, "name": "x"})
    assert answer.status_code in (200, 302)
    assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()
    assert is_in(client) is (door in ("again", "add"))


# ------------------------------------------------------------------ who has to


def asked_of(person) -> bool:
    request = RequestFactory().get("/")
    request.user = type(person).objects.get(pk=person.pk) if person.pk else person
    return is_missing(request)


def test_only_the_roles_of_the_setting_without_a_factor_have_to(people, settings):
    carla = factories.TrainerFactory(username="carla")
    give_role(carla, Role.ADMINISTRATOR)
    settings.TWO_FACTOR_ROLES = ["administrator"]
    assert [asked_of(person) for person in (people.alice, people.bob, carla)] == [False, False, True]
    RecoveryCodes.activate(carla)
    assert asked_of(carla)  # codes alone are no factor
    set_up_app(carla)
    assert not asked_of(carla)
    settings.TWO_FACTOR_ROLES = ["trainee", "trainer"]
    assert [asked_of(person) for person in (people.alice, people.bob, carla)] == [True, True, False]
    settings.TWO_FACTOR_ROLES = []
    assert not asked_of(people.bob)
    assert not asked_of(AnonymousUser())


def test_a_superuser_has_to_whatever_the_groups_say(people, settings):
    settings.TWO_FACTOR_ROLES = ["administrator"]
    people.dora.is_superuser = True
    people.dora.save()
    assert not people.dora.is_staff
    assert asked_of(people.dora)


def test_asking_costs_nothing_for_trainees(people, settings, django_assert_num_queries):
    settings.TWO_FACTOR_ROLES = ["administrator"]
    request = RequestFactory().get("/")
    for person, queries in ((people.alice, 0), (people.bob, 1)):
        request.user = person
        person.refresh_from_db()
        with django_assert_num_queries(queries):
            assert not is_missing(request)
    give_role(people.bob, Role.ADMINISTRATOR)
    with django_assert_num_queries(2):
        assert is_missing(request)


# ------------------------------------------------------------------ the pages


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_stands_in_both_languages(people, frozen, language):
    client = Client(headers={"Accept-Language": language})
    with_password(people.alice, client)
    confirm(client)
    for name in PAGES:
        assert client.get(reverse(name)).status_code == 200, name
    set_up_app(people.alice)
    RecoveryCodes.activate(people.alice)
    key = Authenticator.objects.create(user=people.alice, type="webauthn", data={"name": "Schlüssel <b>"})
    for name in (
        "mfa_index", "mfa_list_webauthn", "mfa_deactivate_totp", "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes", "mfa_reauthenticate",
    ):  # fmt: skip
        answer = client.get(reverse(name))
        assert answer.status_code == 200, name
        assert "<b>" not in answer.content.decode()
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert client.get(reverse(name, args=[key.pk])).status_code == 200
    answer = client.get(reverse("mfa_download_recovery_codes"))
    assert len(answer.content.decode().split()) == 10
    assert "no-cache" in answer["Cache-Control"]
    assert answer["Content-Type"].startswith("text/plain")


def test_the_log_in_page_offers_a_passkey_and_nothing_from_outside(client, db):
    page = client.get(reverse("account_login")).content.decode()
    assert 'data-passkey="get"' in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_strangers_keys_are_nobodys_business(people, frozen):
    key = Authenticator.objects.create(user=people.alice, type="webauthn", data={"name": "mine"})
    client = with_password(people.charlie)
    confirm(client)
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert client.get(reverse(name, args=[key.pk])).status_code == 404
        assert client.post(reverse(name, args=[key.pk]), {"name": "yours"}).status_code == 404
    key.refresh_from_db()
    assert key.data["name"] == "mine"


@pytest.mark.parametrize(
    "name", ["mfa_activate_totp", "mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_deactivate_totp"]
)
def test_an_open_session_alone_changes_no_factor(people, frozen, name):
    set_up_app(people.alice) if "deactivate" in name or "codes" in name else None
    RecoveryCodes.activate(people.alice)
    client = Client()
    client.force_login(people.alice)
    before = list(Authenticator.objects.values_list("pk", "type"))
    for answer in (client.get(reverse(name)), client.post(reverse(name), {"code": "1"})):
        assert answer.status_code == 405 or "reauthenticate" in answer["Location"]
    assert list(Authenticator.objects.values_list("pk", "type")) == before


def test_with_the_last_factor_the_recovery_codes_go(people, frozen, django_capture_on_commit_callbacks):
    client = with_password(people.alice)
    with django_capture_on_commit_callbacks(execute=True):
        set_up_by_pages(client, NOON)
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert not Authenticator.objects.exists()
    assert Entry.objects.filter(kind="user.factor_removed").exists()


# ------------------------------------------------------------------ a lost device


def keeper(role: str, **more):
    person = factories.TraineeFactory(username=f"keeper-{role}", **more)
    give_role(person, Role(role))
    return Actor(person.pk, Channel.ADMIN)


@pytest.mark.parametrize(("by", "whose", "may"), [
    ("trainee", "trainee", False), ("trainer", "trainee", True), ("trainer", "trainer", False),
    ("trainer", "administrator", False), ("administrator", "trainer", True),
    ("administrator", "administrator", True), ("administrator", "superuser", False),
])  # fmt: skip
def test_who_may_remove_whose_factors(db, now, by, whose, may):
    person = factories.TraineeFactory(username="forgetful", is_superuser=whose == "superuser")
    give_role(person, Role.ADMINISTRATOR if whose == "superuser" else Role(whose))
    set_up_app(person)
    RecoveryCodes.activate(person)
    actor = keeper(by)
    if not may:
        with pytest.raises(Refused) as caught:
            remove_factors(person.pk, actor=actor, now=now)
        assert caught.value.codes == ("not_allowed",)
        assert Authenticator.objects.count() == 2
        return
    remove_factors(person.pk, actor=actor, now=now)
    assert not Authenticator.objects.exists()
    entry = Entry.objects.get(kind="user.factors_removed")
    assert (entry.actor_id, entry.subject) == (actor.user_id, f"user:{person.pk}")
    assert entry.data == {"factors": ["recovery_codes", "totp"]}


def test_nobody_removes_their_own_without_proof_and_nothing_is_not_removed(db, now):
    actor = keeper("administrator")
    with pytest.raises(Refused) as caught:
        remove_factors(actor.user_id, actor=actor, now=now)
    assert caught.value.codes == ("own_factors",)
    with pytest.raises(Refused) as caught:
        remove_factors(factories.TraineeFactory().pk, actor=actor, now=now)
    assert caught.value.codes == ("no_factors",)


def test_the_verb_is_offered_for_people_with_a_factor(people, now):
    assert not REMOVE_FACTORS.is_offered(people.alice, now)
    set_up_app(people.alice)
    assert REMOVE_FACTORS.is_offered(people.alice, now)
    REMOVE_FACTORS.act(people.alice, actor=Actor(people.bob.pk, Channel.ADMIN), now=now)
    assert not Authenticator.objects.exists()


def test_the_last_administrator_gets_in_again_from_the_machine_itself(people, capsys):
    set_up_app(people.bob)
    call_command("remove_factors", "bob")
    assert not Authenticator.objects.exists()
    with pytest.raises(CommandError, match=r"kein|no second factor"):
        call_command("remove_factors", "bob")
    with pytest.raises(CommandError, match="Nobody is called"):
        call_command("remove_factors", "nobody")


# ------------------------------------------------------------------ what is not there


def test_the_library_behind_the_tokens_serves_no_address_of_its_own(client, db):
    """It would log in without the pages' rules."""
    with pytest.raises(NoReverseMatch):
        reverse("headless:browser:account:login")
    assert "headless" not in get_resolver().namespace_dict
    for path in ("/_allauth/browser/v1/auth/login", "/_allauth/app/v1/auth/login", "/_allauth/app/v1/config"):
        assert client.get(path).status_code == 404
        assert client.post(path, {}, content_type="application/json").status_code == 404
