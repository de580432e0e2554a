"""How a name and a password are looked at."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.domain import guarding
from accounts.domain.entering import client_address, name_in
from accounts.domain.factors import has_factor
from accounts.models import User


class OneLook(AuthenticationBackend):
    """One query and one check of a password, whatever the name and whether anybody has it.

    With several backends in a row, or an address tried once as a name and once as an address, the number of checks,
    and with it the time of the answer, would tell which accounts exist.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, **credentials: Any
    ) -> User:
        """Whoever fails here is looked at by nobody else."""
        user = super().authenticate(request, **credentials)
        if not isinstance(user, User):
            raise PermissionDenied
        if request is not None:
            _settle(request, user)
        return user

    def _authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractBaseUser | None:
        person = guarding.person_named(name_in(credentials))
        return self._check_password(person, credentials["password"])


def _settle(request: HttpRequest, user: User) -> None:
    """A password alone is a complete log-in only for those who have nothing else."""
    if has_factor(user):
        guarding.give_back(user.username)
    else:
        guarding.succeed(user.username, client_address(request))
