"""The example workshop is what the demo promises, and all of it went through the doors."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import User
from core.clock import now as real_now
from journal.models import Entry
from plugs.models import PlugCommand, PlugState, SmartPlug
from printers.models import Printer
from reservations.models import Job
from simulation import seeding

PORTS = [40001, 40002, 40003, 40004, 40005, 40006]


@pytest.fixture
def workshop(db, settings, tmp_path):
    """A seeded database."""
    settings.MEDIA_ROOT = tmp_path
    now = datetime(2026, 6, 10, 12, 20, tzinfo=UTC)
    seeding.seed(PORTS, now)
    return now


def test_the_workshop_is_complete_and_came_through_the_doors(workshop):
    now = workshop
    _has_everybody_and_everything(now)
    _went_through_the_doors()
    _plugs_begin_as_the_plan_says(now)
    _new_ports_are_followed_like_a_new_address()


def _has_everybody_and_everything(now):
    assert Printer.objects.count() == SmartPlug.objects.count() == 6
    roles = [user.role.value for user in User.objects.all()]
    assert (roles.count("administrator"), roles.count("trainer"), roles.count("trainee")) == (1, 2, 8)
    for name in ("admin", "trainer", "alice"):
        assert User.objects.get(username=name).check_password("demo")
    jobs = Job.objects.all()
    assert jobs.filter(state="running").count() == 2
    assert jobs.filter(state="finished", starts_at__gt=now - timedelta(days=31)).count() > 40
    assert jobs.filter(state="booked", starts_at__gt=now).count() >= 3


def _went_through_the_doors():
    assert Entry.objects.filter(kind="job.booked").count() == Job.objects.count()
    assert not PlugCommand.objects.exclude(result="confirmed").exists()


def _plugs_begin_as_the_plan_says(now):
    specs = seeding.plug_specs(PORTS)
    states = seeding.first_states(specs, now)
    wanted = {plug.name: plug.state.wanted for plug in SmartPlug.objects.select_related("state")}
    on = {f"Steckdose {name.removeprefix('plug-')}" for name, state in states.items() if state["on_since"]}
    assert on == {name for name, is_wanted in wanted.items() if is_wanted}


def _new_ports_are_followed_like_a_new_address():
    moved = [*PORTS[:5], 50006]
    PlugState.objects.update(device_id="known")
    seeding.follow_ports(moved, real_now())
    assert SmartPlug.objects.get(name="Steckdose 6").address == "127.0.0.1:50006"
    assert PlugState.objects.get(plug__name="Steckdose 6").device_id == ""
    assert PlugState.objects.get(plug__name="Steckdose 5").device_id == "known"
