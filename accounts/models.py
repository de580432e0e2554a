"""People, and what they are qualified for."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.choices import GuardKind, Role, Scope


class User(AbstractUser):
    """A person who can log in. What they may do follows from their role, a group."""

    must_change_password = models.BooleanField(
        _("has to choose a password of their own"),
        default=False,
        help_text=_("Until then every page leads to the form for it."),
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="accounts_email_once", condition=~models.Q(email="")
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @cached_property
    def role(self) -> Role:
        """The highest role the person has."""
        if self.is_superuser:
            return Role.ADMINISTRATOR
        names = {group.name for group in self.groups.all()}  # a list may have fetched them already
        for role in (Role.ADMINISTRATOR, Role.TRAINER):
            if role.value in names:
                return role
        return Role.TRAINEE

    @property
    def is_trainer(self) -> bool:
        """Trainers and administrators: they may act for others and waive rules with a reason."""
        return self.is_active and self.role is not Role.TRAINEE

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Forget the role along with the rest."""
        self.__dict__.pop("role", None)
        super().refresh_from_db(*args, **kwargs)


class Qualification(models.Model):
    """Something a person must have learned before they may use a machine."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.TextField(_("what it covers, and how to get it"), blank=True)

    class Meta:
        verbose_name = _("qualification")
        verbose_name_plural = _("qualifications")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """A person holds a qualification, until a day or for good."""

    user = models.ForeignKey(User, verbose_name=_("person"), on_delete=models.CASCADE, related_name="grants")
    qualification = models.ForeignKey(
        Qualification, verbose_name=_("qualification"), on_delete=models.CASCADE, related_name="grants"
    )
    granted_at = models.DateTimeField(_("granted at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    granted_by = models.ForeignKey(
        User, verbose_name=_("granted by"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("granted qualification")
        verbose_name_plural = _("granted qualifications")
        constraints = [
            models.UniqueConstraint(fields=["user", "qualification"], name="accounts_grant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.qualification}"


class PersonalToken(models.Model):
    """A key for a person's own scripts and calendars. Only its digest is kept; it is shown once."""

    user = models.ForeignKey(User, verbose_name=_("person"), on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=100)
    # With a context, or the German word would take the place of the month's in dates.
    scope = models.CharField(pgettext_lazy("token", "may"), max_length=10, choices=Scope, default=Scope.READ)
    digest = models.CharField(max_length=64, unique=True, editable=False)  # SHA-256, hex
    hint = models.CharField(_("begins with"), max_length=12, editable=False)
    created_at = models.DateTimeField(_("made at"))
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("personal token")
        verbose_name_plural = _("personal tokens")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="accounts_token_name_once")]

    def __str__(self) -> str:
        return self.name


UNKNOWN = "?"  # what a guard's key begins with when nobody has the name; no user name begins with it


def named(key: str) -> str:
    """A guard's key in words; of a name that nobody has, the digest is all there is."""
    if key.startswith(UNKNOWN):
        return gettext("unknown name (%(digest)s)") % {"digest": key.removeprefix(UNKNOWN)}
    return key


class LoginGuard(models.Model):
    """Counts failed log-ins of one name or from one address, and holds until when it is locked.

    An attempt is counted before the password is looked at and taken back on success, so that attempts
    at the same instant cannot slip past the limit. ``names``: for an address, the names that failed from it.
    """

    kind = models.CharField(_("kind"), max_length=10, choices=GuardKind)
    key = models.CharField(_("name or address"), max_length=200)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    names = models.JSONField(_("names"), default=list, blank=True)
    level = models.PositiveSmallIntegerField(_("lock-outs in a row"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True, blank=True)
    changed_at = models.DateTimeField(_("last attempt at"))

    class Meta:
        verbose_name = _("lock-out")
        verbose_name_plural = _("lock-outs")
        ordering = ["-changed_at"]
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="accounts_guard_once")]
        indexes = [models.Index(fields=["changed_at"], name="accounts_guard_changed")]

    def __str__(self) -> str:
        return named(self.key)
