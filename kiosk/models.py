"""The display in the workshop: what is wanted of it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Display(models.Model):
    """Whether the workshop's display shall show the machines; a single row."""

    is_active = models.BooleanField(_("switched on"), default=True)
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("changed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("display")
        verbose_name_plural = _("displays")
        constraints = [models.CheckConstraint(name="kiosk_one_display", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return str(_("Display in the workshop"))
