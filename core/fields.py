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


def seal(text: str) -> str:
    """The text as a Fernet token under ``settings.FIELD_KEY``."""
    return _fernet(settings.FIELD_KEY).encrypt(text.encode()).decode()


def unseal(token: str) -> str:
    """The text that was sealed.

    A token that does not open with the key stops the operation with :class:`ImproperlyConfigured`: a wrong
    key must not be mistaken for an empty secret.
    """
    try:
        return _fernet(settings.FIELD_KEY).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A stored secret does not open with MYP_FIELD_KEY. Put the key back that was used before, or set "
            "what was lost anew: the plugs' passwords, and people's second factors."
        ) from error


class EncryptedTextField(models.TextField[str, str]):
    """Sealed at rest; plain text in Python. It cannot be searched or ordered by."""

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way into the database; empty stays empty."""
        return seal(str(value)) if value else ""

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> str:
        """Decrypt on the way out."""
        return unseal(value) if value else ""
