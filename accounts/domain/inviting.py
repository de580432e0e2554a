"""One-time links with which people choose a password of their own."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import url_str_to_user_pk, user_pk_to_url_str
from django.conf import settings
from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.domain.roles import may_look_after
from accounts.models import User
from core import clock
from core.actor import Actor
from core.errors import Refused
from journal.domain.recording import Event, record


def valid_for() -> timedelta:
    """How long a link lives."""
    return timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


def make_link(person: User, origin: str) -> str:
    """A link that sets the person's password once. ``origin`` is our own address, with scheme and host.

    It dies with its use, with a log-in, with another password or address, and with its time.
    """
    key = default_token_generator.make_token(person)
    path = reverse("account_reset_password_from_key", args=[user_pk_to_url_str(person), key])
    return origin.rstrip("/") + path


def password_link(person: User, *, actor: Actor, origin: str, now: datetime | None = None) -> str:
    """A one-time link for somebody one looks after. The journal knows that it was made, not what it says."""
    return password_links([person], actor=actor, origin=origin, now=now)[0][1]


def password_links(
    people: Sequence[User], *, actor: Actor, origin: str, now: datetime | None = None
) -> list[tuple[User, str]]:
    """A one-time link for each. Made outside a transaction: a whole class takes a second or two."""
    demand_invitable(people, actor)
    # The library notes each address as it makes a key; all at once is quicker.
    EmailAddress.objects.bulk_create(
        [EmailAddress(user=person, email=person.email) for person in people if person.email],
        ignore_conflicts=True,
    )
    links = [(person, make_link(person, origin)) for person in people]
    events = [Event("user.link_made", person) for person in people]
    record(events, actor=actor, now=now or clock.now())
    return links


def demand_invitable(people: Sequence[User], actor: Actor) -> None:
    """Raise :class:`Refused` unless the actor looks after everybody, and they may log in."""
    keeper = None if actor.user_id is None else User.objects.get(pk=actor.user_id)
    prefetch_related_objects(people, "groups")
    for person in people:
        if keeper is not None and not may_look_after(keeper, person):
            raise Refused.because("not_allowed", _("You do not look after this person."))
        if not person.is_active:
            raise Refused.because("is_inactive", _("This account is switched off. Switch it on first."))


def may_use_link(uidb36: str) -> bool:
    """Whether links of that person count: not while the account is switched off."""
    try:
        pk = url_str_to_user_pk(uidb36)
    except ValueError:
        return False
    return User.objects.filter(pk=pk, is_active=True).exists()
