"""Roles as groups, what they open in the admin, and what people are qualified for."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts.adapter import ClosedDoorAdapter
from accounts.choices import Role
from accounts.domain import queries
from accounts.domain.roles import TRAINER_MAY, ensure_roles, give_role
from accounts.models import Grant, User
from tests import factories

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def test_migrating_makes_the_roles():
    assert set(Group.objects.values_list("name", flat=True)) >= {role.value for role in Role}


@pytest.mark.parametrize("role", [Role.TRAINER, Role.ADMINISTRATOR])
def test_trainers_may_what_the_table_says_and_no_more(role):
    group = Group.objects.get(name=role.value)
    may = {
        f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
    }
    told = {
        f"{label}.{verb}_{model}"
        for label, model, verbs in ((*name.split("."), verbs) for name, verbs in TRAINER_MAY.items())
        for verb in verbs.split()
    }
    assert may == told


@pytest.mark.parametrize(
    "guarded", ["reservations.delete_job", "journal.change_entry", "journal.delete_entry"]
)
def test_nobody_gets_what_must_never_be(guarded):
    label, codename = guarded.split(".")
    permission = Permission.objects.get(content_type__app_label=label, codename=codename)
    assert not Group.objects.filter(permissions=permission).exists()


def test_trainees_open_nothing_in_the_admin(people):
    assert not Group.objects.get(name="trainee").permissions.exists()
    assert not people.alice.is_staff
    assert not people.alice.get_all_permissions()


def test_what_a_role_lost_in_the_table_is_taken_away_and_repeating_is_harmless():
    group = Group.objects.get(name="trainer")
    before = set(group.permissions.values_list("pk", flat=True))
    too_much = Permission.objects.get(content_type__app_label="reservations", codename="delete_job")
    group.permissions.add(too_much)
    for _ in range(2):
        ensure_roles("reservations")
    assert set(group.permissions.values_list("pk", flat=True)) == before


def test_a_second_migration_changes_nothing():
    before = set(Permission.objects.values_list("pk", flat=True))
    call_command("migrate", verbosity=0)
    assert set(Permission.objects.values_list("pk", flat=True)) == before


def test_a_role_replaces_the_one_before_and_opens_the_admin(people):
    person = people.alice
    assert person.role is Role.TRAINEE
    for role, staff in ((Role.TRAINER, True), (Role.ADMINISTRATOR, True), (Role.TRAINEE, False)):
        give_role(person, role)
        assert list(person.groups.values_list("name", flat=True)) == [role.value]
        person.refresh_from_db()
        assert (person.role, person.is_staff, person.is_trainer) == (role, staff, staff)


def test_other_groups_stay(people):
    people.alice.groups.add(Group.objects.create(name="Robotics"))
    give_role(people.alice, Role.TRAINER)
    assert set(people.alice.groups.values_list("name", flat=True)) == {"Robotics", "trainer"}


def test_a_superuser_keeps_the_admin_and_is_an_administrator(people):
    person = people.alice
    person.is_superuser = True
    person.save()
    give_role(person, Role.TRAINEE)
    assert (person.is_staff, person.role, person.is_trainer) == (True, Role.ADMINISTRATOR, True)


def test_who_has_left_trains_nobody(people):
    people.bob.is_active = False
    people.bob.save()
    assert people.bob.role is Role.TRAINER
    assert not people.bob.is_trainer


def test_qualifications_count_from_their_day_until_they_expire(people, now):
    names = ("valid", "for good", "expired", "not yet", "ends now", "begins now")
    made = {name: factories.QualificationFactory(name=name) for name in names}
    spans = {
        "valid": (now - DAY, now + DAY),
        "for good": (now - DAY, None),
        "expired": (now - 2 * DAY, now - DAY),
        "not yet": (now + DAY, None),
        "ends now": (now - DAY, now),
        "begins now": (now, None),
    }
    for name, (since, until) in spans.items():
        factories.GrantFactory(
            user=people.alice, qualification=made[name], granted_at=since, expires_at=until
        )
    held = queries.held_qualifications(people.alice.pk, now)
    assert held == {made[name].pk for name in ("valid", "for good", "begins now")}
    assert queries.held_qualifications(people.dora.pk, now) == set()


def test_a_qualification_is_granted_once(people, now):
    laser = factories.QualificationFactory(name="Laser")
    grant = factories.GrantFactory(user=people.alice, qualification=laser, granted_at=now)
    assert (str(laser), str(grant)) == ("Laser", "Alice: Laser")
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(user=people.alice, qualification=laser, granted_at=now)


def test_bookable_people_are_the_active_ones_by_name(people):
    people.charlie.is_active = False
    people.charlie.save()
    assert [person.username for person in queries.bookable_people()] == ["alice", "bob", "dora"]


def test_an_address_belongs_to_one_person_however_it_is_written(people):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.TraineeFactory(email="ALICE@workshop.test")
    factories.TraineeFactory(email="")
    factories.TraineeFactory(email="")


def test_a_person_without_a_name_goes_by_the_login(people):
    assert str(people.alice) == "Alice"
    assert str(User(username="machine")) == "machine"


def test_nobody_signs_up_alone(rf):
    assert not ClosedDoorAdapter().is_open_for_signup(rf.get("/"))
