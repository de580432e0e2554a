"""The door for people: add, change, switch off and on, set a password, remove.

Every surface comes through here: the admin, the REST API, the import of a class, a person's own page. Trainers look
after trainees; roles, trainers and administrators are the administrators' business; superusers are the superusers'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, cast

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.domain import letters, naming, sessions
from accounts.domain.naming import TEXTS, taken, username_taken, wrong_with
from accounts.domain.roles import give_role, may_give_roles, may_look_after
from accounts.models import PersonalToken, User
from accounts.signals import Ended, person_deactivated
from core import clock
from core.actor import Actor
from core.errors import Refused, Violation
from journal.domain.recording import Event, record


class Fields(TypedDict, total=False):
    """What can be said of a person; what is left out stays as it is."""

    username: str
    first_name: str
    last_name: str
    email: str
    role: Role
    is_superuser: bool
    must_change_password: bool


# What people may change of themselves. The name is the workshop's: nobody goes by somebody else's.
OWN = {"email"}


@dataclass(frozen=True, slots=True)
class Leaving:
    """What switching a person off brought about."""

    person: User
    cancelled: tuple[str, ...]
    running: tuple[str, ...]
    is_told: bool


def add_person(
    fields: Fields, *, actor: Actor, now: datetime | None = None, first_password: str | None = None
) -> User:
    """Make an account, a trainee's unless said otherwise.

    With a first password the person has to choose another at the first log-in, unless the fields say that it is
    theirs already; without one they need a link.
    """
    return add_people([fields], actor=actor, now=now, first_password=first_password)[0]


@transaction.atomic
def add_people(
    rows: Sequence[Fields], *, actor: Actor, now: datetime | None = None, first_password: str | None = None
) -> list[User]:
    """Make several accounts, or none. Violations name the row when there is more than one."""
    _demand_adding(_keeper(actor), rows)
    known = naming.known() if len(rows) > 1 else None
    drafts, violations = [], []
    for number, fields in enumerate(rows, start=1):
        try:
            drafts.append(_draft(fields, first_password, known))
        except Refused as no:
            if len(rows) == 1:
                raise
            violations += [_in_row(number, violation) for violation in no.violations]
    if violations:
        raise Refused(violations)
    made = _write(drafts)
    record([Event("user.added", person) for person in made], actor=actor, now=now or clock.now())
    return made


@transaction.atomic
def change_person(person_id: int, fields: Fields, *, actor: Actor, now: datetime | None = None) -> User:
    """Change what the fields say. Raises ``User.DoesNotExist`` and :class:`Refused` with every violation."""
    now = now or clock.now()
    person = take(person_id, among_administrators="role" in fields or "is_superuser" in fields)
    changed = {name: value for name, value in _clean(fields).items() if value != getattr(person, name)}
    _demand_change(_keeper(actor), person, changed)
    if not changed:
        return person
    role, before = changed.get("role", person.role), person.role
    is_administrator = changed.get("is_superuser", person.is_superuser) or role is Role.ADMINISTRATOR
    if not is_administrator:
        _demand_successor(person)
    for name in changed.keys() - {"role"}:
        setattr(person, name, changed[name])
    _save(person)
    if "email" in changed:
        # The former address must neither log anybody in nor receive a link.
        EmailAddress.objects.filter(user=person).exclude(email=person.email).delete()
    if {"role", "is_superuser"} & changed.keys():
        give_role(person, role)
    events = [Event("user.changed", person, {"fields": sorted(changed)})]
    if person.role is not before:
        events.append(Event("user.role_given", person, {"from": before, "to": person.role}))
    record(events, actor=actor, now=now)
    return person


@transaction.atomic
def deactivate(person_id: int, *, actor: Actor, now: datetime | None = None) -> Leaving:
    """Switch a person off, at once and everywhere: sessions and tokens end, what they have booked is cancelled.

    A job that is running goes on, for a print may be at work.
    """
    now = now or clock.now()
    person = take(person_id, among_administrators=True)
    _demand_care(_keeper(actor), person)
    if not person.is_active:
        raise Refused.because("is_inactive", _("This account is switched off already."), field="is_active")
    _demand_successor(person)
    person.is_active = False
    person.save(update_fields=["is_active"])
    ended_sessions = sessions.forget_all(person.pk)
    ended_tokens, _rows = PersonalToken.objects.filter(user=person).delete()
    answers: list[tuple[Any, Any]] = person_deactivated.send(User, person=person, actor=actor, now=now)
    ended: list[Ended] = [answer for _receiver, answer in answers]
    cancelled = tuple(line for answer in ended for line in answer.cancelled)
    running = tuple(line for answer in ended for line in answer.running)
    told = {"sessions": ended_sessions, "tokens": ended_tokens, "cancelled": len(cancelled)}
    record([Event("user.deactivated", person, told)], actor=actor, now=now)
    return Leaving(person, cancelled, running, is_told=letters.tell_closed(person, cancelled, now=now))


@transaction.atomic
def reactivate(person_id: int, *, actor: Actor, now: datetime | None = None) -> User:
    """Let a person log in again; nothing that ended comes back."""
    person = take(person_id)
    _demand_care(_keeper(actor), person)
    if person.is_active:
        raise Refused.because("is_active", _("This account is switched on already."), field="is_active")
    sessions.forget_all(person.pk)  # one that was being written while the account was switched off
    person.is_active = True
    person.save(update_fields=["is_active"])
    record([Event("user.reactivated", person)], actor=actor, now=now or clock.now())
    return person


@transaction.atomic
def set_password(person_id: int, password: str, *, actor: Actor, now: datetime | None = None) -> User:
    """Give somebody else a password for the first log-in; they then have to choose their own."""
    person = take(person_id)
    _demand_care(_keeper(actor), person)
    if person.pk == actor.user_id:
        raise Refused.because("not_allowed", _("Change your own password on your own page."))
    _give_first_password(person, password)
    person.save(update_fields=["password", "must_change_password"])
    sessions.forget_all(person.pk)
    record([Event("user.password_set", person)], actor=actor, now=now or clock.now())
    return person


@transaction.atomic
def remove(person_id: int, *, actor: Actor, now: datetime | None = None) -> None:
    """Delete a person who has never booked; superusers only. Everybody else is switched off."""
    person = take(person_id)
    keeper = _keeper(actor)
    if keeper is not None and (not keeper.is_active or not keeper.is_superuser or keeper.pk == person.pk):
        raise Refused.because("not_allowed", _("Only superusers delete people, and never themselves."))
    sessions.forget_all(person.pk)
    record([Event("user.removed", person)], actor=actor, now=now or clock.now())
    person.delete()


# ------------------------------------------------------------------ rights


def _keeper(actor: Actor) -> User | None:
    """Who acts; None is the system, whom nobody has to ask for rights."""
    return None if actor.user_id is None else User.objects.get(pk=actor.user_id)


def _demand_care(keeper: User | None, person: User) -> None:
    if keeper is not None and not may_look_after(keeper, person):
        raise Refused.because("not_allowed", _("You do not look after this person."))


def _demand_adding(keeper: User | None, rows: Sequence[Fields]) -> None:
    if keeper is None:
        return
    if not keeper.is_trainer:
        raise Refused.because("not_allowed", _("Only trainers add people."))
    for fields in rows:
        _demand_power(keeper, cast("dict[str, Any]", fields), Role.TRAINEE)


def _demand_change(keeper: User | None, person: User, changed: dict[str, Any]) -> None:
    if keeper is None or (keeper.pk == person.pk and keeper.is_active and changed.keys() <= OWN):
        return
    _demand_care(keeper, person)
    _demand_power(keeper, changed, person.role)


def _demand_power(keeper: User, fields: dict[str, Any], role: Role) -> None:
    if fields.get("role", role) != role and not may_give_roles(keeper):
        raise Refused.because("not_allowed", _("Only administrators give roles."), field="role")
    if "is_superuser" in fields and not keeper.is_superuser:
        raise Refused.because("not_allowed", _("Only superusers make superusers."), field="is_superuser")


def _administrators() -> QuerySet[User]:
    leads = Q(is_superuser=True) | Q(groups__name=Role.ADMINISTRATOR.value)
    return User.objects.filter(leads, is_active=True)


def _demand_successor(person: User) -> None:
    """Somebody has to be left who can give roles. The administrators are locked: two cannot step down at once."""
    administrators = set(_administrators().values_list("pk", flat=True))
    if administrators == {person.pk}:
        message = _("This is the last active administrator. Make somebody else one first.")
        raise Refused.because("last_administrator", message, field="role")


# ------------------------------------------------------------------ steps


def take(person_id: int, *, among_administrators: bool = False) -> User:
    """Lock the person, and the administrators where their number counts, in one order for all.

    For doors, and for whoever compares what they know of the person before going through one.
    """
    wanted = Q(pk=person_id)
    if among_administrators:
        wanted |= Q(pk__in=_administrators().values("pk"))
    rows = User.objects.select_for_update().filter(wanted).order_by("pk")
    taken = next((row for row in rows if row.pk == person_id), None)
    if taken is None:
        raise User.DoesNotExist
    return taken


def _clean(fields: Fields) -> dict[str, Any]:
    """Texts without blanks around them, the address in small letters: log-in looks for it so."""
    cleaned: dict[str, Any] = dict(fields)
    for name in TEXTS:
        if name in cleaned:
            cleaned[name] = cleaned[name].strip()
    if "email" in cleaned:
        cleaned["email"] = cleaned["email"].lower()
    return cleaned


def _draft(fields: Fields, first_password: str | None, known: set[str] | None) -> tuple[User, Role]:
    """A person as they will be, and their role; raises :class:`Refused` when that cannot be."""
    cleaned = _clean(fields)
    role = cleaned.pop("role", Role.TRAINEE)
    person = User(**{"username": "", **cleaned})
    person.is_staff = person.is_superuser or role is not Role.TRAINEE
    person.set_unusable_password()
    if first_password is not None:
        _give_first_password(person, first_password)
        person.must_change_password = cleaned.get("must_change_password", True)
    if violations := wrong_with(person, known):
        raise Refused(violations)
    if known is not None:
        known |= {person.username.lower(), person.email} - {""}
    return person, role


def _write(drafts: Sequence[tuple[User, Role]]) -> list[User]:
    """A few statements, however many people: meanwhile nobody else writes."""
    made = [person for person, _role in drafts]
    try:
        with transaction.atomic():
            User.objects.bulk_create(made)
    except IntegrityError as error:  # somebody else was quicker
        raise Refused(_lost_to_others(made)) from error
    groups = dict(Group.objects.values_list("name", "pk"))
    belongs = User.groups.through
    belongs.objects.bulk_create(
        belongs(user_id=person.pk, group_id=groups[role.value]) for person, role in drafts
    )
    return made


def _lost_to_others(made: Sequence[User]) -> list[Violation]:
    return [violation for person in made for violation in taken(person)] or [username_taken()]


def _give_first_password(person: User, password: str) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Refused(
            Violation(str(one.code), "password", " ".join(one.messages)) for one in error.error_list
        ) from error
    person.set_password(password)
    person.must_change_password = True


def _save(person: User) -> None:
    if violations := wrong_with(person):
        raise Refused(violations)
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError as error:  # somebody else was quicker
        raise Refused(_lost_to_others([person])) from error


def _in_row(number: int, violation: Violation) -> Violation:
    message = _("Row %(number)d: %(message)s") % {"number": number, "message": violation.message}
    return Violation(violation.code, violation.field, message)
