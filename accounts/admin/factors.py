"""What trainers do for a person whose second factor is lost."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.utils.translation import gettext_lazy as _

from accounts.domain.factors import remove_factors
from accounts.models import User
from core.actor import Actor
from core.verbs import Verb


def _remove(row: User, /, *, actor: Actor, now: datetime) -> None:
    remove_factors(row.pk, actor=actor, now=now)


def _has_any(row: User, now: datetime) -> bool:
    return Authenticator.objects.filter(user_id=row.pk).exists()


REMOVE_FACTORS = Verb(
    name="remove_factors",
    label=_("Remove the second factors …"),
    question=_(
        "Only when the phone or the key is lost, and you know who is asking: afterwards the password alone opens the "
        "account, and the recovery codes are worthless. The person sets up a new factor after the next log-in."
    ),
    done=_("The second factors are gone: %(names)s"),
    act=_remove,
    icon="phonelink_erase",
    is_danger=True,
    is_offered=_has_any,
    in_list=False,
)
