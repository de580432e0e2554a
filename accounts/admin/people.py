"""People. Trainers look after trainees; roles are given by administrators."""

from datetime import datetime
from math import ceil
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.admin.classes import ClassImport, links_page
from accounts.admin.factors import REMOVE_FACTORS
from accounts.choices import Role
from accounts.domain import guarding, inviting, letters, people
from accounts.domain.roles import may_give_roles, may_look_after
from accounts.forms import START_LINK, START_MAIL, FirstPasswordForm, NewPersonForm, PersonForm
from accounts.models import User
from core import clock
from core.actor import Actor
from core.errors import Refused
from core.theme import actor_of, chip
from core.verbs import Verb, VerbAdmin
from core.words import ago

TONES = {Role.TRAINEE: "unknown", Role.TRAINER: "booked", Role.ADMINISTRATOR: "running"}


# ------------------------------------------------------------------ verbs


def _deactivate(person: User, /, *, actor: Actor, now: datetime) -> None:
    people.deactivate(person.pk, actor=actor, now=now)


def _unlock(person: User, /, *, actor: Actor, now: datetime) -> None:
    lock = guarding.lock_of(person, now)
    if lock is not None:
        guarding.lift(lock.pk, actor=actor, now=now)


def _reactivate(person: User, /, *, actor: Actor, now: datetime) -> None:
    people.reactivate(person.pk, actor=actor, now=now)


def _set_password(person: User, /, *, actor: Actor, now: datetime, password: str) -> None:
    people.set_password(person.pk, password, actor=actor, now=now)


def _make_link(person: User, /, *, actor: Actor, now: datetime, origin: str) -> str:
    return inviting.password_link(person, actor=actor, origin=origin, now=now)


def _show_link(page: VerbAdmin[User], request: HttpRequest, person: User, link: str) -> HttpResponse:
    return links_page(page, request, [(person, link)])


def _invite(person: User, /, *, actor: Actor, now: datetime, origin: str) -> None:
    if not letters.can_send() or not person.email:
        raise Refused.because("no_mail", _("There is no mail server, or no address to write to."))
    letters.invite([person], actor=actor, origin=origin, language=get_language() or "", now=now)


LINK = Verb(
    name="link",
    label=gettext_lazy("Hand out a one-time link"),
    done=gettext_lazy("One-time link made: %(names)s"),
    act=_make_link,
    show=_show_link,
    needs_origin=True,
    icon="link",
    is_offered=lambda person, now: person.is_active,
    in_list=False,
)
INVITE = Verb(
    name="invite",
    label=gettext_lazy("Invite by e-mail"),
    done=gettext_lazy("The link is on its way: %(names)s"),
    act=_invite,
    needs_origin=True,
    icon="mail",
    is_offered=lambda person, now: letters.can_send() and bool(person.email) and person.is_active,
    in_list=False,
)
SET_PASSWORD = Verb(
    name="password",
    label=gettext_lazy("Set a first password …"),
    question=gettext_lazy(
        "Sessions end. At the next log-in the person has to choose a password of their own."
    ),
    done=gettext_lazy("First password set: %(names)s"),
    act=_set_password,
    form=FirstPasswordForm,
    icon="password",
    in_list=False,
)
DEACTIVATE = Verb(
    name="deactivate",
    label=gettext_lazy("Switch off …"),
    question=gettext_lazy(
        "The person is logged out everywhere, personal tokens are deleted, and all bookings that have not begun are "
        "cancelled. A job that is running goes on, for a print may be at work."
    ),
    done=gettext_lazy(
        "Switched off: %(names)s. What was booked is cancelled; a job that is running goes on: abort it if it must end."
    ),
    act=_deactivate,
    icon="person_off",
    is_offered=lambda person, now: person.is_active,
    is_danger=True,
)
REACTIVATE = Verb(
    name="reactivate",
    label=gettext_lazy("Switch on"),
    done=gettext_lazy("Switched on: %(names)s. Bookings and tokens do not come back."),
    act=_reactivate,
    icon="person_check",
    is_offered=lambda person, now: not person.is_active,
)
UNLOCK = Verb(
    name="unlock",
    label=gettext_lazy("Lift the lock"),
    done=gettext_lazy("Open again: %(names)s"),
    act=_unlock,
    icon="lock_open",
    is_offered=lambda person, now: guarding.lock_of(person, now) is not None,
    in_list=False,
)


class RoleFilter(admin.SimpleListFilter):
    """By role."""

    title = gettext_lazy("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Every role."""
        return list(Role.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """Only those in its group."""
        return queryset.filter(groups__name=self.value()) if self.value() in Role.values else queryset


@admin.register(User)
class PersonAdmin(ClassImport, VerbAdmin[User]):
    """One select for the role; staff flags, groups and permissions follow from it."""

    form = PersonForm
    list_display = ["username", "full_name", "email", "role_chip", "is_active", "seen"]
    list_filter = [RoleFilter, "is_active", "must_change_password"]
    search_fields = ["username", "first_name", "last_name", "email"]
    ordering = ["username"]
    verbs = (LINK, INVITE, SET_PASSWORD, UNLOCK, REMOVE_FACTORS, DEACTIVATE, REACTIVATE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the groups, from which the role follows."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """What this person may set."""
        role = ["role"] if may_give_roles(request.user) else []  # type: ignore[arg-type]
        power = ["is_superuser"] if obj is not None and request.user.is_superuser else []
        start = ["start", "password"] if obj is None else []
        return [(None, {"fields": ["username", "first_name", "last_name", "email", *role, *power, *start]})]

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The role is no field at all for those who may not give it."""
        kwargs["form"] = PersonForm if change else NewPersonForm
        form = super().get_form(request, obj, change=change, **kwargs)
        if not may_give_roles(request.user):  # type: ignore[arg-type]
            form.base_fields.pop("role", None)
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Trainers change trainees, administrators everybody but superusers, superusers everybody."""
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or may_look_after(request.user, obj)  # type: ignore[arg-type]

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers, and nobody themselves; who has ever booked is switched off, not deleted."""
        return request.user.is_active and request.user.is_superuser and obj != request.user

    def get_actions(self, request: HttpRequest) -> Any:
        """The verbs; people are deleted one by one."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def panel(self, row: User, now: datetime) -> list[tuple[str, object]]:
        """Whether and how the person can log in."""
        state = chip("free", _("switched on")) if row.is_active else chip("fault", _("switched off"))
        password = _("the person's own")
        if not row.has_usable_password():
            password = _("none yet")
        elif row.must_change_password:
            password = _("a first one, to be changed at the next log-in")
        lock = guarding.lock_of(row, now)
        if lock is not None and lock.locked_until is not None and row.is_active:
            until = guarding.time_left(ceil((lock.locked_until - now).total_seconds()))
            state = chip("fault", _("locked after failed log-ins, for another %(time)s") % {"time": until})
        return [
            (_("Account"), state),
            (_("Password"), password),
            (_("Last log-in"), ago(row.last_login, now)),
            (_("Since"), ago(row.date_joined, now)),
        ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Through the door."""
        actor, now = actor_of(request), clock.now()
        if change:
            people.change_person(obj.pk, form.wanted(), actor=actor, now=now)
            return
        made = people.add_person(form.wanted(), actor=actor, now=now, first_password=form.first_password)
        obj.pk = made.pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Through the door."""
        people.remove(obj.pk, actor=actor_of(request))

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Then the way to the first password, as it was chosen."""
        chosen = {START_LINK: LINK, START_MAIL: INVITE}.get(request.POST.get("start", ""))
        answer = super().response_add(request, obj, post_url_continue)
        return (chosen and self.do(request, chosen, obj)) or answer

    @admin.display(description=gettext_lazy("name"), ordering="first_name")
    def full_name(self, person: User) -> str:
        """First and last name."""
        return person.get_full_name() or "–"

    @admin.display(description=gettext_lazy("role"))
    def role_chip(self, person: User) -> object:
        """Trainee, trainer or administrator."""
        role = person.role
        return chip(TONES[role], role.label)

    @admin.display(description=gettext_lazy("last log-in"), ordering="last_login")
    def seen(self, person: User) -> str:
        """When the person was here last."""
        return ago(person.last_login, clock.now())
