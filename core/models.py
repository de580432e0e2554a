"""The scheduler's own rows, and signs of life."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Heartbeat(models.Model):
    """The last sign of life of a process: "scheduler", or "worker:<host>:<pid>"."""

    name = models.CharField(_("process"), max_length=200, unique=True)
    at = models.DateTimeField(_("last sign of life"))
    detail = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name


class PeriodicTask(models.Model):
    """What runs every so often, when it runs next, and how the last run went.

    The rows follow the functions registered in code; people may switch one off.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    every = models.PositiveIntegerField(_("every (s)"))
    is_enabled = models.BooleanField(_("enabled"), default=True)
    next_run_at = models.DateTimeField(_("next run"), db_index=True)
    last_queued_at = models.DateTimeField(_("last handed to a worker"), null=True, blank=True)
    last_started_at = models.DateTimeField(_("last start"), null=True, blank=True)
    last_finished_at = models.DateTimeField(_("last end"), null=True, blank=True)
    last_error = models.TextField(_("error of the last run"), blank=True)
    runs = models.PositiveIntegerField(_("runs"), default=0)
    failures = models.PositiveIntegerField(_("failed runs"), default=0)

    class Meta:
        verbose_name = _("periodic task")
        verbose_name_plural = _("periodic tasks")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(every__gte=1), name="core_periodic_every_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class SchedulerState(models.Model):
    """Whether the scheduler may act: one row, written by ``core.domain.scheduling`` alone."""

    SOLE_ID = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SOLE_ID, editable=False)
    is_running = models.BooleanField(_("running"), default=True)
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True)
    # No foreign key: the core knows no people. The name is a snapshot.
    changed_by_id = models.BigIntegerField(_("changed by (number)"), null=True, blank=True)
    changed_by_name = models.CharField(_("changed by"), max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("state of the scheduler")
        verbose_name_plural = _("state of the scheduler")
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="core_scheduler_state_sole"),
        ]

    def __str__(self) -> str:
        return str(_("running")) if self.is_running else str(_("stopped"))
