"""A text that is encrypted at rest."""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


@lru_cache(maxsize=4)
def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))


class EncryptedTextField(models.TextField[str, str]):
    """Stored as a Fernet token under ``settings.FIELD_KEY``; plain text in Python.

    It cannot be searched or ordered by. A value that does not open with the key stops the operation
    with :class:`ImproperlyConfigured`: a wrong key must not be mistaken for an empty password.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way into the database; empty stays empty."""
        if not value:
            return ""
        return _fernet(settings.FIELD_KEY).encrypt(str(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> str:
        """Decrypt on the way out."""
        if not value:
            return ""
        try:
            return _fernet(settings.FIELD_KEY).decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "A stored secret does not open with MYP_FIELD_KEY. Put the key back that was used before, "
                "or type the plugs' passwords in again."
            ) from error
