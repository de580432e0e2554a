"""What apps register for the scheduler."""

from datetime import timedelta

import pytest

from core import registry

pytestmark = pytest.mark.usefixtures("only_mine")


def test_due_sources_come_in_their_order():
    for order, name in [(30, "c"), (10, "z"), (10, "a")]:

        @registry.on_due(name=name, order=order, next_due=lambda now: None)
        def run(now, *, is_running):
            """Nothing."""

    assert [source.name for source in registry.due_sources()] == ["a", "z", "c"]


def test_periodic_function_stays_callable_and_is_listed():
    @registry.periodic(every=timedelta(minutes=1), name="core.something", while_stopped=True)
    def something(now):
        """Nothing."""

    entry = registry.periodics()["core.something"]
    assert (entry.run, entry.every, entry.while_stopped) == (something, timedelta(minutes=1), True)


def test_name_that_is_taken_is_refused():
    register = registry.periodic(every=timedelta(minutes=1), name="twice")
    register(lambda now: None)
    with pytest.raises(ValueError, match="'twice' is registered twice"):
        register(lambda now: None)
    registry.forget("twice")
    register(lambda now: None)


def test_interval_below_a_second_is_refused():
    with pytest.raises(ValueError, match="at most once a second"):
        registry.periodic(every=timedelta(milliseconds=100), name="furnace")
