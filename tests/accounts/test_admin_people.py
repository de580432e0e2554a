"""People in the admin: trainers look after trainees, and nobody climbs by filling in a form."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ

from accounts.choices import Role
from accounts.domain import people as door
from accounts.domain.roles import give_role
from accounts.models import Grant, User
from journal.models import Entry
from tests import factories

pytestmark = pytest.mark.django_db
ADD = "admin:accounts_user_add"


@pytest.fixture
def trainer(people: SimpleNamespace, client: Client) -> Client:
    client.force_login(people.bob)
    return client


@pytest.fixture
def root(people: SimpleNamespace, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="demo"))
    return client


def page(person: User, name: str = "change") -> str:
    return reverse(f"admin:accounts_user_{name}", args=[person.pk])


def newcomer(**more: Any) -> dict[str, Any]:
    return {
        "username": "emil",
        "first_name": "Emil",
        "last_name": "Neu",
        "email": "emil@workshop.test",
        "start": "password",
        "password": "correct-horse-7",
        **more,
    }


def do(person: User, verb: str) -> str:
    return reverse("admin:accounts_user_do", args=[person.pk, verb])


def fresh(person: User) -> User:
    return User.objects.get(pk=person.pk)


class TestTrainers:
    def test_make_trainees(self, trainer, people):
        assert trainer.post(reverse(ADD), newcomer()).status_code == 302

        emil = User.objects.get(username="emil")
        assert (emil.role, emil.is_staff, emil.check_password("correct-horse-7")) == (
            Role.TRAINEE,
            False,
            True,
        )
        assert emil.groups.filter(name="trainee").exists()
        assert emil.must_change_password
        assert Entry.objects.get(kind="user.added").actor == people.bob

    def test_make_nothing_higher_whatever_they_send(self, trainer):
        climbing = {
            "role": "administrator",
            "is_superuser": "on",
            "is_staff": "on",
            "groups": ["1", "2", "3"],
        }

        trainer.post(reverse(ADD), newcomer(**climbing))

        emil = User.objects.get(username="emil")
        assert (emil.role, emil.is_staff, emil.is_superuser) == (Role.TRAINEE, False, False)

    def test_change_trainees_but_not_their_role(self, trainer, people):
        data = {
            "username": "alice", "first_name": "Alicia", "last_name": "", "email": "alicia@workshop.test",
            "is_active": "on", "role": "trainer", "is_superuser": "on", "is_staff": "on",
            "user_permissions": [Permission.objects.first().pk], "password": "x",
        }  # fmt: skip

        assert trainer.post(page(people.alice), data).status_code == 302

        alice = fresh(people.alice)
        assert (alice.first_name, alice.role, alice.is_superuser, alice.is_staff) == (
            "Alicia",
            Role.TRAINEE,
            False,
            False,
        )
        assert not alice.user_permissions.exists()
        assert alice.check_password("demo")
        entry = Entry.objects.get(kind="user.changed")
        assert entry.data == {"fields": ["email", "first_name"]}

    @pytest.mark.parametrize("who", ["self", "trainer", "administrator", "superuser"])
    def test_leave_everybody_else_alone(self, trainer, people, who):
        other = {
            "self": lambda: people.bob,
            "trainer": factories.TrainerFactory,
            "administrator": lambda: factories.TraineeFactory(role=Role.ADMINISTRATOR),
            "superuser": lambda: User.objects.create_superuser("root"),
        }[who]()
        data = {"username": other.username, "first_name": "Hacked", "role": "trainee"}

        assert trainer.post(page(other), data).status_code == 403
        for verb in ("password", "link", "invite", "deactivate", "reactivate"):
            assert trainer.post(do(other, verb), {"password": "x9-lang-genug"}).status_code == 403
        assert fresh(other).first_name != "Hacked"
        assert fresh(other).is_active

    def test_set_a_trainees_password(self, trainer, people):
        url = do(people.alice, "password")

        assert trainer.get(url).status_code == 200
        assert "zu kurz" in trainer.post(url, {"password": "x"}).content.decode()
        assert trainer.post(url, {"password": "correct-horse-8"}).status_code == 302

        alice = fresh(people.alice)
        assert alice.check_password("correct-horse-8") and alice.must_change_password
        assert Entry.objects.filter(kind="user.password_set", subject=f"user:{people.alice.pk}").exists()

    def test_never_see_a_hash_or_the_flags(self, trainer, people):
        html = trainer.get(page(people.alice)).content.decode()

        assert people.alice.password not in html
        assert "md5$" not in html
        for name in ("is_superuser", "is_staff", "user_permissions", "groups", "role"):
            assert f'name="{name}"' not in html

    def test_delete_nobody(self, trainer, people):
        assert trainer.post(page(people.alice, "delete"), {"post": "yes"}).status_code == 403


class TestAdministrators:
    def test_give_roles(self, people, client):
        client.force_login(factories.TraineeFactory(role=Role.ADMINISTRATOR))
        data = {"username": "alice", "first_name": "Alice", "email": "", "is_active": "on", "role": "trainer"}

        assert client.post(page(people.alice), data).status_code == 302

        assert (fresh(people.alice).role, fresh(people.alice).is_staff) == (Role.TRAINER, True)
        assert b"is_superuser" not in client.get(page(people.alice)).content

    def test_take_roles_back(self, root, people):
        data = {"username": "bob", "first_name": "Bob", "email": "", "is_active": "on", "role": "trainee"}

        root.post(page(people.bob), data)

        assert (fresh(people.bob).role, fresh(people.bob).is_staff) == (Role.TRAINEE, False)

    def test_do_not_touch_superusers(self, people, client):
        client.force_login(factories.TraineeFactory(role=Role.ADMINISTRATOR))
        boss = User.objects.create_superuser("boss")

        assert client.post(page(boss), {"username": "boss", "role": "trainee"}).status_code == 403

    def test_superusers_see_the_flag(self, root, people):
        assert b'name="is_superuser"' in root.get(page(people.alice)).content

    def test_add_a_trainer(self, root):
        root.post(reverse(ADD), newcomer(role="trainer"))

        assert User.objects.get(username="emil").role is Role.TRAINER


def test_an_address_serves_one_person_only(trainer, people):
    answer = trainer.post(reverse(ADD), newcomer(email="ALICE@workshop.test"))

    assert answer.status_code == 200
    assert not User.objects.filter(username="emil").exists()


def test_list_filters_by_role(trainer, people):
    shown = trainer.get(reverse("admin:accounts_user_changelist") + "?role=trainer").context["cl"].result_list

    assert list(shown) == [people.bob]


def test_grants_know_who_gave_them(trainer, people):
    course = factories.QualificationFactory()
    data = {"user": people.dora.pk, "qualification": course.pk, "expires_at_0": "", "expires_at_1": ""}

    trainer.post(reverse("admin:accounts_grant_add"), data)

    grant = Grant.objects.get()
    assert (grant.granted_by, grant.granted_at is not None) == (people.bob, True)
    assert Entry.objects.filter(kind="grant.given", actor=people.bob).exists()
    trainer.post(reverse("admin:accounts_grant_delete", args=[grant.pk]), {"post": "yes"})
    assert Entry.objects.filter(kind="grant.taken").exists()


def test_roles_are_given_through_their_door_only_once(people):
    give_role(people.alice, Role.TRAINER)
    give_role(people.alice, Role.TRAINEE)

    assert [g.name for g in people.alice.groups.all()] == ["trainee"]


class TestVerbs:
    def test_a_link_is_shown_once_and_kept_by_nobody(self, trainer, people):
        page = trainer.post(do(people.alice, "link"))

        assert page.status_code == 200 and "/accounts/password/reset/key/" in page.content.decode()
        assert ("no-store" in page["Cache-Control"], page["Referrer-Policy"]) == (True, "no-referrer")
        assert Entry.objects.filter(kind="user.link_made", actor=people.bob).count() == 1

    def test_a_link_is_not_made_by_looking(self, trainer, people):
        assert "password/reset/key" not in trainer.get(do(people.alice, "link")).content.decode()
        assert not Entry.objects.exists()

    def test_a_new_person_comes_with_a_link(self, trainer):
        page = trainer.post(reverse(ADD), newcomer(start="link", password=""))

        emil = User.objects.get(username="emil")
        assert "/accounts/password/reset/key/" in page.content.decode()
        assert not emil.has_usable_password() and not emil.must_change_password

    def test_by_mail_only_with_a_mail_server_and_an_address(self, trainer, people, settings):
        assert trainer.post(reverse(ADD), newcomer(start="mail")).status_code == 200
        assert trainer.post(do(people.alice, "invite")).status_code == 302
        assert not OrmQ.objects.exists() and not Entry.objects.exists()
        settings.EMAIL_HOST = "mail.workshop.test"
        assert trainer.post(reverse(ADD), newcomer(start="mail", email="")).status_code == 200
        assert trainer.post(reverse(ADD), newcomer(start="mail")).status_code == 302
        assert trainer.post(do(people.alice, "invite")).status_code == 302
        assert OrmQ.objects.count() == 2
        assert Entry.objects.filter(kind="user.invited").count() == 2

    @pytest.mark.parametrize("password", ["", "short", "emil"])
    def test_a_weak_first_password_is_refused_at_its_field(self, trainer, password):
        page = trainer.post(reverse(ADD), newcomer(password=password))

        assert page.status_code == 200 and page.context["adminform"].form.errors["password"]
        assert not User.objects.filter(username="emil").exists()

    def test_switching_off_and_on(self, trainer, people):
        page = trainer.post(do(people.alice, "deactivate"), follow=True, headers={"Accept-Language": "en"})
        assert not fresh(people.alice).is_active
        assert "a job that is running goes on" in page.content.decode()
        assert trainer.post(do(people.alice, "link"), follow=True).status_code == 200
        assert not Entry.objects.filter(kind="user.link_made").exists()

        trainer.post(do(people.alice, "reactivate"))
        assert fresh(people.alice).is_active

    @pytest.mark.parametrize(
        ("verb", "is_active", "word"),
        [("reactivate", True, "Switch on"), ("unlock", True, "Lift the lock"), ("invite", True, "Invite by e-mail"),
         ("deactivate", False, "Switch off"), ("link", False, "Hand out a one-time link")],
    )  # fmt: skip
    def test_what_is_not_offered_is_not_asked(self, trainer, people, verb, is_active, word):
        User.objects.filter(pk=people.alice.pk).update(is_active=is_active)
        answer = trainer.get(do(people.alice, verb), follow=True, headers={"Accept-Language": "en"})

        assert answer.redirect_chain == [(page(people.alice), 302)]
        assert [str(told) for told in answer.context["messages"]] == [
            f"“{word}” is not possible at the moment."
        ]
        assert fresh(people.alice).is_active is is_active
        assert trainer.get(do(people.alice, "password")).status_code == 200

    def test_what_was_offered_a_moment_ago_is_refused_in_the_doors_words(self, trainer, people):
        answer = trainer.post(do(people.alice, "reactivate"), follow=True, headers={"Accept-Language": "en"})
        assert "This account is switched on already." in answer.content.decode()
        assert not Entry.objects.filter(kind="user.reactivated").exists()

    def test_several_are_switched_off_from_the_list(self, trainer, people):
        chosen = {"action": "deactivate", "_selected_action": [people.alice.pk, people.dora.pk]}
        url = reverse("admin:accounts_user_changelist")
        assert fresh(people.alice).is_active and trainer.post(url, chosen).status_code == 200
        trainer.post(url, {**chosen, "_asked": "1"})

        assert [fresh(p).is_active for p in (people.alice, people.dora, people.charlie)] == [
            False,
            False,
            True,
        ]

    def test_no_list_reaches_upwards(self, trainer, people):
        chosen = {"action": "deactivate", "_asked": "1", "_selected_action": [people.alice.pk, people.bob.pk]}
        assert trainer.post(reverse("admin:accounts_user_changelist"), chosen).status_code == 403
        assert fresh(people.alice).is_active

    def test_the_last_administrator_is_told_why_not(self, people, client):
        ann = factories.TraineeFactory(role=Role.ADMINISTRATOR)
        client.force_login(ann)
        answer = client.post(do(ann, "deactivate"), follow=True, headers={"Accept-Language": "en"})
        assert "last active administrator" in answer.content.decode()
        data = {"username": ann.username, "first_name": "", "email": "", "role": "trainee"}
        answer = client.post(page(ann), data, headers={"Accept-Language": "en"})
        assert "last active administrator" in answer.content.decode()
        assert fresh(ann).is_active and fresh(ann).role is Role.ADMINISTRATOR

    def test_superusers_remove_people_and_not_themselves(self, root, people):
        assert root.post(page(people.dora, "delete"), {"post": "yes"}).status_code == 302
        assert not User.objects.filter(username="dora").exists()
        assert Entry.objects.filter(kind="user.removed").count() == 1
        me = User.objects.get(username="root")
        assert root.post(page(me, "delete"), {"post": "yes"}).status_code == 403

    def test_the_page_says_how_the_person_logs_in(self, trainer, people, bob):
        html = trainer.get(page(people.alice), headers={"Accept-Language": "en"}).content.decode()
        assert "the person&#x27;s own" in html
        door.set_password(people.alice.pk, "correct-horse-7", actor=bob)
        html = trainer.get(page(people.alice), headers={"Accept-Language": "en"}).content.decode()
        assert "to be changed at the next log-in" in html

    def test_the_list_costs_the_same_with_many(self, trainer, people, django_assert_num_queries):
        url = reverse("admin:accounts_user_changelist")
        trainer.get(url)
        with CaptureQueriesContext(connection) as few:
            trainer.get(url)
        factories.TraineeFactory.create_batch(20)
        with django_assert_num_queries(len(few)):
            trainer.get(url)
