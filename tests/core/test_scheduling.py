"""Stop, start, and periodic work that runs once per interval whoever else tries."""

from datetime import timedelta

import pytest
from django_q.models import OrmQ

from core import registry
from core.actor import SYSTEM, Actor, Channel
from core.domain import beating, scheduling
from core.errors import Refused
from core.models import PeriodicTask, SchedulerState
from core.signals import scheduler_changed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_mine")]
MINUTE = timedelta(minutes=1)


def register(name="core.sweep", every=MINUTE, run=lambda now: None, **options):
    registry.periodic(every=every, name=name, **options)(run)


@pytest.fixture
def told():
    """What the signal said."""
    seen = []

    def receive(sender, **kwargs):
        seen.append((kwargs["is_running"], kwargs["reason"], kwargs["actor"]))

    scheduler_changed.connect(receive)
    yield seen
    scheduler_changed.disconnect(receive)


def test_scheduler_runs_until_somebody_stops_it(now):
    status = scheduling.status(now)
    assert (status.is_running, status.is_alive, status.beat_at) == (True, False, None)
    assert scheduling.is_running()


def test_stop_and_start_keep_who_when_and_why_and_tell_it_once(django_user_model, now, told):
    bob = django_user_model.objects.create_user("bob", first_name="Bob", last_name="Baker")
    actor = Actor(bob.pk, Channel.ADMIN)
    scheduling.stop(actor, " fire drill ", now=now)
    status = scheduling.stop(actor, "again", now=now + MINUTE)
    assert (status.is_running, status.changed_by_name, status.reason) == (False, str(bob), "fire drill")
    assert status.changed_at == now
    assert not scheduling.is_running()
    status = scheduling.start(actor, now=now + MINUTE)
    assert (status.is_running, status.reason, status.changed_at) == (True, "", now + MINUTE)
    assert told == [(False, "fire drill", actor), (True, "", actor)]
    assert SchedulerState.objects.get().changed_by_id == bob.pk


def test_stop_without_a_reason_is_refused():
    with pytest.raises(Refused) as refusal:
        scheduling.stop(SYSTEM, "  ")
    assert refusal.value.codes == ("reason_missing",)


def test_system_may_stop_too_and_is_named_by_its_channel(now):
    assert scheduling.stop(SYSTEM, "update", now=now).changed_by_name == "scheduler"


def test_status_tells_whether_the_process_lives(now):
    beating.beat(beating.SCHEDULER, at=now, detail={})
    assert scheduling.status(now + timedelta(seconds=9)).is_alive
    assert not scheduling.status(now + timedelta(seconds=11)).is_alive
    assert not scheduling.status(now - timedelta(hours=1)).is_alive, "the clock jumped back"


def test_rows_follow_the_code(now):
    PeriodicTask.objects.create(name="gone", every=60, next_run_at=now)
    PeriodicTask.objects.create(name="slower", every=60, next_run_at=now + MINUTE)
    PeriodicTask.objects.create(name="faster", every=3600, next_run_at=now + timedelta(minutes=50))
    register("slower", timedelta(hours=1))
    register("faster", MINUTE)
    register("new")
    for _time in range(2):
        scheduling.synchronise(now)
    rows = {row.name: (row.every, row.next_run_at) for row in PeriodicTask.objects.all()}
    assert rows == {"slower": (3600, now + MINUTE), "faster": (60, now + MINUTE), "new": (60, now)}


def test_due_task_is_handed_to_a_worker_once(now):
    register()
    scheduling.synchronise(now)
    assert scheduling.next_periodic(now) == now
    assert scheduling.claim_periodic(now) == ["core.sweep"]
    assert scheduling.claim_periodic(now) == []
    (queued,) = OrmQ.objects.all()
    assert queued.task["func"] == scheduling.RUN_PERIODIC
    assert queued.task["args"] == ("core.sweep",)
    assert scheduling.next_periodic(now) == now + MINUTE


def test_two_schedulers_with_the_same_row_in_hand_hand_it_out_once(now):
    register()
    scheduling.synchronise(now)
    row, same = PeriodicTask.objects.get(), PeriodicTask.objects.get()
    assert scheduling._claim(row, now)
    assert not scheduling._claim(same, now)
    assert OrmQ.objects.count() == 1


def test_what_was_missed_runs_once_and_the_rhythm_is_kept(now):
    register()
    scheduling.synchronise(now)
    late = now + timedelta(hours=5, seconds=7)
    assert scheduling.claim_periodic(late) == ["core.sweep"]
    assert PeriodicTask.objects.get().next_run_at == now + timedelta(hours=5, minutes=1)


def test_task_that_still_runs_is_not_handed_out_again_until_it_is_given_up(now):
    register()
    scheduling.synchronise(now)
    scheduling.claim_periodic(now)
    assert scheduling.claim_periodic(now + MINUTE) == []
    assert scheduling.next_periodic(now) == now + 2 * MINUTE, "the rhythm goes on"
    assert scheduling.claim_periodic(now + 2 * MINUTE) == ["core.sweep"], "its worker must have died"


def test_task_that_ended_is_handed_out_again_in_its_next_turn(now):
    register()
    scheduling.synchronise(now)
    scheduling.claim_periodic(now)
    PeriodicTask.objects.update(last_finished_at=now + timedelta(seconds=3))
    assert scheduling.claim_periodic(now + MINUTE) == ["core.sweep"]


def test_disabled_task_waits(now):
    register()
    scheduling.synchronise(now)
    PeriodicTask.objects.update(is_enabled=False)
    assert scheduling.claim_periodic(now) == []
    assert scheduling.next_periodic(now) is None


def test_stopped_scheduler_does_only_what_may_go_on(now):
    register("plan")
    register("tidy", while_stopped=True)
    scheduling.synchronise(now)
    assert scheduling.claim_periodic(now, is_running=False) == ["tidy"]
    assert scheduling.next_periodic(now, is_running=False) == now + MINUTE
    assert scheduling.claim_periodic(now) == ["plan"], "nothing was lost"


def test_run_is_written_down(now):
    instants = []
    register(run=instants.append)
    scheduling.synchronise(now)
    scheduling.run_periodic("core.sweep")
    row = PeriodicTask.objects.get()
    assert instants == [row.last_started_at]
    assert (row.runs, row.failures, row.last_error) == (1, 0, "")
    assert row.last_finished_at >= row.last_started_at


def test_failure_is_written_down_and_goes_no_further(now, caplog):
    def fail(at):
        raise RuntimeError("no paper")

    register(run=fail)
    scheduling.synchronise(now)
    scheduling.run_periodic("core.sweep")
    row = PeriodicTask.objects.get()
    assert (row.runs, row.failures) == (1, 1)
    assert row.last_error.rstrip().endswith("RuntimeError: no paper")
    assert "periodic core.sweep failed" in caplog.text


def test_run_that_the_time_limit_ends_is_written_down_too(now):
    def hang(at):
        raise SystemExit("too long")

    register(run=hang)
    scheduling.synchronise(now)
    with pytest.raises(SystemExit):
        scheduling.run_periodic("core.sweep")
    row = PeriodicTask.objects.get()
    assert (row.failures, row.last_error) == (1, "interrupted")


def test_worker_that_does_not_know_the_task_says_so(caplog):
    scheduling.run_periodic("from.the.future")
    assert "does not know it" in caplog.text


def test_rows_have_names():
    assert str(PeriodicTask(name="core.sweep")) == "core.sweep"
    assert str(SchedulerState(is_running=True)) != str(SchedulerState(is_running=False))
