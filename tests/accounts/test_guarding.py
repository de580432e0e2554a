"""The guard: what counts, what locks, for how long, and what forgives."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import translation

from accounts.choices import GuardKind, Role
from accounts.domain import guarding
from accounts.domain.guarding import LockedOut
from accounts.models import LoginGuard, User
from accounts.periodic import forget_attempts
from core.actor import Actor, Channel
from core.errors import Refused
from journal.models import Entry
from tests import factories

pytestmark = pytest.mark.django_db
DESK, LAPTOP = "10.0.0.5", "10.0.0.6"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def guess(name: str, at, address: str = DESK) -> LockedOut | None:
    """One wrong attempt; the lock it led to."""
    guarding.take(name, address, at)
    return guarding.fail(name, address, at)


def lock(name: str, at, address: str = DESK) -> LockedOut:
    """Five wrong attempts, of which only the last locks."""
    said = [guess(name, at, address) for _number in range(5)]
    assert said[:4] == [None] * 4
    assert said[4] is not None
    return said[4]


def is_open(name: str, at, address: str = DESK) -> bool:
    try:
        guarding.demand_open(name, address, at)
    except LockedOut:
        return False
    return True


def guard_of(key: str) -> LoginGuard:
    return LoginGuard.objects.get(key=key)


class TestLengths:
    def test_five_fifteen_sixty_and_then_always_sixty(self, people, now):
        for minutes in (5, 15, 60, 60, 60):
            assert lock("alice", now).retry_after == minutes * 60
            now += minutes * MINUTE
            assert not is_open("alice", now - 2 * SECOND)
            assert is_open("alice", now + SECOND)
            now += SECOND

    def test_the_last_second_is_shut_and_the_end_is_open(self, people, now):
        lock("alice", now)
        with pytest.raises(LockedOut) as shut:
            guarding.take("alice", DESK, now + 5 * MINUTE - timedelta(microseconds=1))
        assert shut.value.retry_after == 1
        guarding.take("alice", DESK, now + 5 * MINUTE)

    def test_attempts_during_a_lock_do_not_prolong_it(self, people, now):
        lock("alice", now)
        for second in range(0, 300, 10):
            with pytest.raises(LockedOut):
                guarding.take("alice", DESK, now + second * SECOND)
        assert guard_of("alice").failures == 5
        assert is_open("alice", now + 5 * MINUTE)

    def test_an_address_has_its_own_ladder(self, people, now):
        for minutes in (5, 15, 60, 60):
            said = [guess(f"name{number}", now) for number in range(5)]
            assert said[:4] == [None] * 4
            assert said[4].retry_after == minutes * 60
            now += minutes * MINUTE

    def test_a_day_without_failures_sets_it_back(self, people, now):
        lock("alice", now)
        lock("alice", now + HOUR)
        assert lock("alice", now + 25 * HOUR - SECOND).retry_after == 3600
        assert lock("alice", now + 50 * HOUR).retry_after == 300

    def test_failures_are_forgotten_after_an_hour_without_another(self, people, now):
        for number in range(4):
            guess("alice", now + number * (HOUR - SECOND))
        last = now + 3 * (HOUR - SECOND)
        guess("charlie", last)
        assert guess("alice", last + HOUR) is None
        assert guard_of("alice").failures == 1

    def test_slow_guessing_gets_at_most_five_an_hour_in_the_long_run(self, people, now):
        """Whatever the pace: a guess each minute, from an address of its own, for two days."""
        looked_at = 0
        for minute in range(2 * 24 * 60):
            try:
                guess("alice", now + minute * MINUTE, f"10.1.{minute // 250}.{minute % 250}")
            except LockedOut:
                continue
            looked_at += 1
        assert looked_at <= 5 * 48 + 10


class TestNames:
    @pytest.mark.parametrize(
        "written", ["alice", "ALICE", "Alice", "alice@workshop.test", "ALICE@Workshop.TEST"]
    )
    def test_one_account_has_one_count_however_it_is_written(self, people, now, written):
        for name in ("alice", "alice@workshop.test", "AliCe", "Alice@workshop.test"):
            guess(name, now)
        assert guess(written, now) is not None
        assert LoginGuard.objects.get(kind=GuardKind.USER).key == "alice"

    def test_from_many_addresses_it_is_still_one_account(self, people, now):
        said = [guess("alice", now, f"10.0.0.{number}") for number in range(5)]
        assert said[4] is not None
        assert not is_open("alice", now, "192.168.7.7")
        assert is_open("charlie", now, "10.0.0.1")

    @pytest.mark.parametrize(
        "odd", ["", "\0", "al\0ice", "x" * 10_000, "\ud800", "%", "_lice", "😀" * 3000, "' OR 1=1 --"]
    )
    def test_odd_names_count_like_any_other(self, people, now, odd):
        lock(odd, now)
        assert not is_open(odd, now, LAPTOP)
        assert is_open("alice", now)

    def test_an_unknown_name_is_never_kept_as_it_was_typed(self, people, now):
        """People type passwords into the field above."""
        guess("My-Pa55word!", now)
        assert not any("Pa55" in f"{row.key} {row.names}" for row in LoginGuard.objects.all())
        assert guarding.key_of("My-Pa55word!") == guarding.key_of(" my-pa55WORD! ")
        assert guarding.key_of("My-Pa55word!") != guarding.key_of("My-Pa55word?")

    def test_of_two_rows_from_before_the_exact_name_comes_first(self, db):
        lower, upper = (User.objects.create_user(name) for name in ("eva", "EVA"))
        assert (guarding.person_named("eva"), guarding.person_named("EVA")) == (lower, upper)

    def test_a_user_name_comes_before_somebody_elses_address(self, db):
        User.objects.create_user("carla", email="mallory@workshop.test")
        mallory = User.objects.create_user("mallory@workshop.test")
        assert guarding.person_named("Mallory@workshop.test") == mallory

    def test_known_and_unknown_names_cost_the_same_queries(self, people, now, django_assert_num_queries):
        for name in ("alice", "alice@workshop.test", "nobody", "nobody@workshop.test"):
            with django_assert_num_queries(1):
                guarding.person_named(name)


class TestAddresses:
    def test_five_names_shut_the_address_for_everybody_and_nobody_elsewhere(self, people, now):
        for number in range(4):
            assert guess(f"name{number}", now) is None
        assert is_open("alice", now)
        assert guess("name4", now) is not None
        assert not is_open("alice", now)
        assert is_open("alice", now, LAPTOP)
        assert is_open("name0", now, LAPTOP)

    def test_known_names_count_like_unknown_ones(self, people, now):
        said = [guess(name, now) for name in ("alice", "bob", "charlie", "dora", "nobody")]
        assert said[4] is not None

    def test_five_typing_errors_of_one_person_shut_nobody_else_out(self, people, now):
        lock("alice", now)
        assert is_open("charlie", now)

    def test_a_success_takes_only_its_own_name_off_the_list(self, people, now):
        """An apprentice who guesses cannot wash the terminal with an account of their own."""
        for name in ("one", "two", "three", "charlie"):
            guess(name, now)
        guarding.take("charlie", DESK, now)
        guarding.succeed("charlie", DESK)
        assert [guarding.key_of(n) for n in ("one", "two", "three")] == [
            key for key, _at in guard_of(DESK).names
        ]
        assert guess("four", now) is None
        assert guess("five", now) is not None

    def test_a_success_does_not_open_a_locked_address(self, people, now):
        for number in range(5):
            guess(f"name{number}", now)
        guarding.succeed("alice", DESK)
        assert not is_open("alice", now)

    def test_names_are_forgotten_one_by_one(self, people, now):
        """A busy terminal: a mistyped name every quarter of an hour never adds up to five within the hour."""
        assert not any(guess(f"typo{number}", now + number * 15 * MINUTE) for number in range(40))
        assert guard_of(DESK).failures == 4

    def test_without_an_address_the_name_counts_all_the_same(self, people, now):
        lock("alice", now, "")
        assert not LoginGuard.objects.filter(kind=GuardKind.ADDRESS).exists()


class TestForgiving:
    def test_a_success_starts_afresh(self, people, now):
        lock("alice", now)
        now += 5 * MINUTE
        for _number in range(4):
            guess("alice", now)
        guarding.take("alice", DESK, now)
        guarding.succeed("alice", DESK)
        assert lock("alice", now).retry_after == 300

    def test_a_right_password_that_is_not_enough_forgives_nothing(self, people, now):
        for _number in range(4):
            guess("alice", now)
        for _number in range(3):
            guarding.take("alice", DESK, now)
            guarding.give_back("alice")
        assert guess("alice", now) is not None

    def test_a_right_password_that_is_not_enough_does_not_count_either(self, people, now):
        for _number in range(20):
            guarding.take("alice", DESK, now)
            guarding.give_back("alice")
        assert guard_of("alice").failures == 0

    def test_giving_back_does_not_open_what_others_have_locked_meanwhile(self, people, now):
        guarding.take("alice", LAPTOP, now)
        for _number in range(4):
            guess("alice", now)
        guarding.give_back("alice")
        assert not is_open("alice", now)

    def test_a_failure_counts_although_a_success_came_between(self, people, now):
        guarding.take("alice", DESK, now)
        guarding.take("alice", LAPTOP, now)
        guarding.succeed("alice", LAPTOP)
        guarding.fail("alice", DESK, now)
        assert guard_of("alice").failures == 1


class TestAtTheSameInstant:
    def test_no_more_than_five_are_looked_at(self, people, now):
        for _number in range(5):
            guarding.take("alice", DESK, now)
        with pytest.raises(LockedOut) as undecided:
            guarding.take("alice", LAPTOP, now)
        assert undecided.value.retry_after == 2
        assert guarding.fail("alice", DESK, now).retry_after == 300

    def test_those_under_way_when_the_lock_falls_do_not_make_it_longer(self, people, now):
        for _number in range(5):
            guarding.take("alice", DESK, now)
        for second in range(5):
            assert guarding.fail("alice", DESK, now + second * SECOND).retry_after == 300 - second
        assert (guard_of("alice").failures, guard_of("alice").level) == (5, 1)

    def test_names_under_way_when_an_address_is_locked_do_not_make_it_longer(self, people, now):
        names = [f"name{number}" for number in range(8)]
        for name in names:
            guarding.take(name, DESK, now)
        said = [guarding.fail(name, DESK, now + SECOND) for name in names]
        assert [no and no.retry_after for no in said] == [None] * 4 + [300] * 4
        assert (guard_of(DESK).failures, guard_of(DESK).level) == (5, 1)

    def test_five_that_are_right_lock_nobody(self, people, now):
        for _number in range(5):
            guarding.take("alice", DESK, now)
        for _number in range(5):
            guarding.succeed("alice", DESK)
        assert guess("alice", now) is None

    def test_what_was_killed_while_it_was_looked_at_stays_a_failure(self, people, now):
        for _number in range(5):
            guarding.take("alice", DESK, now)
        with pytest.raises(LockedOut) as shut:
            guarding.take("alice", DESK, now + MINUTE)
        assert shut.value.retry_after == 300
        assert is_open("alice", now + 6 * MINUTE)

    @pytest.mark.django_db(transaction=True)
    def test_a_count_that_could_be_rolled_back_is_refused(self, people, now):
        with pytest.raises(RuntimeError), transaction.atomic():
            guarding.take("alice", DESK, now)


class TestLifting:
    def lift(self, key: str, by: User, now) -> None:
        guarding.lift(guard_of(key).pk, actor=Actor(by.pk, Channel.ADMIN), now=now)

    def test_a_trainer_lifts_a_trainees_lock_and_it_is_journalled(self, people, now):
        lock("alice", now)
        self.lift("alice", people.bob, now)
        assert is_open("alice", now)
        assert lock("alice", now).retry_after == 300
        entry = Entry.objects.get(kind="lockout.lifted")
        assert (entry.actor, entry.subject, entry.data["locked"]) == (
            people.bob,
            f"user:{people.alice.pk}",
            True,
        )

    def test_a_trainer_opens_an_address_and_an_unknown_name(self, people, now):
        for number in range(5):
            guess(f"name{number}", now)
        lock("nobody", now, LAPTOP)
        self.lift(DESK, people.bob, now)
        self.lift(guarding.key_of("nobody"), people.bob, now)
        assert is_open("nobody", now)
        assert Entry.objects.filter(kind="lockout.lifted").count() == 2

    def test_a_trainee_lifts_nothing(self, people, now):
        lock("alice", now)
        lock("nobody", now)
        for key in ("alice", guarding.key_of("nobody")):
            for trainee in (people.alice, people.charlie):
                with pytest.raises(Refused) as no:
                    self.lift(key, trainee, now)
                assert no.value.codes == ("not_allowed",)
        assert not is_open("alice", now)
        assert not Entry.objects.filter(kind="lockout.lifted").exists()

    def test_a_trainer_does_not_lift_an_administrators_lock_nor_their_own(self, people, now):
        carla = factories.TraineeFactory(username="carla", role=Role.ADMINISTRATOR)
        for name in ("carla", "bob"):
            lock(name, now)
            with pytest.raises(Refused) as no:
                self.lift(name, people.bob, now)
            assert no.value.codes == ("not_allowed",)
        self.lift("bob", carla, now)
        assert is_open("bob", now)
        assert not is_open("carla", now)

    def test_there_must_be_something_to_lift(self, people, now):
        lock("alice", now)
        self.lift("alice", people.bob, now)
        with pytest.raises(Refused) as no:
            self.lift("alice", people.bob, now)
        assert no.value.codes == ("is_open",)

    def test_the_lock_of_a_person(self, people, now):
        assert guarding.lock_of(people.alice, now) is None
        lock("alice@workshop.test", now)
        assert guarding.lock_of(people.alice, now) == guard_of("alice")
        assert guarding.lock_of(people.charlie, now) is None
        assert guarding.lock_of(people.alice, now + 5 * MINUTE) is None


@pytest.mark.parametrize(
    ("level", "age", "stays"),
    [(0, 23, True), (0, 25, False), (1, 25, True), (3, 7 * 24 - 1, True), (3, 7 * 24 + 1, False)],
)
def test_quiet_guards_are_forgotten(db, now, level, age, stays):
    LoginGuard.objects.create(kind="user", key="alice", level=level, changed_at=now - age * HOUR)
    forget_attempts(now)
    assert LoginGuard.objects.exists() is stays


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (300, "5 minutes"),
        (3600, "60 minutes"),
    ],
)
def test_time_left_in_words(seconds, words):
    with translation.override("en"):
        assert guarding.time_left(seconds) == words
