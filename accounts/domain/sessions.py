"""Where a person is logged in, and how to end that."""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.models import User
from core import clock
from core.actor import Actor
from journal.domain.recording import Event, record


def sessions_of(user_id: int, now: datetime) -> list[UserSession]:
    """The person's sessions that are alive, the newest first."""
    alive = Session.objects.filter(expire_date__gt=now).values("session_key")
    return list(UserSession.objects.filter(user_id=user_id, session_key__in=alive).order_by("-created_at"))


def forget_all(user_id: int, *, keep: str | None = None, now: datetime | None = None) -> int:
    """Delete every session of the person but ``keep``, also those that nobody listed; returns how many lived.

    A session knows its person only inside, so all are opened: there are as many as people were here in half an hour.
    """
    own = str(user_id)
    keys = [
        row.session_key
        for row in Session.objects.filter(expire_date__gt=now or clock.now()).iterator()
        if row.session_key != keep and row.get_decoded().get(SESSION_KEY) == own
    ]
    Session.objects.filter(pk__in=keys).delete()
    UserSession.objects.filter(user_id=user_id).exclude(session_key=keep or "").delete()
    return len(keys)


@transaction.atomic
def end_others(person: User, *, keep: str | None, actor: Actor, now: datetime) -> int:
    """Log the person out everywhere else; returns how many sessions that were."""
    count = forget_all(person.pk, keep=keep, now=now)
    record([Event("user.sessions_ended", person, {"count": count})], actor=actor, now=now)
    return count


@transaction.atomic
def end_one(person: User, session_id: int, *, actor: Actor, now: datetime) -> None:
    """End one session of one's own. Raises ``UserSession.DoesNotExist`` for anybody else's."""
    row = UserSession.objects.get(pk=session_id, user_id=person.pk)
    Session.objects.filter(session_key=row.session_key).delete()
    row.delete()
    record([Event("user.sessions_ended", person, {"count": 1})], actor=actor, now=now)


def forget_expired(now: datetime) -> None:
    """Sweep up what has ended by itself: rows that nobody can use any more."""
    Session.objects.filter(expire_date__lte=now).delete()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
