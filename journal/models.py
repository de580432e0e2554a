"""The append-only record of everything that happened."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Entry(models.Model):
    """One thing that happened: what, who, through which surface, to which subject.

    ``subject`` is "type:id"; the label is a snapshot, so that the entry still reads well when the
    subject has another name or is gone.
    """

    kind = models.CharField(_("what"), max_length=60)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("who"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    channel = models.CharField(_("through"), max_length=20)
    subject = models.CharField(_("subject"), max_length=60)
    subject_label = models.CharField(_("name of the subject"), max_length=200)
    data = models.JSONField(_("details"), default=dict, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        indexes = [
            models.Index(fields=["subject", "-id"], name="journal_subject"),
            models.Index(fields=["kind", "-id"], name="journal_kind"),
            models.Index(fields=["at"], name="journal_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write once."""
        if not self._state.adding:
            raise TypeError("The journal is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Never."""
        raise TypeError("The journal is append-only")
