"""Jobs, the plan of each machine's power, and the site's limits.

Job rows are written by the doors in ``reservations.domain`` only; a test holds that.
"""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _

from printers.models import Printer
from reservations.choices import OCCUPYING, State


class _Word(Value):
    """A word of ours, written into the statement itself: SQLite uses a partial index only for what it can read there."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        """Quoted; our words hold no quote."""
        return f"'{self.value}'", ()


# The jobs that are in the way. Ask it like this, not with ``state__in``: it fits the index of open jobs, so that the
# answer takes as long as there are open jobs, however many are over.
OCCUPIES = Q(state__in=[_Word(state.value) for state in OCCUPYING])


class Job(models.Model):
    """A booking of one machine for the window ``[starts_at, ends_at)``.

    It occupies the machine until ``occupied_until``, the end plus the machine's buffer as it was then.
    Two occupying jobs of one machine never overlap: see ``reservations.constraints``.
    """

    printer = models.ForeignKey(
        Printer, verbose_name=_("machine"), on_delete=models.PROTECT, related_name="jobs", db_index=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("booked for"),
        on_delete=models.PROTECT,
        related_name="jobs",
        db_index=False,
    )
    title = models.CharField(_("what for"), max_length=120, blank=True)
    note = models.TextField(_("note"), blank=True, max_length=2000)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    occupied_until = models.DateTimeField(_("occupied until"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.BOOKED)

    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    closed_reason = models.CharField(_("reason of the end"), max_length=200, blank=True)
    waived = models.JSONField(_("waived rules"), default=list, blank=True)
    waived_reason = models.CharField(_("reason of the waiver"), max_length=200, blank=True)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("booked by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    channel = models.CharField(_("booked through"), max_length=20)
    created_at = models.DateTimeField(_("booked at"))
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.CheckConstraint(name="reservations_job_forward", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(
                name="reservations_job_buffer", condition=Q(occupied_until__gte=F("ends_at"))
            ),
        ]
        indexes = [
            # what is in the way of a window, and what the trigger against overlaps asks: see OCCUPIES
            models.Index(
                fields=["printer", "starts_at"],
                name="reservations_job_occupies",
                condition=Q(state__in=OCCUPYING),
            ),
            # the calendar: every job of a week, whatever the machine
            models.Index(fields=["starts_at", "ends_at"], name="reservations_job_window"),
            # my jobs, and the limits of one owner
            models.Index(fields=["owner", "-starts_at"], name="reservations_job_owner"),
            # one machine's own list
            models.Index(fields=["printer", "-starts_at"], name="reservations_job_printer"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.printer}"

    @property
    def is_occupying(self) -> bool:
        """True while the machine is taken by this job."""
        return self.state in OCCUPYING

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Never: a job is cancelled, refused, missed or aborted."""
        raise TypeError("A job is never deleted; cancel it through reservations.domain.booking.cancel")


class PowerPlan(models.Model):
    """What the plan says of one machine's power right now, and when it has to be looked at again.

    ``next_change_at`` is the table of due actions: the ticker takes every row whose instant has come.
    """

    printer = models.OneToOneField(
        Printer,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="power_plan",
        verbose_name=_("machine"),
    )
    want = models.BooleanField(_("wanted"), null=True)
    reason = models.CharField(_("why"), max_length=40, blank=True)
    next_change_at = models.DateTimeField(_("next change"), null=True)
    last_end_at = models.DateTimeField(_("last job ended at"), null=True)
    last_owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("last owner"),
    )

    class Meta:
        verbose_name = _("power plan")
        verbose_name_plural = _("power plans")
        indexes = [models.Index(fields=["next_change_at"], name="reservations_plan_due")]

    def __str__(self) -> str:
        return str(self.printer_id)


class BookingLimits(models.Model):
    """Limits of one person across all machines; a single row. Empty means no limit."""

    open_jobs = models.PositiveIntegerField(
        _("open jobs per person"), null=True, blank=True, help_text=_("Pending, booked and running together.")
    )
    week_hours = models.PositiveIntegerField(_("hours per person and week"), null=True, blank=True)

    class Meta:
        verbose_name = _("booking limits")
        verbose_name_plural = _("booking limits")
        constraints = [models.CheckConstraint(name="reservations_one_limits_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(_("Limits for everybody"))
