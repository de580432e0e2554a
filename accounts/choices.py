"""Names that accounts use."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """A role is a group of this name."""

    TRAINEE = "trainee", _("Trainee")
    TRAINER = "trainer", _("Trainer")
    ADMINISTRATOR = "administrator", _("Administrator")


class Scope(models.TextChoices):
    """What a personal token may do."""

    READ = "read", _("read")
    WRITE = "write", _("read and write")


class GuardKind(models.TextChoices):
    """What a lock-out holds."""

    USER = "user", _("account")
    ADDRESS = "address", _("address")
