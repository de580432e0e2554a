"""Plugs in the admin: secrets stay in, no device is spoken to in a request, switching leaves a trace."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from accounts.choices import Role
from accounts.models import User
from core import clock
from core.actor import SYSTEM
from journal.models import Entry
from plugs.choices import CommandResult
from plugs.domain import registering
from plugs.models import PlugCommand, PlugReading, PlugState, SmartPlug
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "admin:plugs_smartplug_changelist"
SECRET = "geheim-4711"


@pytest.fixture(autouse=True)
def _german_again() -> Iterator[None]:
    """A request in English leaves the thread's language changed."""
    yield
    translation.deactivate()


@pytest.fixture
def trainer(people: SimpleNamespace, client: Client) -> Client:
    client.force_login(people.bob)
    return client


@pytest.fixture
def plug(db: None) -> SmartPlug:
    plug = SmartPlug(name="P1", driver="simulated", address="10.0.0.1", username="a@b.test", password=SECRET)
    return registering.save_plug(plug, changed=[], actor=SYSTEM, now=clock.now())


def page(plug: SmartPlug, name: str = "change", *more: str) -> str:
    return reverse(f"admin:plugs_smartplug_{name}", args=[plug.pk, *more])


def filled(**more: Any) -> dict[str, Any]:
    data = {
        "name": "P1",
        "driver": "simulated",
        "address": "10.0.0.1",
        "username": "a@b.test",
        "password": "",
    }
    return data | more


class TestConfiguring:
    def test_the_password_is_never_in_the_page(self, trainer, plug):
        html = trainer.get(page(plug)).content.decode()
        wrong = trainer.post(page(plug), filled(name="", password="neu-0815")).content.decode()

        assert SECRET not in html
        assert SECRET not in wrong
        assert "neu-0815" not in wrong

    def test_left_empty_it_stays(self, trainer, plug):
        trainer.post(page(plug), filled(name="P1 neu"))

        changed = SmartPlug.objects.get()
        assert (changed.name, changed.password) == ("P1 neu", SECRET)
        entry = Entry.objects.get(kind="plug.changed")
        assert entry.data == {"fields": ["name"]}

    def test_a_new_one_is_stored_and_the_journal_keeps_the_name_alone(self, trainer, plug):
        trainer.post(page(plug), filled(password="neu-0815"))

        assert SmartPlug.objects.get().password == "neu-0815"
        entry = Entry.objects.get(kind="plug.changed")
        assert entry.data == {"fields": ["password"]}

    def test_another_address_is_asked_anew(self, trainer, plug):
        PlugState.objects.update(device_id="A", failures=5)

        trainer.post(page(plug), filled(address="10.0.0.2"))

        state = PlugState.objects.get()
        assert (state.device_id, state.failures) == ("", 0)

    def test_add(self, trainer, people):
        trainer.post(
            reverse("admin:plugs_smartplug_add"), filled(name="P2", address="10.0.0.9", password=SECRET)
        )

        plug = SmartPlug.objects.get()
        assert (plug.password, plug.state.next_poll_at is not None) == (SECRET, True)
        assert Entry.objects.get(kind="plug.added").actor == people.bob

    def test_nothing_changed_writes_nothing(self, trainer, plug):
        trainer.post(page(plug), filled())

        assert not Entry.objects.filter(kind="plug.changed").exists()

    def test_an_unknown_driver_is_refused(self, trainer, plug):
        answer = trainer.post(page(plug), filled(driver="nonsense"))

        assert "driver" in answer.context["adminform"].form.errors


class TestVerbs:
    def test_test_asks_soon_and_says_so(self, trainer, plug):
        PlugState.objects.update(next_poll_at=None, is_suspended=True)

        answer = trainer.post(page(plug, "do", "test"), follow=True)

        state = PlugState.objects.get()
        assert (state.next_poll_at is not None, state.is_suspended) == (True, False)
        assert "P1" in str(next(iter(answer.context["messages"])))

    def test_switch_makes_an_override_and_a_command(self, trainer, people, plug):
        factories.PrinterFactory(plug=plug)
        url = page(plug, "do", "switch")

        assert trainer.get(url).status_code == 200
        answer = trainer.post(url, {"on": "on", "until_0": "", "until_1": "", "reason": "Reinigung"})

        assert answer.status_code == 302
        state = PlugState.objects.get()
        assert (state.override_on, state.override_by, state.override_reason) == (
            True,
            people.bob,
            "Reinigung",
        )
        command = PlugCommand.objects.get(on=True)
        assert (command.actor, command.reason) == (people.bob, "override")
        assert Entry.objects.get(kind="plug.overridden").data["cut"] is False

    def test_off_may_cut_only_when_it_was_said(self, trainer, plug):
        trainer.post(page(plug, "do", "switch"), {"on": "off", "reason": "Not-Aus", "cut": "on"})

        assert PlugState.objects.get().override_is_cut is True

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({"on": "on", "reason": " "}, "reason"),
            ({"on": "on", "reason": "x", "until_0": "01.01.2020", "until_1": "10:00"}, "until"),
            ({"reason": "x"}, "on"),
        ],
    )
    def test_what_is_missing_is_said_at_its_field(self, trainer, plug, data, field):
        answer = trainer.post(page(plug, "do", "switch"), data)

        assert list(answer.context["form"].errors) == [field]
        assert PlugState.objects.get().override_on is None

    def test_back_to_the_plan(self, trainer, plug):
        trainer.post(page(plug, "do", "switch"), {"on": "on", "reason": "Reinigung"})
        trainer.post(page(plug, "do", "back-to-plan"))

        assert PlugState.objects.get().override_on is None

    def test_trust_asks_first(self, trainer, plug):
        PlugState.objects.update(device_id="A")

        asked = trainer.post(reverse(LIST), {"action": "trust", "_selected_action": [plug.pk], "index": "0"})
        assert asked.status_code == 200
        assert PlugState.objects.get().device_id == "A"
        trainer.post(reverse(LIST), {"action": "trust", "_selected_action": [plug.pk], "_asked": "1"})
        assert PlugState.objects.get().device_id == ""

    def test_who_may_only_look_may_not_switch(self, client, plug):
        person = factories.TraineeFactory()
        User.objects.filter(pk=person.pk).update(is_staff=True)
        client.force_login(person)

        assert client.post(page(plug, "do", "switch"), {"on": "on", "reason": "x"}).status_code in {403, 404}
        assert PlugState.objects.get().override_on is None


class TestDeleting:
    def test_trainers_may_not(self, trainer, plug):
        assert trainer.post(page(plug, "delete"), {"post": "yes"}).status_code == 403

    def test_administrators_may_when_no_machine_uses_it(self, client, plug):
        client.force_login(factories.TraineeFactory(role=Role.ADMINISTRATOR))
        PlugReading.objects.create(plug=plug, at=clock.now(), on=True)
        printer = factories.PrinterFactory(plug=plug)

        assert client.post(page(plug, "delete"), {"post": "yes"}).status_code == 200
        assert SmartPlug.objects.exists()
        printer.delete()
        client.post(page(plug, "delete"), {"post": "yes"})
        assert not SmartPlug.objects.exists()
        assert Entry.objects.filter(kind="plug.removed").exists()


class TestLists:
    def test_queries_do_not_grow(self, trainer):
        def count() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert trainer.get(reverse(LIST)).status_code == 200
            return len(seen)

        factories.PrinterFactory()
        count()
        one = count()
        for _ in range(29):
            factories.PrinterFactory()
        assert count() == one

    @pytest.mark.parametrize("health", ["fine", "trouble", "dead", "suspended", "unknown", "nonsense"])
    def test_filter_by_health(self, trainer, plug, health):
        for name, state in {
            "fine": {"last_contact_at": clock.now()},
            "trouble": {"failures": 1},
            "dead": {"failures": 3},
            "suspended": {"is_suspended": True, "failures": 3},
        }.items():
            other = factories.PlugFactory(name=name)
            PlugState.objects.filter(plug=other).update(**state)

        shown = trainer.get(reverse(LIST) + f"?health={health}").context["cl"].result_list

        names = {row.name for row in shown}
        expected = {"unknown": {"P1"}, "nonsense": {"P1", "fine", "trouble", "dead", "suspended"}}
        assert names == expected.get(health, {health})

    def test_commands_and_readings_are_shown_and_kept(self, trainer, plug):
        now = clock.now()
        command = PlugCommand.objects.create(
            plug=plug, on=True, reason="job", planned_at=now, created_at=now, confirmed_at=now,
            result=CommandResult.CONFIRMED,
        )  # fmt: skip
        reading = PlugReading.objects.create(plug=plug, at=now, on=True, power_w=86, energy_today_wh=1200)

        for name, row in (("plugcommand", command), ("plugreading", reading)):
            assert trainer.get(reverse(f"admin:plugs_{name}_changelist")).status_code == 200
            assert trainer.get(reverse(f"admin:plugs_{name}_change", args=[row.pk])).status_code == 200
            assert trainer.post(reverse(f"admin:plugs_{name}_delete", args=[row.pk])).status_code == 403
        assert "86 W" in trainer.get(reverse("admin:plugs_plugreading_changelist")).content.decode()
        assert trainer.get(page(plug)).context["commands"][0]["attempts"] == 0

    def test_the_panel_tells_of_override_and_fault(self, trainer, people, plug):
        PlugState.objects.update(
            override_on=False,
            override_reason="Umbau",
            error_code="auth_failed",
            error_at=clock.now(),
            failures=3,
        )

        html = trainer.get(page(plug), headers={"Accept-Language": "en"}).content.decode()

        assert "off until taken back: Umbau" in html
        assert "Check user name and password" in html
