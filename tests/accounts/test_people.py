"""The door for people: who may do what to whom, what is refused and why, and what goes with a person who leaves."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client

from accounts.adapter import ClosedDoorAdapter
from accounts.choices import Role, Scope
from accounts.domain import people as door
from accounts.domain import tokens
from accounts.models import PersonalToken, User
from core.actor import SYSTEM, Actor, Channel
from core.errors import Refused
from journal.models import Entry
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.models import Job
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
EMIL = {"username": "emil", "first_name": "Emil", "last_name": "Neu", "email": "Emil@Workshop.test"}


def admin_actor(**more):
    return Actor(factories.TraineeFactory(role=Role.ADMINISTRATOR, **more).pk, Channel.ADMIN)


def root_actor():
    return Actor(User.objects.create_superuser("root", password="demo").pk, Channel.ADMIN)


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.codes


class TestAdding:
    def test_makes_a_trainee_without_a_password(self, bob, now):
        emil = door.add_person(EMIL, actor=bob, now=now)

        assert (emil.role, emil.is_staff, emil.has_usable_password()) == (Role.TRAINEE, False, False)
        assert emil.email == "emil@workshop.test"
        assert Entry.objects.get(kind="user.added").actor_id == bob.user_id

    def test_a_first_password_has_to_be_changed(self, bob):
        emil = door.add_person(EMIL, actor=bob, first_password="correct-horse-7")

        assert emil.check_password("correct-horse-7") and emil.must_change_password

    @pytest.mark.parametrize("password", ["short", "12345678901", "emil@workshop.test"])
    def test_a_weak_first_password_is_refused(self, bob, password):
        assert refused(door.add_person, EMIL, actor=bob, first_password=password)
        assert not User.objects.filter(username="emil").exists()

    @pytest.mark.parametrize("who", ["alice", "gone"])
    def test_is_for_trainers(self, people, alice, bob, who):
        User.objects.filter(pk=people.bob.pk).update(is_active=False)
        actor = {"alice": alice, "gone": bob}[who]

        assert refused(door.add_person, EMIL, actor=actor) == ("not_allowed",)

    def test_trainers_give_no_roles(self, bob):
        assert refused(door.add_person, {**EMIL, "role": Role.TRAINER}, actor=bob) == ("not_allowed",)
        assert refused(door.add_person, {**EMIL, "is_superuser": True}, actor=bob) == ("not_allowed",)

    def test_administrators_give_roles_but_make_no_superusers(self):
        actor = admin_actor()

        assert door.add_person({**EMIL, "role": Role.ADMINISTRATOR}, actor=actor).is_staff
        other = {"username": "fine", "is_superuser": True}
        assert refused(door.add_person, other, actor=actor) == ("not_allowed",)

    @pytest.mark.parametrize(
        ("fields", "codes"),
        [
            ({"username": ""}, ("username_invalid",)),
            ({"username": "a b"}, ("username_invalid",)),
            ({"username": "ALICE"}, ("username_taken",)),
            ({"username": "alice@workshop.test"}, ("username_taken",)),
            ({"username": "x", "email": "ALICE@workshop.test"}, ("email_taken",)),
            ({"username": "x", "email": "nonsense"}, ("email_invalid",)),
            ({"username": "x", "email": "a@b.test\nBcc: c@d.test"}, ("email_invalid",)),
            ({"username": "x", "first_name": "a\x00b"}, ("first_name_invalid",)),
            ({"username": "x", "last_name": "y" * 151}, ("last_name_invalid",)),
            ({"username": "", "email": "nonsense"}, ("username_invalid", "email_invalid")),
            ({"username": "Alice", "email": "alice@workshop.test"}, ("username_taken", "email_taken")),
        ],
    )
    def test_says_everything_that_is_wrong(self, bob, people, fields, codes):
        assert refused(door.add_person, fields, actor=bob) == codes

    def test_several_or_none_and_says_which(self, bob, people):
        with pytest.raises(Refused) as no:
            door.add_people([EMIL, {"username": "alice"}], actor=bob)

        assert "2" in str(no.value.violations[0].message)
        assert not User.objects.filter(username="emil").exists()


class TestChanging:
    def test_writes_what_changed(self, bob, people):
        door.change_person(people.alice.pk, {"first_name": " Alicia ", "last_name": ""}, actor=bob)

        assert User.objects.get(pk=people.alice.pk).first_name == "Alicia"
        assert Entry.objects.get(kind="user.changed").data == {"fields": ["first_name"]}

    def test_writes_nothing_when_nothing_changed(self, bob, people):
        door.change_person(people.alice.pk, {"first_name": "Alice", "role": Role.TRAINEE}, actor=bob)

        assert not Entry.objects.exists()

    def test_oneself_may_change_the_address_and_no_more(self, alice, charlie, people):
        door.change_person(people.alice.pk, {"email": "new@workshop.test"}, actor=alice)
        assert User.objects.get(pk=people.alice.pk).email == "new@workshop.test"

        for fields in (
            {"first_name": "Thea"},
            {"username": "boss"},
            {"role": Role.TRAINER},
            {"is_superuser": True},
        ):
            assert refused(door.change_person, people.alice.pk, fields, actor=alice) == ("not_allowed",)
        assert refused(door.change_person, people.alice.pk, {"email": "x@y.test"}, actor=charlie) == (
            "not_allowed",
        )

    def test_who_is_switched_off_changes_nothing(self, alice, people):
        User.objects.filter(pk=people.alice.pk).update(is_active=False)

        assert refused(door.change_person, people.alice.pk, {"email": "x@y.test"}, actor=alice) == (
            "not_allowed",
        )

    def test_the_former_address_opens_nothing_more(self, alice, people):
        EmailAddress.objects.create(user=people.alice, email=people.alice.email, verified=True, primary=True)

        door.change_person(people.alice.pk, {"email": "new@workshop.test"}, actor=alice)

        assert not EmailAddress.objects.filter(email="alice@workshop.test").exists()
        assert (
            Client()
            .post("/accounts/login/", {"login": "alice@workshop.test", "password": "demo"})
            .status_code
            == 200
        )
        assert (
            Client().post("/accounts/login/", {"login": "new@workshop.test", "password": "demo"}).status_code
            == 302
        )

    def test_trainers_leave_each_other_alone(self, bob):
        for other in (factories.TrainerFactory(), factories.TraineeFactory(role=Role.ADMINISTRATOR)):
            assert refused(door.change_person, other.pk, {"first_name": "X"}, actor=bob) == ("not_allowed",)

    def test_administrators_leave_superusers_alone(self):
        root = root_actor()
        assert refused(door.change_person, root.user_id, {"first_name": "X"}, actor=admin_actor()) == (
            "not_allowed",
        )

    def test_a_role_is_given_and_told(self, people):
        door.change_person(people.alice.pk, {"role": Role.TRAINER}, actor=admin_actor())

        alice = User.objects.get(pk=people.alice.pk)
        assert (alice.role, alice.is_staff) == (Role.TRAINER, True)
        assert Entry.objects.get(kind="user.role_given").data == {"from": "trainee", "to": "trainer"}

    def test_the_last_administrator_stays_one(self):
        actor = admin_actor()

        assert refused(door.change_person, actor.user_id, {"role": Role.TRAINEE}, actor=actor) == (
            "last_administrator",
        )
        assert refused(door.deactivate, actor.user_id, actor=actor) == ("last_administrator",)
        gone = admin_actor(is_active=False)
        assert gone and refused(door.deactivate, actor.user_id, actor=actor) == ("last_administrator",)
        admin_actor()
        door.change_person(actor.user_id, {"role": Role.TRAINEE}, actor=actor)
        assert User.objects.get(pk=actor.user_id).role is Role.TRAINEE

    def test_the_last_superuser_may_step_down_where_an_administrator_is_left(self):
        root = root_actor()
        assert refused(
            door.change_person, root.user_id, {"is_superuser": False, "role": Role.TRAINEE}, actor=root
        ) == ("last_administrator",)
        admin_actor()

        door.change_person(root.user_id, {"is_superuser": False, "role": Role.TRAINEE}, actor=root)

        person = User.objects.get(pk=root.user_id)
        assert (person.is_superuser, person.is_staff, person.role) == (False, False, Role.TRAINEE)


class TestPasswords:
    def test_a_trainer_sets_one_and_it_has_to_be_changed(self, bob, people, client):
        client.force_login(people.alice)

        door.set_password(people.alice.pk, "correct-horse-7", actor=bob)

        alice = User.objects.get(pk=people.alice.pk)
        assert alice.check_password("correct-horse-7") and alice.must_change_password
        assert client.get("/").status_code == 302
        assert not Session.objects.exists()
        assert "correct" not in str(Entry.objects.get(kind="user.password_set").data)

    def test_nobody_reaches_upwards(self, bob, alice, people):
        for person in (
            factories.TrainerFactory(),
            people.bob,
            factories.TraineeFactory(role=Role.ADMINISTRATOR),
        ):
            assert refused(door.set_password, person.pk, "correct-horse-7", actor=bob) == ("not_allowed",)
        assert refused(door.set_password, people.charlie.pk, "correct-horse-7", actor=alice) == (
            "not_allowed",
        )

    def test_ones_own_has_its_own_page(self):
        actor = admin_actor()
        assert refused(door.set_password, actor.user_id, "correct-horse-7", actor=actor) == ("not_allowed",)

    def test_weak_ones_are_refused_at_their_field(self, bob, people):
        with pytest.raises(Refused) as no:
            door.set_password(people.alice.pk, "123", actor=bob)
        assert {v.field for v in no.value.violations} == {"password"}
        assert "password_too_short" in no.value.codes


class TestLeaving:
    @pytest.fixture
    def jobs(self, alice, printer, now):
        """One that runs, one to come, one elsewhere to come that waits for approval, one over."""
        waits = factories.PrinterFactory(needs_approval=True)
        other = factories.PrinterFactory()
        running = booking.book(Wish(printer.pk, alice.user_id, now + HOUR, now, "run"), actor=alice, now=now)
        booked = booking.book(
            Wish(printer.pk, alice.user_id, now + 5 * HOUR, now + 3 * HOUR), actor=alice, now=now
        )
        pending = booking.book(
            Wish(waits.pk, alice.user_id, now + 5 * HOUR, now + 3 * HOUR), actor=alice, now=now
        )
        over = booking.book(Wish(other.pk, alice.user_id, now + HOUR, now), actor=alice, now=now)
        lifecycle.finish(over.pk, actor=alice, now=now)
        return {"running": running, "booked": booked, "pending": pending, "over": over}

    def test_future_jobs_are_cancelled_and_a_running_one_goes_on(self, bob, people, jobs, now):
        leaving = door.deactivate(people.alice.pk, actor=bob, now=now)

        states = {name: Job.objects.get(pk=job.pk).state for name, job in jobs.items()}
        assert states == {
            "running": State.RUNNING,
            "booked": State.CANCELLED,
            "pending": State.CANCELLED,
            "over": State.FINISHED,
        }
        assert (len(leaving.cancelled), len(leaving.running)) == (2, 1)
        assert Entry.objects.filter(kind="job.cancelled", actor_id=bob.user_id).count() == 2
        assert str(jobs["booked"].printer) in leaving.cancelled[0] and "4.2. 13:00" in leaving.cancelled[0]

    def test_sessions_and_tokens_end_for_good(self, bob, people, now):
        alice = Actor(people.alice.pk, Channel.WEB)
        _token, key = tokens.issue(people.alice.pk, "script", Scope.READ, None, actor=alice, now=now)
        phone, desk, charlie = Client(), Client(), Client()
        phone.post("/accounts/login/", {"login": "alice", "password": "demo"})
        desk.force_login(people.alice)  # one that allauth has not listed
        charlie.force_login(people.charlie)

        door.deactivate(people.alice.pk, actor=bob, now=now)
        assert [phone.get("/").status_code, desk.get("/").status_code] == [302, 302]
        door.reactivate(people.alice.pk, actor=bob, now=now)

        assert [phone.get("/").status_code, desk.get("/").status_code] == [302, 302]
        assert charlie.get("/").status_code == 200
        assert tokens.find(key, now) is None and not PersonalToken.objects.exists()
        assert {s.get_decoded().get(SESSION_KEY) for s in Session.objects.all()} == {str(people.charlie.pk)}
        assert Client().post("/accounts/login/", {"login": "alice", "password": "demo"}).status_code == 302

    def test_nobody_is_told_without_a_mail_server(self, bob, people, now):
        assert door.deactivate(people.alice.pk, actor=bob, now=now).is_told is False
        assert Entry.objects.get(kind="user.not_told").data == {"letter": "closed"}
        assert mail.outbox == []

    def test_twice_is_refused(self, bob, people):
        assert refused(door.reactivate, people.alice.pk, actor=bob) == ("is_active",)
        door.deactivate(people.alice.pk, actor=bob)
        assert refused(door.deactivate, people.alice.pk, actor=bob) == ("is_inactive",)

    def test_nobody_is_switched_off_from_below(self, alice, bob, people):
        assert refused(door.deactivate, people.charlie.pk, actor=alice) == ("not_allowed",)
        assert refused(door.deactivate, factories.TrainerFactory().pk, actor=bob) == ("not_allowed",)
        assert refused(door.reactivate, people.charlie.pk, actor=alice) == ("not_allowed",)

    def test_the_system_may(self, people):
        assert door.deactivate(people.bob.pk, actor=SYSTEM).person == people.bob

    def test_who_is_gone_books_nothing(self, bob, alice, people, printer, now):
        door.deactivate(people.alice.pk, actor=bob, now=now)
        assert "owner_inactive" in refused(
            booking.book, Wish(printer.pk, people.alice.pk, now + HOUR), actor=bob, now=now
        )

    def test_a_password_form_that_was_open_switches_nobody_on(self, bob, people):
        """The page read the person before; what it writes is the password alone."""
        stale = User.objects.get(pk=people.alice.pk)
        door.deactivate(people.alice.pk, actor=bob)

        ClosedDoorAdapter().set_password(stale, "correct-horse-7")

        alice = User.objects.get(pk=people.alice.pk)
        assert not alice.is_active and alice.check_password("correct-horse-7")


class TestRemoving:
    def test_superusers_remove_who_never_booked(self, people):
        root = root_actor()
        door.remove(people.dora.pk, actor=root)

        assert not User.objects.filter(username="dora").exists()
        assert Entry.objects.get(kind="user.removed").subject_label == "Dora"
        assert refused(door.remove, root.user_id, actor=root) == ("not_allowed",)

    def test_others_do_not(self, bob, people):
        for actor in (bob, admin_actor()):
            assert refused(door.remove, people.dora.pk, actor=actor) == ("not_allowed",)


@pytest.mark.parametrize("call", ["change", "deactivate", "reactivate", "set_password", "remove"])
def test_who_does_not_exist(bob, call):
    arguments = {"change": ({"first_name": "X"},), "set_password": ("correct-horse-7",)}.get(call, ())
    verb = getattr(door, "change_person" if call == "change" else call)
    with pytest.raises(User.DoesNotExist):
        verb(10**6, *arguments, actor=bob)
