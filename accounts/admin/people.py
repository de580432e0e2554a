"""People. Trainers look after trainees; roles are given by administrators."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.forms import AdminPasswordChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.models import User
from core import clock
from core.forms import DoorForm
from core.theme import chip
from core.words import ago
from journal.admin import JournalledAdmin

TONES = {Role.TRAINEE: "unknown", Role.TRAINER: "booked", Role.ADMINISTRATOR: "running"}


def may_give_roles(request: HttpRequest) -> bool:
    """Administrators; trainers look after trainees only."""
    return (
        request.user.is_authenticated and request.user.is_active and request.user.role is Role.ADMINISTRATOR
    )


def role_of(person: User) -> Role:
    """Like ``User.role``, from groups that a list has fetched already."""
    names = {group.name for group in person.groups.all()}
    if person.is_superuser or Role.ADMINISTRATOR.value in names:
        return Role.ADMINISTRATOR
    return Role.TRAINER if Role.TRAINER.value in names else Role.TRAINEE


class PersonForm(DoorForm[User]):
    """A person without the password: that has its own page."""

    role = forms.ChoiceField(
        label=gettext_lazy("role"), choices=Role.choices, widget=UnfoldAdminSelectWidget()
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "is_active", "is_superuser")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields and self.instance.pk:
            self.initial["role"] = self.instance.role.value


class NewPersonForm(UserCreationForm):
    """A person with a first password."""

    usable_password = None  # type: ignore[assignment] # everybody here logs in with a password

    role = forms.ChoiceField(
        label=gettext_lazy("role"),
        choices=Role.choices,
        initial=Role.TRAINEE,
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")


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


if TYPE_CHECKING:
    _PeopleBase = JournalledAdmin[User]
else:

    class _PeopleBase(JournalledAdmin, DjangoUserAdmin):
        """Django's pages for people, in our theme."""


@admin.register(User)
class PersonAdmin(_PeopleBase):
    """One select for the role; staff flags, groups and permissions follow from it."""

    journal_name: ClassVar[str] = "user"
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "full_name", "email", "role_chip", "is_active", "seen"]
    list_filter = [RoleFilter, "is_active"]
    search_fields = ["username", "first_name", "last_name", "email"]
    ordering = ["username"]
    filter_horizontal = ()
    readonly_fields = ["password_link", "last_login", "date_joined"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the groups, from which the role follows."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """What this person may set."""
        role = ["role"] if may_give_roles(request) else []
        name = ["username", ("first_name", "last_name"), "email"]
        if obj is None:
            return [(None, {"fields": [*name, *role, "password1", "password2"]})]
        power = ["is_superuser"] if request.user.is_superuser else []
        return [
            (None, {"fields": [*name, *role, "is_active", *power]}),
            (gettext_lazy("Log-in"), {"fields": ["password_link", ("last_login", "date_joined")]}),
        ]

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The role is no field at all for those who may not give it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if not may_give_roles(request):
            form.base_fields.pop("role", None)
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Trainers change trainees, administrators everybody but superusers, superusers everybody."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:
            return True
        return not obj.is_superuser and (may_give_roles(request) or role_of(obj) is Role.TRAINEE)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers only; who has ever booked is switched off, not deleted."""
        return request.user.is_active and request.user.is_superuser

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """The role is given through its door; without one in the form a new person is a trainee."""
        super().save_model(request, obj, form, change)
        wanted = form.cleaned_data.get("role") if may_give_roles(request) else None
        if wanted or not change:
            give_role(obj, Role(wanted or Role.TRAINEE))

    @admin.display(description=gettext_lazy("name"), ordering="first_name")
    def full_name(self, person: User) -> str:
        """First and last name."""
        return person.get_full_name() or "–"

    @admin.display(description=gettext_lazy("role"))
    def role_chip(self, person: User) -> object:
        """Trainee, trainer or administrator."""
        role = role_of(person)
        return chip(TONES[role], role.label)

    @admin.display(description=gettext_lazy("last log-in"), ordering="last_login")
    def seen(self, person: User) -> str:
        """When the person was here last."""
        return ago(person.last_login, clock.now())

    @admin.display(description=gettext_lazy("password"))
    def password_link(self, person: User) -> str:
        """The way to the form that sets it; nothing of the password itself."""
        url = reverse("admin:auth_user_password_change", args=[person.pk])
        return format_html('<a class="myp-button" href="{}">{}</a>', url, _("Set a new password …"))
