"""People, and what they are qualified for."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.choices import Role


class User(AbstractUser):
    """A person who can log in. What they may do follows from their role, a group."""

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
        names = set(self.groups.values_list("name", flat=True))
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
