"""Questions about people."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from accounts.models import Grant, User


def held_qualifications(user_id: int, at: datetime) -> set[int]:
    """The ids of the qualifications the person holds at that instant."""
    valid = Q(expires_at=None) | Q(expires_at__gt=at)
    return set(
        Grant.objects.filter(valid, user_id=user_id, granted_at__lte=at).values_list(
            "qualification_id", flat=True
        )
    )


def bookable_people() -> Collection[User]:
    """Everybody a booking can be made for, by name."""
    return User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
