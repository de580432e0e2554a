"""Who is due, and who gets it: leases, batches, and a second claimer who comes too late."""

from datetime import timedelta

import pytest
from django.conf import settings

from plugs.choices import Health
from plugs.domain import reconciling
from plugs.domain.reconciling import FAST_DEADLINE, LEASE, SLOW_DEADLINE, SPLIT_ABOVE
from plugs.models import DEAD_AFTER, PlugState
from tests import factories
from tests.plugs.conftest import queued

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


def plugs(count, **state):
    """So many plugs with that state."""
    made = factories.PlugFactory.create_batch(count)
    PlugState.objects.filter(plug__in=made).update(**state)
    return [plug.pk for plug in made]


def batches():
    """What was handed to the workers: plugs and deadline."""
    return [(task["args"][0], task["kwargs"]["deadline"]) for task in queued()]


def test_what_is_due_is_leased_and_handed_to_a_worker(now):
    due = plugs(2, next_poll_at=now)
    plugs(1, next_poll_at=now + SECOND)
    plugs(1, next_poll_at=None)
    reconciling.claim_due(now, is_switching=True)
    (task,) = queued()
    assert task["func"] is reconciling.reconcile
    assert task["args"] == (due,)
    assert task["kwargs"] == {"lease": now + LEASE, "is_switching": True, "deadline": FAST_DEADLINE}
    assert list(PlugState.objects.filter(leased_until=now + LEASE).values_list("pk", flat=True)) == due


def test_a_stopped_scheduler_only_reads(now):
    plugs(1, next_poll_at=now)
    reconciling.claim_due(now, is_switching=False)
    assert queued()[0]["kwargs"]["is_switching"] is False


def test_nothing_due_means_nothing_done(now):
    plugs(1, next_poll_at=now + SECOND)
    reconciling.claim_due(now, is_switching=True)
    assert not queued()


def test_a_second_claimer_gets_nothing_until_the_lease_is_over(now):
    due = plugs(3, next_poll_at=now)
    reconciling.claim_due(now, is_switching=True)
    reconciling.claim_due(now, is_switching=True)
    reconciling.claim_due(now + LEASE - SECOND, is_switching=True)
    assert batches() == [(due, FAST_DEADLINE)]
    reconciling.claim_due(now + LEASE, is_switching=True)  # the worker died with the plugs in hand
    assert batches() == [(due, FAST_DEADLINE)] * 2
    assert set(PlugState.objects.values_list("leased_until", flat=True)) == {now + 2 * LEASE}


def test_plugs_in_trouble_travel_apart_and_slower(now):
    fine = plugs(2, next_poll_at=now)
    sick = plugs(1, next_poll_at=now, failures=1) + plugs(1, next_poll_at=now, failures=9)
    reconciling.claim_due(now, is_switching=True)
    assert batches() == [(fine, FAST_DEADLINE), (sick, SLOW_DEADLINE)]


def test_only_trouble_makes_one_batch(now):
    sick = plugs(1, next_poll_at=now, failures=1)
    reconciling.claim_due(now, is_switching=True)
    assert batches() == [(sick, SLOW_DEADLINE)]


def test_a_large_batch_is_shared_by_all_workers(now):
    due = plugs(SPLIT_ABOVE + 1, next_poll_at=now)
    reconciling.claim_due(now, is_switching=True)
    parts = [part for part, _deadline in batches()]
    assert len(parts) == settings.Q_CLUSTER["workers"]
    assert sorted(plug_id for part in parts for plug_id in part) == due


def test_a_suspended_plug_is_left_alone_until_a_person_asks(now):
    plugs(1, next_poll_at=now, is_suspended=True)
    plug = PlugState.objects.get().plug
    assert reconciling.next_due(now) is None
    reconciling.claim_due(now, is_switching=True)
    assert not queued()
    reconciling.contact_now([plug], now=now + SECOND)
    assert reconciling.next_due(now) == now + SECOND
    reconciling.claim_due(now + SECOND, is_switching=True)
    assert batches() == [([plug.pk], FAST_DEADLINE)]


def test_the_next_due_instant_is_the_earliest_contact_that_nobody_has_in_hand(now):
    assert reconciling.next_due(now) is None
    plugs(1, next_poll_at=now + 5 * SECOND)
    plugs(1, next_poll_at=now + 2 * SECOND, leased_until=now + SECOND)
    assert reconciling.next_due(now) == now + 5 * SECOND
    assert reconciling.next_due(now + SECOND) == now + 2 * SECOND


def test_the_claim_and_the_task_stand_or_fall_together(now, monkeypatch):
    """A claim whose task cannot be written is no claim."""
    plugs(1, next_poll_at=now)

    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the queue is gone")

    monkeypatch.setattr(reconciling, "async_task", broken)
    with pytest.raises(RuntimeError):
        reconciling.claim_due(now, is_switching=True)
    assert PlugState.objects.get().leased_until is None


@pytest.mark.parametrize(
    ("state", "health"),
    [
        ({}, Health.UNKNOWN),
        ({"last_contact_at": "now"}, Health.FINE),
        ({"last_contact_at": "now", "failures": 1}, Health.TROUBLE),
        ({"last_contact_at": "now", "failures": DEAD_AFTER}, Health.DEAD),
        ({"failures": DEAD_AFTER, "is_suspended": True}, Health.SUSPENDED),
    ],
)
def test_the_health_of_a_plug_in_a_word(now, state, health):
    plugs(1, **{key: now if value == "now" else value for key, value in state.items()})
    assert PlugState.objects.get().health is health
