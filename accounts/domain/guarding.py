"""The guard in front of every secret that can be guessed: counts attempts, locks names and addresses.

* An attempt is taken *before* the secret is looked at, so that however many come at the same instant, no more than
  ``LOCKOUT_AFTER`` are looked at. It counts until it is given back.
* A name is locked after that many failures, from wherever they come; an address, after failures with that many
  *different* names: a class shares one terminal, and one person's typing errors must not shut out the others.
  A success takes only one's own name off the address's list.
* Each lock is longer than the one before (``LOCKOUT_MINUTES``). Attempts during a lock do not prolong it. A complete
  log-in, a trainer, or a day without failures sets the length back; failures are forgotten after an hour without
  another. So nobody gets more than five guesses an hour at one account, in the long run.
* Names that nobody has count in the same way, and are kept as digests: people type passwords into the wrong field.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.choices import GuardKind
from accounts.domain.roles import may_look_after
from accounts.models import UNKNOWN, LoginGuard, User
from core.actor import Actor
from core.errors import Refused
from journal.domain.recording import Event, record

FORGOTTEN_AFTER = timedelta(hours=1)  # failures, when no other follows
CALM_AFTER = timedelta(hours=24)  # the length of the next lock
PURGED_AFTER = timedelta(days=7)
# Five attempts are being looked at: whoever comes meanwhile is asked back when the answers should be there.
MOMENT = timedelta(seconds=2)
# An attempt that has not come back by then never will: its process was killed. It stays a failure.
LOOKED_AT_WITHIN = timedelta(seconds=30)
LONGEST_NAME = 254


class LockedOut(Refused):
    """Not now, whatever the secret. Says how long, and nothing about whether there is such an account."""

    def __init__(self, until: datetime, now: datetime) -> None:
        seconds = ceil((until - now).total_seconds())
        self.retry_after = max(1, seconds)
        message = _("Too many failed log-ins. Try again in %(time)s.") % {"time": time_left(self.retry_after)}
        super().__init__(Refused.because("locked_out", message).violations)


def time_left(seconds: int) -> str:
    """Seconds in words: below a minute as they are, then in minutes, rounded up."""
    if seconds < 60:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
    minutes = ceil(seconds / 60)
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


# ------------------------------------------------------------------ names


def person_named(name: str) -> User | None:
    """Whom a user name or an e-mail address means at log-in. One query, whether there is such a person or not."""
    if not _is_askable(name):
        return None
    found = list(User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name)).order_by("pk"))
    # Names are unique by the door; of rows from before it, the exact name comes first and an address last.
    found.sort(key=lambda user: (user.username != name, user.username.lower() != name.lower()))
    return found[0] if found else None


def key_of(name: str) -> str:
    """What attempts with this name are counted under, however it is written."""
    person = person_named(name)
    return person.username if person else UNKNOWN + _digest(name)


def _is_askable(name: str) -> bool:
    """Databases choke on a NUL, on half a character and on an endless name; nobody's name is like that."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(name) <= LONGEST_NAME and "\0" not in name


def _digest(name: str) -> str:
    told = name.strip().casefold().encode("utf-8", "surrogatepass")
    return salted_hmac("accounts.guarding", told, algorithm="sha256").hexdigest()[:16]


# ------------------------------------------------------------------ attempts


def demand_open(name: str, address: str, now: datetime) -> None:
    """Raise :class:`LockedOut` while the name or the address is locked.

    Enough by itself, with ``fail(…, is_taken=False)`` afterwards, for secrets that nobody can guess anyway.
    """
    _demand_open(key_of(name), address, now)


def demand_address_open(address: str, now: datetime) -> None:
    """Raise :class:`LockedOut` while nobody may log in from there."""
    locked = LoginGuard.objects.filter(kind=GuardKind.ADDRESS, key=address, locked_until__gt=now)
    _raise_latest(locked, now)


def take(name: str, address: str, now: datetime) -> None:
    """Count an attempt before it is looked at. Raises :class:`LockedOut`; then it must not be looked at."""
    key = key_of(name)
    _demand_open(key, address, now)  # whoever is locked out costs no write
    with transaction.atomic(durable=True):  # a count that is rolled back is none
        guard = _hold(GuardKind.USER, key, now)
        until = _shut_until(guard, now)
        if until is None:
            guard.failures += 1
            guard.changed_at = now
        guard.save()
    if until is not None:
        raise LockedOut(until, now)


def fail(name: str, address: str, now: datetime, *, is_taken: bool = True) -> LockedOut | None:
    """The attempt was wrong. The lock, if there is one now."""
    key = key_of(name)
    with transaction.atomic(durable=True):
        place = (
            _hold(GuardKind.ADDRESS, address, now) if address else None
        )  # addresses before names, everywhere
        guard = _hold(GuardKind.USER, key, now)
        _count_name(guard, is_taken, now)
        if place is not None:
            _count_address(place, key, now)
    ends = [row.locked_until for row in (guard, place) if row is not None and row.locked_until is not None]
    return LockedOut(max(ends), now) if ends else None


@transaction.atomic
def give_back(name: str) -> None:
    """The attempt was right, but is not a complete log-in: it neither counts nor forgives the others."""
    guard = LoginGuard.objects.select_for_update().filter(kind=GuardKind.USER, key=key_of(name)).first()
    if guard is not None and guard.locked_until is None and guard.failures:
        guard.failures -= 1
        guard.save(update_fields=["failures"])


def succeed(name: str, address: str) -> None:
    """A complete log-in: the name starts afresh and leaves the address's list. Other names stay on it."""
    key = key_of(name)
    concerned = Q(kind=GuardKind.USER, key=key) | Q(kind=GuardKind.ADDRESS, key=address, locked_until=None)
    if not LoginGuard.objects.filter(concerned).exists():
        return
    with transaction.atomic():
        rows = LoginGuard.objects.select_for_update().filter(concerned).order_by("kind", "key")
        for guard in list(rows):
            if guard.kind == GuardKind.USER:
                guard.delete()
            else:
                guard.names = [entry for entry in guard.names if entry[0] != key]
                guard.failures = len(guard.names)
                guard.save(update_fields=["names", "failures"])


# ------------------------------------------------------------------ trainers


@transaction.atomic
def lift(guard_id: int, *, actor: Actor, now: datetime) -> LoginGuard:
    """Open a name or an address again and forget its failures. Raises ``LoginGuard.DoesNotExist``.

    A trainer does it for addresses and trainees alone: with a helper who lifts every lock, an administrator's
    password could be guessed without end.
    """
    guard = LoginGuard.objects.select_for_update().get(pk=guard_id)
    person = _person_behind(guard)
    keeper = None if actor.user_id is None else User.objects.get(pk=actor.user_id)
    if keeper is not None and not (may_look_after(keeper, person) if person else keeper.is_trainer):
        raise Refused.because("not_allowed", _("You do not look after this person."))
    if not has_anything(guard):
        raise Refused.because("is_open", _("Nothing is locked or counted here any more."))
    told = {"failures": guard.failures, "level": guard.level, "locked": is_locked(guard, now)}
    guard.failures, guard.level, guard.locked_until, guard.names = 0, 0, None, []
    guard.save()
    record([Event("lockout.lifted", person or guard, told)], actor=actor, now=now)
    return guard


def has_anything(guard: LoginGuard) -> bool:
    """Whether there is something to lift."""
    return bool(guard.failures or guard.level or guard.locked_until)


def is_locked(guard: LoginGuard, now: datetime) -> bool:
    """Whether it is shut at this instant."""
    return guard.locked_until is not None and guard.locked_until > now


def lock_of(person: User, now: datetime) -> LoginGuard | None:
    """The lock on the person's account, to be shown and lifted; None while it is open."""
    kept = LoginGuard.objects.filter(kind=GuardKind.USER, key=person.username)
    return kept.filter(locked_until__gt=now).first()


def forget_quiet(now: datetime) -> int:
    """Delete the guards that have nothing to say any more; returns how many."""
    spent = Q(changed_at__lt=now - CALM_AFTER, level=0) | Q(changed_at__lt=now - PURGED_AFTER)
    count, _models = LoginGuard.objects.filter(spent).delete()
    return count


# ------------------------------------------------------------------ steps


def _person_behind(guard: LoginGuard) -> User | None:
    if guard.kind != GuardKind.USER:
        return None
    return User.objects.filter(username=guard.key).first()


def _demand_open(key: str, address: str, now: datetime) -> None:
    concerned = Q(kind=GuardKind.USER, key=key) | Q(kind=GuardKind.ADDRESS, key=address)
    _raise_latest(LoginGuard.objects.filter(concerned, locked_until__gt=now), now)


def _raise_latest(locked: QuerySet[LoginGuard], now: datetime) -> None:
    ends = [until for until in locked.values_list("locked_until", flat=True) if until is not None]
    if ends:
        raise LockedOut(max(ends), now)


def _hold(kind: GuardKind, key: str, now: datetime) -> LoginGuard:
    """The guard, locked until the transaction ends and brought up to date; made where there was none."""
    while True:
        new = LoginGuard(kind=kind, key=key, changed_at=now)
        LoginGuard.objects.bulk_create([new], ignore_conflicts=True)
        guard = LoginGuard.objects.select_for_update().filter(kind=kind, key=key).first()
        if guard is not None:  # else: deleted by a success between the two statements
            _bring_up_to_date(guard, now)
            return guard


def _bring_up_to_date(guard: LoginGuard, now: datetime) -> None:
    quiet_for = now - guard.changed_at
    if is_locked(guard, now):
        return
    if guard.locked_until is not None or quiet_for >= FORGOTTEN_AFTER:
        guard.locked_until, guard.failures, guard.names = None, 0, []
    if quiet_for >= CALM_AFTER:
        guard.level = 0


def _shut_until(guard: LoginGuard, now: datetime) -> datetime | None:
    if guard.locked_until is None and guard.failures >= settings.LOCKOUT_AFTER:
        if now - guard.changed_at < LOOKED_AT_WITHIN:
            return now + MOMENT
        _lock(guard, now)
    return guard.locked_until


def _lock(guard: LoginGuard, now: datetime) -> None:
    """For as long as it is this one's turn; the last length repeats."""
    lengths = settings.LOCKOUT_MINUTES
    guard.locked_until = now + timedelta(minutes=lengths[min(guard.level, len(lengths) - 1)])
    guard.level = min(guard.level + 1, len(lengths))
    guard.changed_at = now


def _count_name(guard: LoginGuard, is_taken: bool, now: datetime) -> None:
    if guard.locked_until is not None:
        return
    # Of attempts in flight, a success of another may have wiped the count.
    guard.failures = max(guard.failures, 1) if is_taken else guard.failures + 1
    guard.changed_at = now
    if guard.failures >= settings.LOCKOUT_AFTER:
        _lock(guard, now)
    guard.save()


def _count_address(place: LoginGuard, key: str, now: datetime) -> None:
    """Each name is forgotten by itself, or five mistyped names would add up over a busy day at the terminal."""
    if place.locked_until is not None:
        return
    still = (now - FORGOTTEN_AFTER).isoformat()
    names: list[Any] = [entry for entry in place.names if entry[0] != key and entry[1] > still]
    place.names = [*names, [key, now.isoformat()]]
    place.failures = len(place.names)
    place.changed_at = now
    if place.failures >= settings.LOCKOUT_AFTER:
        _lock(place, now)
    place.save()
