"""How a name and a password are looked at."""

from threading import BoundedSemaphore
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.domain import guarding
from accounts.domain.entering import client_address, mark_locked, name_in
from accounts.domain.factors import has_factor
from accounts.domain.guarding import LockedOut
from accounts.models import User
from core import clock

# Passwords that one process looks at in the same instant. More would not be done sooner, they cost all of a processor;
# but whoever tries a thousand names at once would have had them all looked at before the first has failed.
_TURNS = BoundedSemaphore(4)


class OneLook(AuthenticationBackend):
    """One query and one check of a password, whatever the name and whether anybody has it.

    With several backends in a row, or an address tried once as a name and once as an address, the number of checks,
    and with it the time of the answer, would tell which accounts exist.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, **credentials: Any
    ) -> User:
        """Whoever fails here is looked at by nobody else."""
        with _TURNS:
            if request is not None:
                _demand_open_still(request, name_in(credentials))
            user = super().authenticate(request, **credentials)
        if not isinstance(user, User):
            raise PermissionDenied
        if request is not None:
            _settle(request, user)
        return user

    def _authenticate(self, request: HttpRequest | None, **credentials: Any) -> AbstractBaseUser | None:
        person = guarding.person_named(name_in(credentials))
        return self._check_password(person, credentials["password"])


def _demand_open_still(request: HttpRequest, name: str) -> None:
    """While this one waited, others from there may have failed with five names: then it is not looked at."""
    try:
        guarding.demand_address_open(client_address(request), clock.now())
    except LockedOut as no:
        guarding.give_back(name)
        mark_locked(request, no)
        raise PermissionDenied from no


def _settle(request: HttpRequest, user: User) -> None:
    """A password alone is a complete log-in only for those who have nothing else."""
    if has_factor(user):
        guarding.give_back(user.username)
    else:
        guarding.succeed(user.username, client_address(request))
