"""People whom an identity provider vouches for: their role, and accounts that are handed over to it."""

from collections.abc import Collection
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.domain.sessions import forget_all
from accounts.models import PersonalToken, User
from core.actor import Actor, Channel
from journal.domain.recording import Event, record

# The provider acts, not a person.
PROVIDER = Actor(user_id=None, channel=Channel.WEB)


def holders_of(email: str) -> list[User]:
    """Everybody who has that address here, in whatever spelling, or goes by it."""
    own = Q(email__iexact=email) | Q(emailaddress__email__iexact=email) | Q(username__iexact=email)
    return list(User.objects.filter(own).distinct())


@transaction.atomic
def settle_role(user_id: int, wanted: Role, *, now: datetime) -> None:
    """Give the role that the provider says, at each log-in. Superusers and people switched off are left as they are.

    The last administrator may lose the role too: the provider makes the next one.
    """
    person = User.objects.select_for_update().get(pk=user_id)
    before = person.role
    if person.is_superuser or not person.is_active or before is wanted:
        return
    give_role(person, wanted)
    told = {"from": before, "to": wanted, "through": "sso"}
    record([Event("user.role_given", person, told)], actor=PROVIDER, now=now)


def may_hand_over(person: User, provider: str) -> bool:
    """Whether an account becomes the provider's person's because of a confirmed address alone.

    Only a trainee's, switched on, without a second factor, and with no identity of that provider yet.
    """
    return (
        person.is_active
        and person.role is Role.TRAINEE
        and not Authenticator.objects.filter(user_id=person.pk).exists()
        and not SocialAccount.objects.filter(user_id=person.pk, provider=provider).exists()
    )


@transaction.atomic
def hand_over(user_id: int, provider: str, *, now: datetime) -> User | None:
    """Take from the account whatever opened it until now; None when it may not be handed over after all.

    Nobody has proved that the address entered here was the account holder's. Whoever prepared an account with
    somebody else's address must not keep a way in.
    """
    person = User.objects.select_for_update().get(pk=user_id)
    if not may_hand_over(person, provider):
        return None
    person.set_unusable_password()
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password"])
    PersonalToken.objects.filter(user=person).delete()
    forget_all(person.pk)
    record([Event("user.handed_over", person, {"through": "sso"})], actor=PROVIDER, now=now)
    return person


def note_arrival(person: User, role: Role, *, now: datetime) -> None:
    """Give a person who came through the provider for the first time their role, and write both down."""
    give_role(person, role)
    told = {"role": role, "through": "sso"}
    record([Event("user.added", person, told)], actor=PROVIDER, now=now)


def role_from(groups: Collection[str], trainers: Collection[str], administrators: Collection[str]) -> Role:
    """The highest role that one of the groups stands for; a trainee's without any."""
    if not set(administrators).isdisjoint(groups):
        return Role.ADMINISTRATOR
    return Role.TRAINEE if set(trainers).isdisjoint(groups) else Role.TRAINER
