"""Write a row behind a door: only what differs, and a lost race is a clean refusal."""

from collections.abc import Collection

from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from core.errors import Refused


def save(row: models.Model, changed: Collection[str]) -> bool:
    """Write a new row, or the named columns of one that is there; True when it is new.

    What the names stand for has been judged before. Raises :class:`Refused` where somebody else has since saved what
    it contradicts.
    """
    is_new = row.pk is None
    columns = {field.name for field in row._meta.concrete_fields}
    try:
        with transaction.atomic():
            row.save(update_fields=None if is_new else [name for name in changed if name in columns])
    except IntegrityError as error:
        message = _("It contradicts what somebody else has just saved. Look again and retry.")
        raise Refused.because("changed_meanwhile", message) from error
    return is_new


def remove(row: models.Model, *, why_not: str) -> None:
    """Delete the row; it keeps its key, for the journal. Raises :class:`Refused` while others need it."""
    try:
        with transaction.atomic():
            type(row)._default_manager.filter(pk=row.pk).delete()
    except ProtectedError as error:
        raise Refused.because("in_use", why_not) from error
