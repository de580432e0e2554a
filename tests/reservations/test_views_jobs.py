"""My jobs, one job, and what can be done with it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.actor import Actor, Channel
from plugs.models import PlugState
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.domain.queries import jobs_of
from tests import factories


@pytest.fixture(autouse=True)
def _at_noon(now: datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


def client_of(person: object) -> Client:
    client = Client()
    client.force_login(person)  # type: ignore[arg-type]
    return client


@pytest.fixture
def alices(people: SimpleNamespace) -> Client:
    return client_of(people.alice)


@pytest.fixture
def bobs(people: SimpleNamespace) -> Client:
    return client_of(people.bob)


@pytest.fixture
def charlies(people: SimpleNamespace) -> Client:
    return client_of(people.charlie)


def text(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def book(
    printer: Printer, actor: Actor, now: datetime, *, in_hours: float = 0, hours: float = 2
) -> booking.Job:  # type: ignore[name-defined]
    starts_at = now + timedelta(hours=in_hours) if in_hours else None
    end = (starts_at or now) + timedelta(hours=hours)
    return booking.book(
        Wish(printer.pk, actor.user_id or 0, end, starts_at, title="Case"), actor=actor, now=now
    )


def state_of(job: object) -> str:
    return jobs_of(job.owner_id).get(pk=job.pk).state  # type: ignore[attr-defined]


def post(client: Client, job: object, verb: str, **data: str) -> object:
    name, args = ("job_extend", [job.pk]) if verb == "extend" else ("job_act", [job.pk, verb])  # type: ignore[attr-defined]
    return client.post(reverse(name, args=args), data)


# ------------------------------------------------------------------ the list
@pytest.mark.parametrize(("language", "word"), [("de", "Meine Aufträge"), ("en", "My jobs")])
def test_jobs_page_in_both_languages(alices: Client, language: str, word: str) -> None:
    seen = text(alices.get(reverse("jobs"), headers={"Accept-Language": language}))
    assert f"<h1>{word}</h1>" in seen


def test_without_jobs_the_page_invites(alices: Client) -> None:
    assert "Freie Maschine finden" in text(alices.get(reverse("jobs")))


def test_running_coming_and_past_jobs(
    alices: Client, printer: Printer, alice: Actor, charlie: Actor, now: datetime
) -> None:
    past = book(printer, alice, now - timedelta(days=2))
    lifecycle.finish(past.pk, actor=alice, now=now - timedelta(days=2) + timedelta(minutes=75))
    book(printer, alice, now)
    PlugState.objects.update(observed=True, power_w=86.4, last_contact_at=now)
    book(factories.PrinterFactory(), alice, now, in_hours=24)
    book(factories.PrinterFactory(name="Hers"), charlie, now)
    seen = text(alices.get(reverse("jobs")))
    assert "noch 2 h" in seen
    assert "86 W · arbeitet" in seen
    assert "morgen 10:00–12:00 (2 h)" in seen
    assert "Mo 2.2. 10:00–11:15 (1 h 15 min)" in seen
    assert "Hers" not in seen


def test_past_jobs_come_in_pages(alices: Client, printer: Printer, alice: Actor, now: datetime) -> None:
    for days in range(1, 23):
        job = book(printer, alice, now - timedelta(days=days))
        lifecycle.finish(job.pk, actor=alice, now=now - timedelta(days=days) + timedelta(hours=1))
    assert len(alices.get(reverse("jobs")).context["past"]) == 20
    second = alices.get(reverse("jobs"), {"page": "2"})
    assert len(second.context["past"]) == 2
    assert "Seite 2 von 2" in text(second)
    assert alices.get(reverse("jobs"), {"page": "rubbish"}).status_code == 200


def test_jobs_page_needs_as_many_queries_for_30_jobs_as_for_one(
    alices: Client, alice: Actor, now: datetime
) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            printer = factories.PrinterFactory(location=factories.LocationFactory())
            job = book(printer, alice, now - timedelta(days=1))
            lifecycle.finish(job.pk, actor=alice, now=now - timedelta(hours=23))
            book(printer, alice, now, in_hours=1)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert alices.get(reverse("jobs")).status_code == 200
        return len(queries)

    fill(1)
    one = cost()
    fill(29)
    assert cost() == one
    assert one <= 10


# ------------------------------------------------------------------ one job
def test_one_job_with_the_story_of_its_power(
    alices: Client, printer: Printer, alice: Actor, now: datetime
) -> None:
    job = book(printer, alice, now)
    seen = text(alices.get(reverse("job", args=[job.pk])))
    assert "10:00:00" in seen
    assert "ein Auftrag läuft" in seen
    assert "unterwegs" in seen


def test_a_machine_without_a_plug_has_no_story(alices: Client, alice: Actor, now: datetime) -> None:
    job = book(factories.PrinterFactory(plug=None), alice, now)
    seen = text(alices.get(reverse("job", args=[job.pk])))
    assert "ohne Steckdose" in seen


@pytest.mark.parametrize("verb", ["", "extend", "finish", "cancel", "start", "approve", "refuse", "abort"])
def test_others_jobs_do_not_exist_for_trainees(
    charlies: Client, printer: Printer, alice: Actor, now: datetime, verb: str
) -> None:
    job = book(printer, alice, now)
    if verb:
        assert post(charlies, job, verb, by="30").status_code == 404  # type: ignore[attr-defined]
    assert charlies.get(reverse("job", args=[job.pk])).status_code == 404
    assert state_of(job) == State.RUNNING


def test_trainers_see_and_change_the_jobs_of_others(
    bobs: Client, printer: Printer, alice: Actor, now: datetime
) -> None:
    job = book(printer, alice, now)
    assert "Alice" in text(bobs.get(reverse("job", args=[job.pk])))
    assert post(bobs, job, "finish").status_code == 302  # type: ignore[attr-defined]
    assert state_of(job) == State.FINISHED


# ------------------------------------------------------------------ the verbs
@pytest.mark.parametrize(
    ("by", "expected"), [({"by": "30"}, 150), ({"by": "60"}, 180), ({"ends_at": "2026-02-04T14:30"}, 270)]
)
def test_extending(
    alices: Client, printer: Printer, alice: Actor, now: datetime, by: dict[str, str], expected: int
) -> None:
    job = book(printer, alice, now)
    response = post(alices, job, "extend", **by)
    assert response.status_code == 302  # type: ignore[attr-defined]
    assert jobs_of(job.owner_id).get().ends_at == now + timedelta(minutes=expected)


def test_extending_into_another_job_is_refused_with_the_reason(
    alices: Client, printer: Printer, alice: Actor, charlie: Actor, now: datetime
) -> None:
    job = book(printer, alice, now)
    book(printer, charlie, now, in_hours=2)
    response = post(alices, job, "extend", by="30")
    assert response.status_code == 409  # type: ignore[attr-defined]
    assert "Belegt von" in text(response)
    assert "Charlie" not in text(response)
    assert jobs_of(job.owner_id).get().ends_at == job.ends_at


@pytest.mark.parametrize("data", [{}, {"by": "7"}, {"ends_at": "rubbish"}, {"ends_at": "2026-03-29T02:30"}])
def test_extending_by_nonsense_changes_nothing(
    alices: Client, printer: Printer, alice: Actor, now: datetime, data: dict[str, str]
) -> None:
    job = book(printer, alice, now)
    response = post(alices, job, "extend", **data)
    assert response.status_code == 200  # type: ignore[attr-defined]
    assert "Es wurde nichts geändert." in text(response)


def test_finishing_cancelling_and_starting(
    alices: Client, printer: Printer, alice: Actor, now: datetime
) -> None:
    running = book(printer, alice, now)
    assert post(alices, running, "finish").status_code == 302  # type: ignore[attr-defined]
    assert state_of(running) == State.FINISHED
    coming = book(printer, alice, now, in_hours=4)
    early = post(alices, coming, "start")
    assert early.status_code == 409  # type: ignore[attr-defined]
    assert post(alices, coming, "cancel", reason="Ill").status_code == 302  # type: ignore[attr-defined]
    assert state_of(coming) == State.CANCELLED


def test_a_held_up_job_can_be_started(
    alices: Client, printer: Printer, alice: Actor, charlie: Actor, now: datetime
) -> None:
    before = book(printer, charlie, now - timedelta(hours=2), hours=1.75)
    PlugState.objects.update(observed=True, power_w=90.0, observed_changed_at=now - timedelta(hours=2))
    lifecycle.finish(before.pk, actor=charlie, now=now - timedelta(minutes=1))
    job = book(printer, alice, now)
    assert job.state == State.BOOKED
    assert "Der Druck davor läuft noch" in text(alices.get("/"))
    assert post(alices, job, "start").status_code == 302  # type: ignore[attr-defined]
    assert state_of(job) == State.RUNNING


def test_what_is_over_cannot_be_done_again(
    alices: Client, printer: Printer, alice: Actor, now: datetime
) -> None:
    job = book(printer, alice, now)
    post(alices, job, "finish")
    response = post(alices, job, "finish")
    assert response.status_code == 409  # type: ignore[attr-defined]
    assert "beendet" in text(response)


def test_trainers_approve_refuse_and_abort(alices: Client, bobs: Client, alice: Actor, now: datetime) -> None:
    printer = factories.PrinterFactory(needs_approval=True)
    first, second = book(printer, alice, now, in_hours=2), book(printer, alice, now, in_hours=6)
    assert post(alices, first, "approve").status_code == 409  # type: ignore[attr-defined]
    assert post(bobs, first, "approve").status_code == 302  # type: ignore[attr-defined]
    assert state_of(first) == State.BOOKED
    assert post(bobs, second, "refuse").status_code == 409  # type: ignore[attr-defined]
    assert post(bobs, second, "refuse", reason="No resin left").status_code == 302  # type: ignore[attr-defined]
    assert "No resin left" in text(alices.get(reverse("job", args=[second.pk])))
    running = book(factories.PrinterFactory(), alice, now)
    assert "Abbrechen" in text(bobs.get(reverse("job", args=[running.pk])))
    assert post(bobs, running, "abort", reason="Smoke").status_code == 302  # type: ignore[attr-defined]
    assert state_of(running) == State.ABORTED


def test_unknown_verbs_do_not_exist(alices: Client, printer: Printer, alice: Actor, now: datetime) -> None:
    job = book(printer, alice, now)
    assert post(alices, job, "delete").status_code == 404  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", ["extend", "finish"])
def test_reading_a_verb_changes_nothing(
    alices: Client, printer: Printer, alice: Actor, now: datetime, verb: str
) -> None:
    job = book(printer, alice, now)
    response = alices.get(f"/jobs/{job.pk}/{verb}")
    assert response["Location"] == reverse("job", args=[job.pk])
    assert state_of(job) == State.RUNNING


@pytest.mark.parametrize(
    ("came_from", "goes_to"),
    [("/", "/"), ("https://evil.test/", "/jobs"), ("//evil.test", "/jobs"), ("", "/jobs")],
)
def test_people_return_to_pages_of_ours_only(
    alices: Client, printer: Printer, alice: Actor, now: datetime, came_from: str, goes_to: str
) -> None:
    job = book(printer, alice, now)
    assert post(alices, job, "extend", by="30", next=came_from)["Location"] == goes_to  # type: ignore[index]


def test_the_channel_is_the_web(alices: Client, printer: Printer, alice: Actor, now: datetime) -> None:
    job = book(printer, alice, now)
    assert alice.channel is Channel.WEB
    assert job.channel == "web"
