"""Personal tokens: shown once, kept as a digest, worth nothing once expired, deleted or their person switched off."""

import re
from datetime import timedelta

import pytest

from accounts.choices import Scope
from accounts.domain import tokens
from accounts.models import PersonalToken, User
from core.actor import SYSTEM
from core.errors import Refused
from journal.models import Entry

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def key(alice, now):
    return tokens.issue(alice.user_id, "script", Scope.READ, now + DAY, actor=alice, now=now)[1]


def test_the_key_opens_and_is_not_kept(key, alice, now):
    token = tokens.find(key, now)

    assert (token.user_id, token.name, token.scope) == (alice.user_id, "script", Scope.READ)
    assert re.fullmatch(r"myp_[A-Za-z0-9_-]{43}", key)
    row = PersonalToken.objects.values().get()
    assert key not in map(str, row.values())
    assert len(row["digest"]) == 64
    assert key.startswith(row["hint"]) and len(row["hint"]) <= 8


def test_the_journal_names_it_and_never_shows_it(key, alice):
    entry = Entry.objects.get(kind="token.made")

    assert entry.data["token"] == "script"
    assert key not in str(entry.data) and PersonalToken.objects.get().digest not in str(entry.data)


@pytest.mark.parametrize(
    "spoil", [lambda k: k[:-1], lambda k: k + "x", str.swapcase, lambda k: "", lambda k: "\ud800"]
)
def test_any_other_key_opens_nothing(key, now, spoil):
    assert tokens.find(spoil(key), now) is None


def test_it_ends_at_its_instant(key, now):
    assert tokens.find(key, now + DAY - timedelta(seconds=1))
    assert tokens.find(key, now + DAY) is None


def test_without_an_end_it_stays(alice, now):
    _token, key = tokens.issue(alice.user_id, "calendar", Scope.WRITE, None, actor=alice, now=now)

    assert tokens.find(key, now + 3650 * DAY).scope == Scope.WRITE


def test_it_opens_nothing_while_its_person_is_switched_off(key, people, now):
    User.objects.filter(pk=people.alice.pk).update(is_active=False)

    assert tokens.find(key, now) is None


def test_use_is_noted_once_an_hour(key, now, django_assert_num_queries):
    with django_assert_num_queries(2):
        tokens.find(key, now)
    with django_assert_num_queries(1):
        tokens.find(key, now + timedelta(minutes=59))
    assert PersonalToken.objects.get().last_used_at == now
    tokens.find(key, now + timedelta(minutes=60))
    assert PersonalToken.objects.get().last_used_at == now + timedelta(minutes=60)


def test_a_wrong_key_costs_one_question(key, now, django_assert_num_queries):
    with django_assert_num_queries(1):
        tokens.find("myp_" + "x" * 43, now)


@pytest.mark.parametrize("who", ["bob", "charlie", "system"])
def test_nobody_makes_one_for_somebody_else(alice, bob, charlie, now, who):
    actor = {"bob": bob, "charlie": charlie, "system": SYSTEM}[who]

    with pytest.raises(Refused, match="not_allowed"):
        tokens.issue(alice.user_id, "mine", Scope.READ, None, actor=actor, now=now)
    assert not PersonalToken.objects.exists()


def test_who_is_switched_off_makes_none(alice, people, now):
    User.objects.filter(pk=people.alice.pk).update(is_active=False)

    with pytest.raises(Refused, match="not_allowed"):
        tokens.issue(alice.user_id, "late", Scope.READ, None, actor=alice, now=now)


@pytest.mark.parametrize(
    ("name", "scope", "after", "codes"),
    [
        ("  ", Scope.READ, DAY, ("name_missing",)),
        ("x" * 101, Scope.READ, DAY, ("name_too_long",)),
        (" script ", Scope.READ, DAY, ("name_taken",)),
        ("new", "admin", DAY, ("scope_unknown",)),
        ("new", Scope.READ, timedelta(0), ("expiry_past",)),
        ("", "all", -DAY, ("name_missing", "scope_unknown", "expiry_past")),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(key, alice, now, name, scope, after, codes):
    with pytest.raises(Refused) as no:
        tokens.issue(alice.user_id, name, scope, now + after, actor=alice, now=now)
    assert no.value.codes == codes


def test_there_is_a_limit(alice, now):
    for number in range(tokens.MOST_PER_PERSON):
        tokens.issue(alice.user_id, f"no {number}", Scope.READ, None, actor=alice, now=now)

    with pytest.raises(Refused, match="too_many_tokens"):
        tokens.issue(alice.user_id, "one more", Scope.READ, None, actor=alice, now=now)


def test_deleting_ends_it_at_once(key, alice, now):
    tokens.revoke(PersonalToken.objects.get().pk, actor=alice, now=now)

    assert tokens.find(key, now) is None
    assert Entry.objects.get(kind="token.deleted").data == {"token": "script"}


def test_nobody_deletes_somebody_elses(key, charlie, bob, now):
    for actor in (charlie, bob, SYSTEM):
        with pytest.raises(PersonalToken.DoesNotExist):
            tokens.revoke(PersonalToken.objects.get().pk, actor=actor, now=now)
    assert tokens.find(key, now)
