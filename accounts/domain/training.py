"""Doors: what people can be qualified for, and who is."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Grant, Qualification, User
from core.actor import Actor
from core.domain import saving
from core.errors import Refused
from journal.domain.recording import Event, record


@transaction.atomic
def save_qualification(
    qualification: Qualification, *, changed: Collection[str], actor: Actor, now: datetime
) -> Qualification:
    """Add a qualification or change what is said of it."""
    is_new = saving.save(qualification, changed)
    kind = "qualification.added" if is_new else "qualification.changed"
    record([Event(kind, qualification, {"fields": sorted(changed)})], actor=actor, now=now)
    return qualification


@transaction.atomic
def give(grant: Grant, *, actor: Actor, now: datetime) -> Grant:
    """The person holds the qualification from now on, until ``expires_at`` or for good.

    Raises :class:`Refused` for an end that has passed.
    """
    if grant.expires_at is not None and grant.expires_at <= now:
        message = _("The end must lie in the future.")
        raise Refused.because("expiry_past", message, field="expires_at")
    User.objects.select_for_update().get(
        pk=grant.user_id
    )  # a booking that is under way judges before or after
    grant.granted_at, grant.granted_by_id = now, actor.user_id
    saving.save(grant, ())
    record([Event("grant.given", grant, _told(grant))], actor=actor, now=now)
    return grant


@transaction.atomic
def take_back(grant: Grant, *, actor: Actor, now: datetime) -> None:
    """The person does not hold it any more; what they have booked stands."""
    User.objects.select_for_update().get(pk=grant.user_id)
    saving.remove(grant, why_not=_("Something still needs it."))
    record([Event("grant.taken", grant, _told(grant))], actor=actor, now=now)


def _told(grant: Grant) -> dict[str, object]:
    return {
        "user": grant.user_id,
        "qualification": grant.qualification_id,
        "until": grant.expires_at and grant.expires_at.isoformat(),
    }
