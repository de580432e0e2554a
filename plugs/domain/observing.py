"""What came back from the plugs: states, readings, commands and journal in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.actor import Actor, Channel
from journal.domain.recording import Event, record
from plugs.choices import CommandResult
from plugs.drivers.base import PlugReading as Measured
from plugs.drivers.errors import AuthFailed, DriverError, ProtocolMismatch
from plugs.drivers.fleet import Order, Outcome
from plugs.models import DEAD_AFTER, OPEN_RESULTS, PlugCommand, PlugReading, PlugState, SmartPlug
from plugs.signals import locking, power_observed

DEVICE = Actor(user_id=None, channel=Channel.DEVICE)

KEEP_EVERY = timedelta(seconds=60)
# A contact that failed is repeated after these waits; then the plug is dead and asked ever more rarely.
RETRY_AFTER = (timedelta(seconds=0.5), timedelta(seconds=1.5))
DEAD_FIRST, DEAD_MOST = timedelta(seconds=30), timedelta(seconds=300)
# Where in the round plugs are read: so many of them at once, and none on the full minute, where jobs start.
ROUND_SIZE = 20
ROUND_SHARES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18)
DEAD_SHARE = 0.3
# The plug's own on-time must at least reach back to our last contact, less this much slack.
POWER_CUT_SLACK = timedelta(seconds=10)

_STATE_FIELDS = [
    "observed", "power_w", "energy_today_wh", "energy_month_wh", "energy_total_wh", "on_seconds", "rssi",
    "device_id", "generation", "firmware", "last_contact_at", "observed_changed_at", "failures", "error_code",
    "error_text", "error_at", "is_suspended", "kept_reading_at", "kept_reading_w", "next_poll_at", "leased_until",
]  # fmt: skip
_COMMAND_FIELDS = ["attempts", "sent_at", "confirmed_at", "result", "error_code"]


@transaction.atomic
def absorb(
    outcomes: Sequence[Outcome], orders: Mapping[int, Order], *, lease: datetime, now: datetime
) -> None:
    """Write down a group of outcomes. Plugs whose lease has passed to another batch are left alone."""
    by_key = {outcome.key: outcome for outcome in outcomes}
    locking.send(sender=SmartPlug, plug_ids=set(by_key))
    states = list(
        PlugState.objects.filter(plug_id__in=by_key, leased_until=lease)
        .select_related("plug")
        .select_for_update(of=("self",))
        .order_by("plug_id")
    )
    commands = {
        command.plug_id: command
        for command in PlugCommand.objects.filter(
            plug_id__in=[state.plug_id for state in states], result__in=OPEN_RESULTS
        )
    }
    ledger = _Ledger(now)
    for state in states:
        outcome, order = by_key[state.plug_id], orders[state.plug_id]
        command = commands.get(state.plug_id)
        if outcome.reading is None:
            ledger.note_failure(state, outcome)
        else:
            ledger.note_reading(state, outcome, outcome.reading)
        ledger.note_command(state, outcome, order, command)
        state.leased_until = None
        state.next_poll_at = _next_contact(state, outcome, order, now)
    ledger.save(states)
    if ledger.noteworthy:
        power_observed.send(sender=SmartPlug, plug_ids=ledger.noteworthy, now=now)
    record(ledger.events, actor=DEVICE, now=now)


class _Ledger:
    """Collects what one group of outcomes changes, to be written in a few statements."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.events: list[Event] = []
        self.noteworthy: set[int] = set()
        self._readings: list[PlugReading] = []
        self._new_commands: list[PlugCommand] = []
        self._commands: list[PlugCommand] = []

    def note_failure(self, state: PlugState, outcome: Outcome) -> None:
        """A contact that failed; the first one, and the one that makes the plug dead, are told."""
        error = outcome.error or DriverError("no answer")
        state.failures += 1
        state.error_code, state.error_text, state.error_at = error.code, str(error)[:300], self.now
        if isinstance(error, ProtocolMismatch):
            state.generation = ""  # firmware changed: find out anew
        if isinstance(error, AuthFailed):
            # Plugs lock themselves after repeated failed logins: wait for a person.
            state.is_suspended = True
            self._tell("plug.suspended", state, {"fault": error.code})
        elif state.failures in {1, DEAD_AFTER}:
            kind = "plug.contact_failed" if state.failures == 1 else "plug.lost"
            self._tell(kind, state, {"fault": error.code, "text": state.error_text})

    def note_reading(self, state: PlugState, outcome: Outcome, reading: Measured) -> None:
        """A contact that worked."""
        if state.failures >= DEAD_AFTER:
            self._tell("plug.found_again", state, {"after_failures": state.failures})
        self._note_power_cut(state, reading)
        before = (state.observed, state.power_w)
        if state.observed != reading.on:
            state.observed_changed_at = self.now
        state.observed, state.on_seconds = reading.on, reading.on_seconds
        state.power_w = reading.power_w
        state.energy_today_wh, state.energy_month_wh = reading.energy_today_wh, reading.energy_month_wh
        state.energy_total_wh = reading.energy_total_wh
        state.rssi, state.firmware = reading.rssi, reading.firmware
        state.device_id = state.device_id or reading.device_id
        state.generation = outcome.generation or state.generation
        state.last_contact_at, state.failures, state.is_suspended = reading.read_at, 0, False
        state.error_code = state.error_text = ""
        if before != (state.observed, state.power_w):
            self.noteworthy.add(state.plug_id)
        if self._is_worth_keeping(state, reading, before[0]):
            self._keep(state, reading)

    def _note_power_cut(self, state: PlugState, reading: Measured) -> None:
        """On before and on now, but not on in between: the mains were away."""
        if not (state.observed and reading.on and state.last_contact_at and reading.on_seconds is not None):
            return
        away = self.now - state.last_contact_at
        if timedelta(seconds=reading.on_seconds) + POWER_CUT_SLACK < away:
            self._tell("plug.power_cut", state, {"on_seconds": reading.on_seconds})

    def _is_worth_keeping(self, state: PlugState, reading: Measured, was_on: bool | None) -> bool:
        if state.kept_reading_at is None or was_on != reading.on:
            return True
        if self.now - state.kept_reading_at >= KEEP_EVERY:
            return True
        old, new = state.kept_reading_w, reading.power_w
        if old is None or new is None:
            return old is not new
        return abs(new - old) >= max(2.0, 0.05 * old)

    def _keep(self, state: PlugState, reading: Measured) -> None:
        state.kept_reading_at, state.kept_reading_w = self.now, reading.power_w
        self._readings.append(
            PlugReading(
                plug_id=state.plug_id,
                at=reading.read_at,
                on=reading.on,
                power_w=reading.power_w,
                energy_today_wh=reading.energy_today_wh,
                energy_month_wh=reading.energy_month_wh,
            )
        )

    def note_command(
        self, state: PlugState, outcome: Outcome, order: Order, command: PlugCommand | None
    ) -> None:
        """What became of the open command, or of a plug that had strayed from its aim."""
        if order.want is None:
            return
        if command is None:
            if outcome.sent_at is None:
                return
            command = self._command_for_drift(state, outcome, order.want)
        elif command.on != order.want:
            return  # a newer aim than the one this batch carried
        command.attempts += outcome.attempts
        command.sent_at = outcome.sent_at or command.sent_at
        if outcome.held:
            if command.result != CommandResult.HELD:
                self._tell("plug.held", state, {"power_w": state.power_w})
            command.result = CommandResult.HELD
        elif outcome.confirmed_at is None:
            command.result = CommandResult.FAILED
            command.error_code = outcome.error.code if outcome.error else ""
        else:
            command.result, command.error_code = CommandResult.CONFIRMED, ""
            command.confirmed_at = outcome.confirmed_at
            kind = "plug.switched_on" if command.on else "plug.switched_off"
            self._tell(kind, state, {"reason": command.reason, "late_ms": _late_ms(command)})
        if command.pk:
            self._commands.append(command)

    def _command_for_drift(self, state: PlugState, outcome: Outcome, want: bool) -> PlugCommand:
        """Somebody pressed the button, or the mains came back the other way: put right, on record."""
        self._tell("plug.strayed", state, {"found_on": not want})
        command = PlugCommand(
            plug_id=state.plug_id,
            on=want,
            reason=state.wanted_reason,
            planned_at=outcome.sent_at or self.now,
            created_at=self.now,
        )
        self._new_commands.append(command)
        return command

    def _tell(self, kind: str, state: PlugState, data: dict[str, object]) -> None:
        self.events.append(Event(kind, state.plug, data))

    def save(self, states: Sequence[PlugState]) -> None:
        """Write everything down."""
        # An upsert of rows that are there: bulk_update takes ten times as long, a second for 90 plugs.
        PlugState.objects.bulk_create(
            states, update_conflicts=True, unique_fields=["plug"], update_fields=_STATE_FIELDS
        )
        PlugReading.objects.bulk_create(self._readings)
        PlugCommand.objects.bulk_create(self._new_commands)
        done = [command for command in self._commands if command.result == CommandResult.CONFIRMED]
        PlugCommand.objects.bulk_create(
            done, update_conflicts=True, unique_fields=["id"], update_fields=_COMMAND_FIELDS
        )
        # These stay open: as an upsert, the row would be in its own way (one open command for each plug).
        still_open = [command for command in self._commands if command.result != CommandResult.CONFIRMED]
        PlugCommand.objects.bulk_update(still_open, _COMMAND_FIELDS)


def _late_ms(command: PlugCommand) -> int | None:
    if command.confirmed_at is None:
        return None
    return round((command.confirmed_at - command.planned_at).total_seconds() * 1000)


def _next_contact(state: PlugState, outcome: Outcome, order: Order, now: datetime) -> datetime:
    if outcome.reading is None:
        return _after_failure(state, now)
    if order.want != state.wanted and order.want is not None:
        return now  # the aim changed while this batch was out
    share = ROUND_SHARES[state.plug_id // ROUND_SIZE % len(ROUND_SHARES)]
    return _next_round(now, settings.PLUG_POLL_EVERY, share)


def _after_failure(state: PlugState, now: datetime) -> datetime:
    """When to ask again. No jitter: plugs that failed together are asked together, which costs a worker its
    patience once. For the same reason the dead ones share a round of their own."""
    if state.failures <= len(RETRY_AFTER):
        return now + RETRY_AFTER[state.failures - 1]
    wait = min(DEAD_FIRST * 2 ** min(state.failures - DEAD_AFTER, 6), DEAD_MOST)
    if not state.is_right:
        wait = DEAD_FIRST  # somebody waits for this plug
    return _next_round(now + wait - DEAD_FIRST / 2, DEAD_FIRST.total_seconds(), DEAD_SHARE)


def _next_round(after: datetime, every: float, share: float) -> datetime:
    """The next instant that lies ``share`` of the way through a round of ``every`` seconds."""
    seconds = after.timestamp() - every * share
    return after + timedelta(seconds=every - seconds % every)
