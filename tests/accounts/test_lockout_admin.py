"""Lock-outs and the attempt log in the admin: trainers read and lift, nobody writes."""

from types import SimpleNamespace

import pytest
import time_machine
from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.domain import guarding
from accounts.domain.guarding import LockedOut
from accounts.domain.roles import ensure_roles
from accounts.models import LoginGuard
from journal.models import Entry
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
DESK = "10.0.0.5"
LIST = reverse("admin:accounts_loginguard_changelist")
LOGS = [reverse("admin:axes_accessfailurelog_changelist"), reverse("admin:axes_accesslog_changelist")]


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def trainer(people: SimpleNamespace, client: Client) -> Client:
    client.force_login(people.bob)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def lock(*names: str) -> None:
    for name in names:
        try:
            guarding.take(name, DESK, NOON)
        except LockedOut:
            return
        guarding.fail(name, DESK, NOON)


def of(key: str) -> LoginGuard:
    return LoginGuard.objects.get(key=key)


def lift(key: str) -> str:
    return reverse("admin:accounts_loginguard_do", args=[of(key).pk, "lift"])


def is_open(name: str) -> bool:
    try:
        guarding.demand_open(name, DESK, NOON)
    except LockedOut:
        return False
    return True


def url_name(row: AccessFailureLog | AccessLog) -> str:
    return f"admin:axes_{row._meta.model_name}_change"


class TestLocks:
    def test_the_list_says_who_until_when_and_why(self, trainer):
        lock(*["alice"] * 5, *["no-such-name"] * 4)
        page = trainer.get(LIST).content.decode()
        assert "alice" in page
        assert "locked until today 10:05" in page
        assert "no-such-name" not in page
        assert "unknown name (" in page
        assert DESK in page

    def test_the_list_can_be_narrowed(self, trainer):
        lock(*["alice"] * 5, "charlie")

        def listed(**query: str) -> set[str]:
            return {row.key for row in trainer.get(LIST, query).context["cl"].queryset}

        assert listed(state="locked") == {"alice"}
        assert listed(state="open") == {"charlie", DESK}
        assert listed(kind__exact="address") == {DESK}
        assert listed(q="ali") == {"alice"}

    def test_the_button_of_the_page_lifts(self, trainer, people):
        lock(*["alice"] * 5)
        page = reverse("admin:accounts_loginguard_change", args=[of("alice").pk])
        assert lift("alice") in trainer.get(page).content.decode()
        answer = trainer.post(lift("alice"))
        assert (answer.status_code, answer["Location"]) == (302, page)
        assert is_open("alice")
        assert Entry.objects.get(kind="lockout.lifted").actor == people.bob
        assert lift("alice") not in trainer.get(page).content.decode()

    def test_the_page_of_an_unknown_name_calls_it_as_the_list_does(self, trainer):
        lock(*["no-such-name"] * 5)
        key = guarding.key_of("no-such-name")
        words = f"unknown name ({key.removeprefix('?')})"
        page = trainer.get(reverse("admin:accounts_loginguard_change", args=[of(key).pk])).content.decode()
        asked = trainer.get(lift(key)).content.decode()
        for shown in (trainer.get(LIST).content.decode(), page, asked):
            assert words in shown
            assert key not in shown
        trainer.post(lift(key))
        assert Entry.objects.get(kind="lockout.lifted").subject_label == words

    def test_the_action_of_the_list_lifts_what_was_chosen(self, trainer):
        lock(*["alice"] * 5)
        lock(*["charlie"] * 5)
        chosen = {"action": "lift", "_selected_action": [of("alice").pk]}
        assert trainer.post(LIST, chosen).status_code == 302
        assert (is_open("alice"), is_open("charlie")) == (True, False)

    def test_an_address_shows_the_names_and_opens(self, trainer):
        lock("alice", "charlie", "dora", "x", "y")
        page = trainer.get(reverse("admin:accounts_loginguard_change", args=[of(DESK).pk])).content.decode()
        assert "alice, charlie, dora, unknown name" in page
        trainer.post(lift(DESK))
        assert is_open("bob")

    def test_looking_at_it_lifts_nothing(self, trainer):
        lock(*["alice"] * 5)
        trainer.get(lift("alice"))
        assert not is_open("alice")

    def test_a_trainer_does_not_lift_their_own(self, trainer):
        lock(*["bob"] * 5)
        trainer.post(lift("bob"))
        assert not is_open("bob")

    def test_a_trainee_gets_nowhere(self, people, client):
        lock(*["alice"] * 5)
        client.force_login(people.charlie)
        for url in (LIST, lift("alice"), *LOGS):
            assert client.get(url).status_code == 302
            assert (
                client.post(url, {"action": "lift", "_selected_action": [of("alice").pk]}).status_code == 302
            )
        assert not is_open("alice")

    def test_nothing_else_can_be_done_to_a_lock(self, trainer):
        lock(*["alice"] * 5)
        row = of("alice")
        assert trainer.get(reverse("admin:accounts_loginguard_add")).status_code == 403
        assert trainer.get(reverse("admin:accounts_loginguard_delete", args=[row.pk])).status_code == 403
        change = reverse("admin:accounts_loginguard_change", args=[row.pk])
        assert trainer.post(change, {"failures": 0, "level": 0}).status_code == 403
        assert of("alice").failures == 5

    def test_thirty_rows_cost_the_queries_of_one(self, trainer, django_assert_max_num_queries):
        lock("name0")
        trainer.get(LIST)
        with django_assert_max_num_queries(12) as one:
            trainer.get(LIST)
        for number in range(30):
            LoginGuard.objects.create(kind="user", key=f"name{number}", failures=1, changed_at=NOON)
        with django_assert_max_num_queries(len(one)):
            trainer.get(LIST)


class TestLogs:
    @pytest.fixture
    def rows(self, trainer) -> dict[str, AccessFailureLog | AccessLog]:
        AccessLog.objects.all().delete()
        shared = {
            "ip_address": DESK,
            "user_agent": "Firefox",
            "http_accept": "*",
            "path_info": "/accounts/login/",
        }
        failure = AccessFailureLog.objects.create(username="alice", locked_out=True, **shared)
        AccessFailureLog.objects.create(username="?0123456789abcdef", **shared)
        success = AccessLog.objects.create(username="charlie", **shared)
        return {LOGS[0]: failure, LOGS[1]: success}

    def test_failures(self, trainer, rows):
        page = trainer.get(LOGS[0]).content.decode()
        for told in (
            "alice",
            DESK,
            "/accounts/login/",
            "lock-out",
            "unknown name (0123456789abcdef)",
            "Firefox",
        ):
            assert told in page

    @pytest.mark.parametrize("url", LOGS)
    def test_every_cell_is_labelled_as_its_column(self, trainer, rows, url):
        page = trainer.get(url).content.decode()
        assert 'data-label="Select record"' not in page
        assert f'href="{reverse(url_name(rows[url]), args=[rows[url].pk])}"' in page

    def test_successes(self, trainer, rows):
        assert "charlie" in trainer.get(LOGS[1]).content.decode()

    def test_search_and_date(self, trainer, rows):
        def count(url: str, **query: str) -> int:
            return trainer.get(url, query).context["cl"].queryset.count()

        assert (count(LOGS[0], q="ali"), count(LOGS[0], q=DESK), count(LOGS[0], q="nothing")) == (1, 2, 0)
        assert count(LOGS[0], locked_out__exact="1") == 1
        day = {"attempt_time__year": "2026", "attempt_time__month": "2", "attempt_time__day": "4"}
        assert (count(LOGS[1], **day), count(LOGS[1], **(day | {"attempt_time__day": "3"}))) == (1, 0)

    @pytest.mark.parametrize("url", LOGS)
    def test_are_read_only(self, trainer, people, rows, url):
        row = rows[url]
        people.bob.is_superuser = True
        people.bob.save()
        name = f"admin:axes_{row._meta.model_name}"
        assert trainer.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert trainer.get(reverse(f"{name}_add")).status_code == 403
        assert trainer.post(reverse(f"{name}_change", args=[row.pk]), {"username": "x"}).status_code == 403
        assert trainer.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert (
            trainer.post(url, {"action": "delete_selected", "_selected_action": [row.pk]}).status_code != 500
        )
        assert type(row).objects.filter(pk=row.pk, username=row.username).exists()

    def test_the_librarys_own_pages_are_gone(self, trainer):
        assert trainer.get("/admin/axes/accessattempt/").status_code == 404

    def test_migrating_gives_trainers_the_right_to_read_them(self, people):
        """The library's app is none of ours; its permissions come with its own migration."""
        wanted = {"axes.view_accesslog", "axes.view_accessfailurelog"}
        group = people.bob.groups.get(name="trainer")
        group.permissions.remove(*Permission.objects.filter(content_type__app_label="axes"))
        ensure_roles("accounts")
        assert not group.permissions.filter(content_type__app_label="axes").exists()
        call_command("migrate", verbosity=0)
        held = group.permissions.filter(content_type__app_label="axes").values_list("codename", flat=True)
        assert {f"axes.{name}" for name in held} == wanted


def test_the_clock_of_the_log_is_the_tests(db):
    assert timezone.localtime().day == 4


def test_a_persons_page_says_that_the_account_is_locked_and_opens_it(people, client):
    for _guess in range(5):
        guarding.take("alice", DESK, NOON)
        guarding.fail("alice", DESK, NOON)
    client.force_login(people.bob)
    page = reverse("admin:accounts_user_change", args=[people.alice.pk])
    unlock = reverse("admin:accounts_user_do", args=[people.alice.pk, "unlock"])
    assert unlock in client.get(page).content.decode()
    client.post(unlock)
    assert guarding.lock_of(people.alice, NOON) is None
    assert unlock not in client.get(page).content.decode()
