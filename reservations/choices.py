"""Names that bookings use."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """Where a job stands."""

    PENDING = "pending", _("waiting for approval")
    BOOKED = "booked", _("booked")
    RUNNING = "running", _("running")
    FINISHED = "finished", _("finished")
    REFUSED = "refused", _("refused")
    CANCELLED = "cancelled", _("cancelled")
    MISSED = "missed", _("missed")
    ABORTED = "aborted", _("aborted")


# While in one of these, a job occupies its machine.
OCCUPYING = (State.PENDING, State.BOOKED, State.RUNNING)

# From where to where a job may go; everything else is refused.
MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.BOOKED, State.REFUSED, State.CANCELLED}),
    State.BOOKED: frozenset({State.RUNNING, State.CANCELLED, State.MISSED}),
    State.RUNNING: frozenset({State.FINISHED, State.ABORTED}),
}


class MachineState(models.TextChoices):
    """How a machine stands right now, as people see it."""

    FREE = "free", _("free")
    BOOKED = "booked", _("booked")
    IN_USE = "in_use", _("in use")
    PRINTING = "printing", _("printing")
    ATTENTION = "attention", _("needs attention")
    MAINTENANCE = "maintenance", _("maintenance")
    OUT_OF_ORDER = "out_of_order", _("out of order")
