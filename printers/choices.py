"""Names that machines use."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What a machine is."""

    PRINTER = "printer", _("3D printer")
    LASER = "laser", _("Laser cutter")
    CNC = "cnc", _("CNC mill")
    OTHER = "other", _("Other machine")


class Service(models.TextChoices):
    """Whether a machine may be used, as trainers set it."""

    IN_SERVICE = "in_service", _("In service")
    MAINTENANCE = "maintenance", _("Maintenance")
    OUT_OF_ORDER = "out_of_order", _("Out of order")


class Activity(models.TextChoices):
    """What a machine does, judged by its draw."""

    UNPOWERED = "unpowered", _("without power")
    IDLE = "idle", _("idle")
    BUSY = "busy", _("working")
    UNKNOWN = "unknown", _("unknown")


class Weekday(models.IntegerChoices):
    """ISO weekdays."""

    MONDAY = 1, _("Monday")
    TUESDAY = 2, _("Tuesday")
    WEDNESDAY = 3, _("Wednesday")
    THURSDAY = 4, _("Thursday")
    FRIDAY = 5, _("Friday")
    SATURDAY = 6, _("Saturday")
    SUNDAY = 7, _("Sunday")
