"""Names that plugs use."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CommandResult(models.TextChoices):
    """What became of a command."""

    PENDING = "pending", _("under way")
    CONFIRMED = "confirmed", _("confirmed by the plug")
    HELD = "held", _("held back: the machine draws power")
    FAILED = "failed", _("failed, is tried again")
    SUPERSEDED = "superseded", _("overtaken by a later command")


class Health(models.TextChoices):
    """How well we reach a plug."""

    FINE = "fine", _("in contact")
    TROUBLE = "trouble", _("last contact failed")
    DEAD = "dead", _("not reachable")
    SUSPENDED = "suspended", _("login refused: waiting for a person")
    UNKNOWN = "unknown", _("not asked yet")
