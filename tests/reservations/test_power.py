"""The power plan, by example and by properties over random schedules, clock changes and overrides."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.domain.power import Override, Plan, PowerFacts, Reason, Slot, power_plan

NOW = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def plan(facts: PowerFacts, now: datetime = NOW) -> tuple[bool, Reason]:
    decided = power_plan(now, facts)
    return decided.want, decided.reason


def job(start: int, end: int, **kwargs: bool) -> Slot:
    """A job from ``start`` to ``end`` minutes after now."""
    return Slot(NOW + start * MINUTE, NOW + end * MINUTE, **kwargs)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (PowerFacts(), (False, Reason.NOTHING)),
        (PowerFacts(slots=(job(0, 60),)), (True, Reason.JOB)),
        (PowerFacts(slots=(job(-60, 0),)), (False, Reason.NOTHING)),
        (PowerFacts(slots=(job(5, 60),)), (False, Reason.NOTHING)),
        (PowerFacts(slots=(job(5, 60),), lead=5 * MINUTE), (True, Reason.LEAD)),
        (PowerFacts(slots=(job(0, 60),), is_in_service=False), (False, Reason.OUT_OF_SERVICE)),
        (PowerFacts(is_on=True, power_w=8.0), (False, Reason.NOTHING)),
        (PowerFacts(is_on=True, power_w=90.0), (True, Reason.OVERRUN)),
        (PowerFacts(is_on=True, power_w=None), (False, Reason.NOTHING)),
        (PowerFacts(is_on=True, power_w=90.0, last_end_at=NOW - MINUTE), (True, Reason.COOL_DOWN)),
        (PowerFacts(is_on=True, power_w=90.0, last_end_at=NOW - 5 * MINUTE), (True, Reason.OVERRUN)),
        (
            PowerFacts(is_on=True, power_w=90.0, last_end_at=NOW - 9 * MINUTE, hard_limit=9 * MINUTE),
            (False, Reason.HARD_LIMIT),
        ),
        (PowerFacts(override=Override(on=True)), (True, Reason.OVERRIDE)),
        (PowerFacts(slots=(job(0, 60),), override=Override(on=False)), (False, Reason.OVERRIDE)),
        (PowerFacts(override=Override(on=True), is_in_service=False), (True, Reason.OVERRIDE)),
        (PowerFacts(override=Override(on=True, until=NOW)), (False, Reason.NOTHING)),
    ],
)
def test_the_first_row_that_applies_decides(facts, expected):
    assert plan(facts) == expected


def test_only_a_cut_and_the_hard_limit_go_through_a_load():
    loaded = {"is_on": True, "power_w": 90.0}
    assert power_plan(NOW, PowerFacts(**loaded, override=Override(on=False))).hold_above_w == 15.0
    assert power_plan(NOW, PowerFacts(**loaded, override=Override(on=False, cut=True))).hold_above_w is None
    late = PowerFacts(**loaded, last_end_at=NOW - 9 * MINUTE, hard_limit=5 * MINUTE)
    assert power_plan(NOW, late).hold_above_w is None


def test_the_next_change_is_named():
    facts = PowerFacts(slots=(job(30, 60),), lead=10 * MINUTE)
    assert power_plan(NOW, facts) == Plan(False, Reason.NOTHING, NOW + 20 * MINUTE, 15.0)
    assert power_plan(NOW + 30 * MINUTE, facts).next_change_at == NOW + 60 * MINUTE
    assert power_plan(NOW + 60 * MINUTE, facts).next_change_at is None


# Around both clock changes of 2026 in Berlin and an ordinary day.
ANCHORS = [
    datetime(2026, 2, 4, 9, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
]
minutes = st.integers(min_value=-600, max_value=600)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[datetime, PowerFacts]:
    """A clock and a machine with a few jobs one after the other, an override, and a plug in any state."""
    now = draw(st.sampled_from(ANCHORS))
    cuts = sorted(draw(st.lists(minutes, min_size=0, max_size=8, unique=True)))
    slots = tuple(
        Slot(now + a * MINUTE, now + b * MINUTE) for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    )
    until = draw(st.none() | minutes.map(lambda m: now + m * MINUTE))
    override = draw(st.none() | st.builds(Override, st.booleans(), st.just(until), st.booleans()))
    return now, PowerFacts(
        slots=slots,
        lead=draw(st.integers(0, 30)) * MINUTE,
        hard_limit=draw(st.none() | st.integers(0, 120).map(lambda m: m * MINUTE)),
        is_in_service=draw(st.booleans()),
        override=override,
        is_on=draw(st.none() | st.booleans()),
        power_w=draw(st.none() | st.floats(0, 2000)),
        last_end_at=draw(st.none() | st.integers(-600, 0).map(lambda m: now + m * MINUTE)),
    )


@given(schedules())
def test_a_running_job_has_power_unless_a_trainer_or_the_service_state_says_no(case):
    now, facts = case
    decided = power_plan(now, facts)
    is_inside = any(slot.starts_at <= now < slot.ends_at for slot in facts.slots)
    if is_inside and decided.reason not in {Reason.OVERRIDE, Reason.OUT_OF_SERVICE}:
        assert decided.want


@given(schedules())
def test_power_is_never_cut_under_load_but_by_a_cut_or_the_hard_limit(case):
    now, facts = case
    decided = power_plan(now, facts)
    if not decided.want and decided.hold_above_w is None:
        is_cut = facts.override is not None and facts.override.cut and decided.reason is Reason.OVERRIDE
        assert is_cut or decided.reason is Reason.HARD_LIMIT


@given(schedules())
def test_between_now_and_the_next_change_nothing_changes(case):
    """The ticker may sleep until then: this is what makes exact switching possible."""
    now, facts = case
    decided = power_plan(now, facts)
    horizon = decided.next_change_at or now + timedelta(days=2)
    for share in (0.0, 0.25, 0.5, 0.999999):
        at = now + (horizon - now) * share
        later = power_plan(min(at, horizon - timedelta(microseconds=1)), facts)
        assert (later.want, later.reason, later.next_change_at) == (
            decided.want,
            decided.reason,
            decided.next_change_at,
        )


@given(schedules())
def test_following_the_changes_comes_to_an_end_and_ends_off_without_load_and_override(case):
    now, facts = case
    steps = 0
    while (at := power_plan(now, facts).next_change_at) is not None:
        assert at > now
        now, steps = at, steps + 1
        assert steps <= 40
    final = power_plan(now, facts)
    if not facts.draws and not (facts.override and facts.override.until is None):
        assert not final.want


@given(schedules())
def test_an_override_in_force_is_obeyed(case):
    now, facts = case
    override = facts.override
    if override and (override.until is None or override.until > now):
        assert power_plan(now, facts).want is override.on
