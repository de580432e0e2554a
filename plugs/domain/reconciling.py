"""Wanted against observed, for every plug: claim what is due, drive the devices, record what came of it.

The ticker calls :func:`claim_due`; a worker then runs :func:`reconcile` for a batch of plugs at once. A
plug is in one batch at a time: the claim is a lease, and a batch whose lease has passed to another does
nothing. Healthy plugs and plugs in trouble travel in different batches, so that a dead plug delays nobody.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django_q.tasks import async_task

from core import clock
from core.actor import SYSTEM
from plugs.domain import observing
from plugs.domain.switching import end_override
from plugs.drivers.base import Endpoint
from plugs.drivers.fleet import Order, fleet
from plugs.models import PlugState, SmartPlug

# Longer than a batch takes; a worker that died with plugs in hand gives them back after this.
LEASE = timedelta(seconds=10)
# One attempt each: the next one is a row that falls due, not a worker that waits.
FAST_DEADLINE = 2.5
SLOW_DEADLINE = 6.0
# Both workers share a large batch.
SPLIT_ABOVE = 20


def next_due(now: datetime) -> datetime | None:
    """When a plug wants attention next: a contact that is due, or an override that ends."""
    contact = (
        PlugState.objects.filter(next_poll_at__isnull=False, is_suspended=False)
        .exclude(leased_until__gt=now)
        .order_by("next_poll_at")
        .values_list("next_poll_at", flat=True)
        .first()
    )
    override_end = (
        PlugState.objects.filter(override_until__isnull=False)
        .order_by("override_until")
        .values_list("override_until", flat=True)
        .first()
    )
    return min((at for at in (contact, override_end) if at), default=None)


def claim_due(now: datetime, *, is_switching: bool) -> None:
    """Lease every plug that is due and hand it to a worker; ``is_switching`` False only reads.

    What a trainer has overridden is switched all the same: stopping the scheduler stops the plan, not people.
    """
    expired = SmartPlug.objects.filter(state__override_until__lte=now)
    if expired:
        end_override(expired, actor=SYSTEM, now=now)
    with transaction.atomic():
        due = PlugState.objects.filter(next_poll_at__lte=now, is_suspended=False).exclude(
            leased_until__gt=now
        )
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        rows = list(due.order_by("plug_id").values_list("plug_id", "failures"))
        if not rows:
            return
        lease = now + LEASE
        PlugState.objects.filter(plug_id__in=[plug_id for plug_id, _ in rows]).update(leased_until=lease)
        healthy = [plug_id for plug_id, failures in rows if not failures]
        troubled = [plug_id for plug_id, failures in rows if failures]
        for batch in _split(healthy):
            _enqueue(batch, lease, is_switching, FAST_DEADLINE)
        if troubled:
            _enqueue(troubled, lease, is_switching, SLOW_DEADLINE)


def _split(plug_ids: list[int]) -> list[list[int]]:
    if len(plug_ids) <= SPLIT_ABOVE:
        return [plug_ids] if plug_ids else []
    parts = settings.Q_CLUSTER["workers"]
    return [plug_ids[part::parts] for part in range(parts)]


def _enqueue(plug_ids: list[int], lease: datetime, is_switching: bool, deadline: float) -> None:
    async_task(
        reconcile,
        plug_ids,
        lease=lease,
        is_switching=is_switching,
        deadline=deadline,
        q_options={"save": False, "task_name": f"reconcile {len(plug_ids)} plugs"},
    )


def reconcile(plug_ids: Iterable[int], *, lease: datetime, is_switching: bool, deadline: float) -> None:
    """Worker task: bring the leased plugs to what is wanted of them and record what was seen."""
    states = PlugState.objects.filter(plug_id__in=plug_ids, leased_until=lease).select_related("plug")
    orders = {state.plug_id: _order(state, is_switching) for state in states}
    for outcomes in fleet().run(orders.values(), deadline=deadline, attempts=1):
        observing.absorb(outcomes, orders, lease=lease, now=clock.now())


def _order(state: PlugState, is_switching: bool) -> Order:
    plug = state.plug
    follows = is_switching or state.override_on is not None
    return Order(
        key=plug.pk,
        endpoint=Endpoint(
            driver=plug.driver,
            address=plug.address,
            username=plug.username,
            password=plug.password,
            generation=state.generation,
            device_id=state.device_id,
        ),
        want=state.wanted if follows else None,
        hold_above_w=state.hold_above_w,
    )


def contact_now(plugs: Iterable[SmartPlug], *, now: datetime) -> None:
    """Ask these plugs at once, suspended ones too: somebody pressed "test" or mended something."""
    PlugState.objects.filter(plug__in=plugs).update(next_poll_at=now, is_suspended=False)
