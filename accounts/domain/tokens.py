"""Personal tokens: keys for a person's own scripts and calendars.

The key itself is random and long, so that a plain digest is enough to keep: nobody guesses it, and looking one up
costs the same whether it exists or not.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.choices import Scope
from accounts.models import PersonalToken, User
from core import clock
from core.actor import Actor
from core.errors import Refused, Violation
from journal.domain.recording import Event, record

PREFIX = "myp_"
MOST_PER_PERSON = 20
# A token's last use is written down at most this often: reading must not turn into writing.
USE_NOTED_EVERY = timedelta(hours=1)


@transaction.atomic
def issue(
    user_id: int,
    name: str,
    scope: Scope,
    expires_at: datetime | None,
    *,
    actor: Actor,
    now: datetime | None = None,
) -> tuple[PersonalToken, str]:
    """Make a token for the person who acts; the second part is the key, which nobody can read again."""
    now = now or clock.now()
    owner = User.objects.select_for_update().get(pk=user_id)  # who is being switched off gets no new key
    if actor.user_id != user_id or not owner.is_active:
        raise Refused.because("not_allowed", _("Everybody makes tokens for themselves only."))
    name = name.strip()
    if violations := _wrong(owner, name, scope, expires_at, now):
        raise Refused(violations)
    plain = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            token = PersonalToken.objects.create(
                user=owner,
                name=name,
                scope=scope,
                digest=_digest(plain),
                hint=plain[:8],
                created_at=now,
                expires_at=expires_at,
            )
    except IntegrityError as error:
        raise Refused([_name_taken()]) from error
    told = {"token": name, "scope": scope, "until": expires_at and expires_at.isoformat()}
    record([Event("token.made", owner, told)], actor=actor, now=now)
    return token, plain


@transaction.atomic
def revoke(token_id: int, *, actor: Actor, now: datetime | None = None) -> None:
    """Make one's own token worthless. Raises ``PersonalToken.DoesNotExist`` for anybody else's."""
    token = PersonalToken.objects.select_for_update().get(pk=token_id, user_id=actor.user_id or 0)
    owner, name = token.user, token.name
    token.delete()
    record([Event("token.deleted", owner, {"token": name})], actor=actor, now=now or clock.now())


def find(plain: str, now: datetime) -> PersonalToken | None:
    """The token that this key opens, with its person; None when there is none, it has expired or they may not log in."""
    alive = Q(expires_at=None) | Q(expires_at__gt=now)
    token = (
        PersonalToken.objects.filter(alive, digest=_digest(plain), user__is_active=True)
        .select_related("user")
        .first()
    )
    if token is not None and (token.last_used_at is None or now - token.last_used_at >= USE_NOTED_EVERY):
        PersonalToken.objects.filter(pk=token.pk).update(last_used_at=now)
        token.last_used_at = now
    return token


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def _wrong(
    owner: User, name: str, scope: Scope, expires_at: datetime | None, now: datetime
) -> list[Violation]:
    found = []
    names = set(PersonalToken.objects.filter(user=owner).values_list("name", flat=True))
    if not name:
        found.append(Violation("name_missing", "name", _("Give it a name that says what it is for.")))
    elif len(name) > 100:
        found.append(Violation("name_too_long", "name", _("At most 100 characters.")))
    elif name in names:
        found.append(_name_taken())
    if scope not in Scope.values:
        found.append(Violation("scope_unknown", "scope", _("A token may read, or read and write.")))
    if expires_at is not None and expires_at <= now:
        found.append(Violation("expiry_past", "expires_at", _("The end must lie in the future.")))
    if len(names) >= MOST_PER_PERSON:
        message = _("You have %(count)d tokens, which is the limit. Delete one first.")
        found.append(Violation("too_many_tokens", "", message % {"count": MOST_PER_PERSON}))
    return found


def _name_taken() -> Violation:
    return Violation("name_taken", "name", _("You have a token of that name. Choose another, or delete it."))
