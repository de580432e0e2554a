"""Doors: what is wanted of a plug. Nothing here talks to a device; the reconciler does."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.actor import Actor
from core.errors import Refused
from journal.domain.recording import Event, record
from plugs.choices import CommandResult
from plugs.models import OPEN_RESULTS, PlugCommand, PlugState, SmartPlug
from plugs.signals import locking, override_changed

OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plug shall do. ``on`` None: nobody decides, hands off.

    ``planned_at`` is the instant the change was due; lateness is counted from it. Switching off waits
    while more than ``hold_above_w`` watts are drawn; None cuts regardless.
    """

    on: bool | None
    reason: str
    planned_at: datetime
    hold_above_w: float | None = None


def aim(aims: Mapping[int, Aim], *, actor: Actor, now: datetime) -> None:
    """Set the aims of plugs, by plug id, in the caller's transaction; repeating an aim changes nothing."""
    states = PlugState.objects.filter(plug_id__in=aims)
    # Few different aims, many plugs: one statement for each aim, since one for each plug takes a second for 200.
    changed: dict[tuple[Aim, bool], list[int]] = defaultdict(list)
    turned: list[PlugState] = []
    for state in states:
        want = aims[state.plug_id]
        if (state.wanted, state.wanted_reason, state.hold_above_w) == (
            want.on,
            want.reason,
            want.hold_above_w,
        ):
            continue
        if state.wanted != want.on:
            turned.append(state)
        is_urgent = state.wanted != want.on or state.hold_above_w != want.hold_above_w
        changed[replace(want, planned_at=now), is_urgent].append(state.plug_id)
    for (want, is_urgent), plug_ids in changed.items():
        urgency = {"next_poll_at": now} if is_urgent else {}
        PlugState.objects.filter(plug_id__in=plug_ids).update(
            wanted=want.on, wanted_reason=want.reason, hold_above_w=want.hold_above_w, **urgency
        )
    _open_commands(turned, aims, actor=actor, now=now)


def _open_commands(
    states: Iterable[PlugState], aims: Mapping[int, Aim], *, actor: Actor, now: datetime
) -> None:
    plug_ids = [state.plug_id for state in states]
    if not plug_ids:
        return
    PlugCommand.objects.filter(plug_id__in=plug_ids, result__in=OPEN_RESULTS).update(
        result=CommandResult.SUPERSEDED
    )
    PlugCommand.objects.bulk_create(
        PlugCommand(
            plug_id=plug_id,
            on=on,
            reason=aims[plug_id].reason,
            actor_id=actor.user_id,
            planned_at=aims[plug_id].planned_at,
            created_at=now,
        )
        for plug_id in plug_ids
        if (on := aims[plug_id].on) is not None
    )


@transaction.atomic
def override(
    plug: SmartPlug,
    *,
    on: bool,
    until: datetime | None,
    reason: str,
    actor: Actor,
    now: datetime,
    cut: bool = False,
) -> None:
    """A trainer's word goes before the plan, until an instant or until taken back.

    ``cut`` switches off even while the machine draws power. Raises :class:`Refused` without a reason
    or with an end that has passed. Rights are the caller's to check.
    """
    if not reason.strip():
        raise Refused.because(
            "reason_missing", _("Say why, so that the next person understands."), field="reason"
        )
    if until is not None and until <= now:
        raise Refused.because("until_past", _("The end must lie in the future."), field="until")
    locking.send(sender=SmartPlug, plug_ids={plug.pk})
    PlugState.objects.filter(plug=plug).update(
        override_on=on,
        override_until=until,
        override_reason=reason.strip()[:200],
        override_by=actor.user_id,
        override_is_cut=cut and not on,
    )
    settle([plug], actor=actor, now=now)
    data = {"on": on, "until": until.isoformat() if until else None, "reason": reason, "cut": cut}
    record([Event("plug.overridden", plug, data)], actor=actor, now=now)


@transaction.atomic
def end_override(plugs: Iterable[SmartPlug], *, actor: Actor, now: datetime) -> None:
    """Back to the plan."""
    plugs = list(plugs)
    locking.send(sender=SmartPlug, plug_ids={plug.pk for plug in plugs})
    PlugState.objects.filter(plug__in=plugs).update(
        override_on=None, override_until=None, override_reason="", override_by=None, override_is_cut=False
    )
    settle(plugs, actor=actor, now=now)
    record([Event("plug.override_ended", plug) for plug in plugs], actor=actor, now=now)


def settle(plugs: Iterable[SmartPlug], *, actor: Actor, now: datetime) -> None:
    """Let the apps above plan anew; a plug that none of them plans follows the override alone, or is left alone.

    In the caller's transaction, which has locked the machines.
    """
    plug_ids = {plug.pk for plug in plugs}
    if not plug_ids:
        return
    answers = override_changed.send(sender=SmartPlug, plug_ids=plug_ids, actor=actor, now=now)
    planned = {plug_id for _receiver, answer in answers for plug_id in answer or ()}
    unplanned = PlugState.objects.filter(plug_id__in=plug_ids - planned)
    aim({state.plug_id: _of_override(state, now) for state in unplanned}, actor=actor, now=now)


def _of_override(state: PlugState, now: datetime) -> Aim:
    reason = "" if state.override_on is None else OVERRIDE
    return Aim(on=state.override_on, reason=reason, planned_at=now)
