"""Who may use a resource at all. What may be done to one row is the doors' to say."""

from typing import Any, cast

from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

from accounts.models import User


def _is_trainer(request: Request) -> bool:
    return cast(User, request.user).is_trainer


class IsTrainer(IsAuthenticated):
    """Trainers and administrators."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Signed in, active, and not a trainee."""
        return super().has_permission(request, view) and _is_trainer(request)


class IsTrainerOrReads(IsAuthenticated):
    """Everybody who is signed in reads; trainers change."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """By method."""
        signed_in = super().has_permission(request, view)
        return signed_in and (request.method in SAFE_METHODS or _is_trainer(request))
