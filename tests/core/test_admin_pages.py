"""Every page of the admin opens for those who may see it, and for nobody else."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.models import User
from core.actor import Actor, Channel
from core.domain import scheduling
from core.models import Heartbeat, PeriodicTask, SchedulerState
from journal.models import Entry
from tests import factories

pytestmark = pytest.mark.django_db

# app_model -> may a trainer open list, add, change
PAGES = {
    "core_periodictask": "list",
    "core_heartbeat": "list",
    "core_schedulerstate": "list",
    "journal_entry": "list",
    "accounts_user": "list add",
    "accounts_qualification": "list add",
    "accounts_grant": "list add",
    "plugs_smartplug": "list add",
    "plugs_plugcommand": "list",
    "plugs_plugreading": "list",
    "printers_printer": "list add",
    "printers_location": "list add",
    "printers_outage": "list add",
    "reservations_job": "list add",
    "reservations_bookinglimits": "list",
    "kiosk_display": "list",
    "accounts_loginguard": "list",
    "axes_accessfailurelog": "list",
    "axes_accesslog": "list",
}


@pytest.fixture(autouse=True)
def _german_again() -> Iterator[None]:
    """A request in English leaves the thread's language changed."""
    yield
    translation.deactivate()


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="demo"))
    return client


@pytest.fixture
def trainer(client: Client) -> Client:
    client.force_login(factories.TrainerFactory(username="bob"))
    return client


def test_the_index_names_every_model_we_registered_and_no_others() -> None:
    registered = {f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry}

    assert registered == set(PAGES)


@pytest.mark.parametrize("who", ["root", "trainer"])
@pytest.mark.parametrize("page", PAGES)
def test_list_and_add_pages_open(page: str, who: str, request: pytest.FixtureRequest) -> None:
    browser: Client = request.getfixturevalue(who)
    PeriodicTask.objects.create(name="x", every=5, next_run_at="2026-01-01T00:00:00Z")
    Heartbeat.objects.create(name="scheduler", at="2026-01-01T00:00:00Z")
    factories.PrinterFactory()

    answers = {"list": browser.get(reverse(f"admin:{page}_changelist"), follow=True)}
    if page not in {"core_periodictask", "core_heartbeat"}:
        answers["add"] = browser.get(reverse(f"admin:{page}_add"))

    for name, answer in answers.items():
        assert answer.status_code == (200 if name in PAGES[page].split() else 403)


@pytest.mark.parametrize("language", ["de", "en"])
def test_dashboard_opens_in_both_languages(trainer: Client, language: str) -> None:
    answer = trainer.get(reverse("admin:index"), headers={"Accept-Language": language})

    assert answer.status_code == 200
    assert b'id="myp-board"' in answer.content


def test_trainees_are_sent_to_the_log_in(client: Client) -> None:
    client.force_login(factories.TraineeFactory())

    assert client.get(reverse("admin:index")).status_code in {302, 403}


def test_history_leads_to_the_journal(trainer: Client) -> None:
    printer = factories.PrinterFactory()

    answer = trainer.get(reverse("admin:printers_printer_history", args=[printer.pk]))

    assert answer.url == f"{reverse('admin:journal_entry_changelist')}?subject=printer%3A{printer.pk}"
    assert trainer.get(answer.url).status_code == 200


class TestScheduler:
    def test_stop_asks_for_the_reason_and_stops(self, trainer: Client) -> None:
        url = reverse("admin:core_schedulerstate_do", args=[1, "stop"])

        assert trainer.get(url).status_code == 200
        assert "reason" in trainer.post(url, {"reason": " "}).context["form"].errors
        assert scheduling.is_running()
        trainer.post(url, {"reason": "Umbau"})

        assert not scheduling.is_running()
        assert SchedulerState.objects.get().reason == "Umbau"
        assert Entry.objects.filter(kind="scheduler.stopped").exists()

    def test_start_again(self, trainer: Client) -> None:
        scheduling.stop(Actor(None, Channel.COMMAND), "Umbau")

        trainer.post(reverse("admin:core_schedulerstate_do", args=[1, "start"]), {"reason": ""})

        assert scheduling.is_running()

    def test_get_changes_nothing(self, trainer: Client) -> None:
        trainer.get(reverse("admin:core_schedulerstate_changelist"))
        trainer.get(reverse("admin:core_schedulerstate_do", args=[1, "stop"]))

        assert scheduling.is_running()

    def test_without_the_token_it_is_refused(self, db: None) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(factories.TrainerFactory())
        SchedulerState.objects.create()

        answer = browser.post(reverse("admin:core_schedulerstate_do", args=[1, "stop"]), {"reason": "x"})

        assert answer.status_code == 403
        assert scheduling.is_running()

    def test_staff_without_the_right_may_not(self, client: Client) -> None:
        person = factories.TraineeFactory(is_staff=True)
        User.objects.filter(pk=person.pk).update(is_staff=True)
        client.force_login(person)
        SchedulerState.objects.create()

        answer = client.post(reverse("admin:core_schedulerstate_do", args=[1, "stop"]), {"reason": "x"})

        assert answer.status_code in {403, 404}
        assert scheduling.is_running()

    def test_unknown_verb_is_not_found(self, trainer: Client) -> None:
        SchedulerState.objects.create()

        assert trainer.post(reverse("admin:core_schedulerstate_do", args=[1, "explode"])).status_code == 404


def test_administrators_see_what_trainers_see(client: Client) -> None:
    person = factories.TraineeFactory()
    give_role(person, Role.ADMINISTRATOR)
    client.force_login(person)

    assert client.get(reverse("admin:reservations_job_changelist")).status_code == 200
