"""When a cluster counts as dead, and when a beat is sent."""

import os
from types import SimpleNamespace

import pytest

from core.supervision import lifeline
from core.supervision.lifeline import Lifeline


@pytest.fixture
def at(monkeypatch):
    """Turn the clock for durations."""
    present = [1000.0]
    monkeypatch.setattr(lifeline, "monotonic", lambda: present[0])

    def turn(seconds):
        present[0] = 1000.0 + seconds

    return turn


def test_beat_goes_out_only_in_silence_one_at_a_time_then_every_second(at):
    line = Lifeline(24)
    line.came_back()
    sent = []
    for tenth in range(150):
        at(tenth / 10)
        if line.take_beat():
            sent.append(tenth / 10)
    assert sent == [5.0, 10.0, 11.0, 12.0, 13.0, 14.0]


def test_new_cluster_proves_at_once_that_it_lives(at):
    line = Lifeline(24)
    assert not line.has_lived
    sent = []
    for tenth in range(25):
        at(tenth / 10)
        if line.take_beat():
            sent.append(tenth / 10)
    assert sent == [0.0, 1.0, 2.0]
    line.came_back()
    assert line.has_lived
    assert not line.take_beat()


def test_what_comes_back_keeps_the_beat_away(at):
    line = Lifeline(24)
    for second in range(60):
        at(second)
        line.came_back()
        assert not line.take_beat()
    assert line.silent_for == 0


def test_silence_is_death_after_twenty_seconds(at):
    line = Lifeline(24)
    at(20)
    assert not line.is_dead
    at(20.1)
    assert line.is_dead
    line.came_back()
    assert not line.is_dead


def test_worker_at_work_explains_the_silence_until_its_time_is_over(at, monkeypatch):
    line = Lifeline(24)
    line.began()
    at(23)
    assert not line.is_dead
    at(24.1)
    assert line.is_dead, "the worker was killed, or its task has no limit"
    at(21)
    line.finished()
    assert line.is_dead


def test_workers_are_told_apart(at, monkeypatch):
    line = Lifeline(24)
    line.began()
    other = os.getpid() + 1
    another = SimpleNamespace(getpid=lambda: other)
    monkeypatch.setattr(lifeline, "os", another)
    line.began()
    line.finished()
    at(21)
    assert not line.is_dead, "the first one is still at work"
