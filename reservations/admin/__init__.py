"""Bookings for trainers: jobs, what shuts machines, and the limits for everybody."""

from plugs.wording import REASONS as PLUG_REASONS
from reservations.admin.jobs import JobAdmin
from reservations.admin.limits import BookingLimitsAdmin
from reservations.admin.outages import OutageAdmin
from reservations.domain.wording import REASONS

# The plugs' pages say why they were switched in the words of who decides it.
PLUG_REASONS.update({reason.value: words for reason, words in REASONS.items()})

__all__ = ["BookingLimitsAdmin", "JobAdmin", "OutageAdmin"]
