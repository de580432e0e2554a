"""After each migration the roles stand; after a person has chosen a password the rest follows."""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.apps import AppConfig
from django.contrib.auth.management import create_permissions
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.domain import sessions
from accounts.domain.roles import ensure_roles
from accounts.models import User
from core import clock
from core.actor import Actor, Channel
from journal.domain.recording import Event, record


def make_roles(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: settles what each role may do in the app that was migrated.

    The permissions are made here first, since Django's own receiver may come later in the line.
    """
    create_permissions(sender, using=using, verbosity=0)
    ensure_roles(sender.label)


@receiver([password_changed, password_set, password_reset], dispatch_uid="accounts.settle_password")
@transaction.atomic
def settle_password(sender: object, *, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """The password is the person's own now; whoever was logged in with the former one is out."""
    sessions.forget_all(user.pk, keep=request.session.session_key)
    record([Event("user.password_changed", user)], actor=Actor(user.pk, Channel.WEB), now=clock.now())
