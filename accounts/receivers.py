"""After each migration the roles stand."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.management import create_permissions

from accounts.domain.roles import ensure_roles


def make_roles(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: settles what each role may do in the app that was migrated.

    The permissions are made here first, since Django's own receiver may come later in the line.
    """
    create_permissions(sender, using=using, verbosity=0)
    ensure_roles(sender.label)
