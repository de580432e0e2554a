"""The health page: 200 only when everything works, and each part's state and age."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import RequestFactory
from django.urls import reverse

from core import clock
from core.domain import beating, health
from core.models import Heartbeat
from core.views import healthz

pytestmark = pytest.mark.django_db
WORKER = "worker:pi:7"


def beat(name, now, seconds_ago=0.0, state="running"):
    beating.beat(name, at=now - timedelta(seconds=seconds_ago), detail={"state": state})


@pytest.mark.parametrize(
    ("worker_age", "scheduler_age", "is_ok"),
    [(0, 0, True), (20, 10, True), (20.1, 0, False), (0, 10.1, False), (-3600, 0, False)],
)
def test_old_signs_of_life_count_as_silence(now, worker_age, scheduler_age, is_ok):
    beat(WORKER, now, worker_age)
    beat(beating.SCHEDULER, now, scheduler_age)
    assert health.examine(now).is_ok is is_ok


def test_parts_are_named_with_state_and_age(now):
    beat("worker:pi:6", now, 500)
    beat(WORKER, now, 3.04)
    beat(beating.SCHEDULER, now, 1, state="stopped")
    assert health.examine(now).as_json() == {
        "status": "ok",
        "version": health.version(),
        "parts": {
            "web": {"state": "ok", "age_s": 0.0},
            "database": {"state": "ok", "age_s": 0.0},
            "worker": {"state": "ok", "age_s": 3.0},
            "scheduler": {"state": "stopped", "age_s": 1.0},
        },
    }


def test_stopped_scheduler_that_falls_silent_is_not_fine(now):
    beat(WORKER, now)
    beat(beating.SCHEDULER, now, 60, state="stopped")
    assert health.examine(now).scheduler == health.Part("silent", 60.0)


def test_nothing_started_yet(now):
    found = health.examine(now)
    assert not found.is_ok
    assert (found.worker, found.scheduler) == (health.Part("missing", None), health.Part("missing", None))


def test_database_that_fails_is_said_and_breaks_nothing(now, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(type(Heartbeat.objects), "all", fail)
    found = health.examine(now)
    assert (found.database.state, found.worker.state, found.is_ok) == ("failing", "unknown", False)


def test_page_answers_200_and_503_and_is_never_stored(client, django_assert_max_num_queries):
    now = clock.now()
    with django_assert_max_num_queries(3):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    beat(WORKER, now)
    beat(beating.SCHEDULER, now)
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Type"] == "application/json"
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405
    assert reverse("healthz") == "/healthz"


def test_failing_page_is_no_error_in_the_log(caplog):
    assert healthz(RequestFactory().get("/healthz")).status_code == 503
    assert caplog.text == ""


def test_silent_clusters_are_forgotten_and_the_living_are_not(now):
    beat("worker:pi:1", now, 3601)
    beat("worker:pi:2", now, 3599)
    beat(beating.SCHEDULER, now, 9999)
    assert beating.forget_silent(now) == 1
    assert sorted(Heartbeat.objects.values_list("name", flat=True)) == ["scheduler", "worker:pi:2"]
    assert [str(beat) for beat in Heartbeat.objects.filter(name=WORKER)] == []
    assert beating.names("worker:pi:") == ["worker:pi:2"]
    beating.end("worker:pi:2")
    assert beating.names("worker:") == []


def test_name_of_a_cluster_tells_host_and_process():
    prefix, _host, pid = beating.worker_name(17).split(":")
    assert (prefix, pid) == ("worker", "17")
