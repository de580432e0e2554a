"""Jobs over the API: who may do what, and what is told when not."""

from datetime import datetime, timedelta

import pytest
from rest_framework.serializers import ModelSerializer

from api.serializers.jobs import JobSerializer
from core.actor import Actor, Channel
from journal.models import Entry
from plugs.models import SmartPlug
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import Job
from tests import factories
from tests.api.asking import codes, is_problem

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NAMES = {
    "id", "printer", "owner", "title", "note", "starts_at", "ends_at", "state", "started_at", "finished_at",
    "closed_reason", "waived", "waived_reason", "created_by", "channel", "created_at", "changed_at",
}  # fmt: skip


def book(printer, person, start, *, now, hours: float = 1, actor=None) -> Job:
    wish = Wish(printer.pk, person.pk, start + hours * HOUR, start)
    return booking.book(wish, actor=Actor((actor or person).pk, Channel.WEB), now=now)


@pytest.fixture
def hers(people, printer, now) -> Job:
    """Alice has the machine from two until three hours from now."""
    return book(printer, people.alice, now + 2 * HOUR, now=now)


@pytest.fixture
def running(people, printer, now) -> Job:
    """Alice is at the machine for another hour."""
    return book(printer, people.alice, now, now=now)


class TestBooking:
    def test_all_names_and_what_they_hold(self, as_alice, people, printer, now):
        at = (now + HOUR).isoformat()
        answer = as_alice.post(
            "/api/jobs",
            {"printer": printer.pk, "starts_at": at, "minutes": 90, "title": " Vase ", "note": "blue"},
        )
        assert answer.status_code == 201
        job = answer.json()
        assert set(job) == NAMES
        assert (job["owner"], job["created_by"], job["channel"]) == (people.alice.pk, people.alice.pk, "api")
        assert (job["title"], job["note"], job["state"]) == ("Vase", "blue", "booked")
        assert (job["started_at"], job["finished_at"]) == (None, None)
        ends_at = datetime.fromisoformat(job["ends_at"])
        assert ends_at == now + 2.5 * HOUR and ends_at.utcoffset() == HOUR
        assert answer["Location"].endswith(f"/api/jobs/{job['id']}")
        assert as_alice.get(answer["Location"]).json() == job

    def test_start_left_out_means_now_and_the_job_runs(self, as_alice, printer, now):
        job = as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60}).json()
        assert job["state"] == "running"
        assert datetime.fromisoformat(job["starts_at"]) == datetime.fromisoformat(job["started_at"]) == now
        assert datetime.fromisoformat(job["ends_at"]) == now + HOUR

    def test_end_as_an_instant_in_another_zone(self, as_alice, printer, now):
        body = {"printer": printer.pk, "ends_at": "2026-02-04T06:00:00-05:00"}
        assert datetime.fromisoformat(as_alice.post("/api/jobs", body).json()["ends_at"]) == now + 2 * HOUR

    @pytest.mark.parametrize("both", [{}, {"minutes": 60, "ends_at": "2026-02-04T12:00:00Z"}])
    def test_exactly_one_way_to_tell_the_end(self, as_alice, printer, both):
        answer = as_alice.post("/api/jobs", {"printer": printer.pk, **both})
        assert is_problem(answer, 400)
        assert answer.json()["errors"][0]["field"] == "ends_at"

    def test_slash_at_the_end_makes_no_difference(self, as_alice, printer):
        answer = as_alice.post("/api/jobs/", {"printer": printer.pk, "minutes": 60})
        assert answer.status_code == 201
        assert as_alice.get(f"/api/jobs/{answer.json()['id']}/").status_code == 200
        assert as_alice.post(f"/api/jobs/{answer.json()['id']}/extend/", {"minutes": 15}).status_code == 200

    def test_form_is_taken_like_json(self, as_alice, printer):
        answer = as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60}, format="multipart")
        assert answer.status_code == 201

    def test_taken_window_names_every_reason_and_the_next_three_that_are_free(
        self, as_charlie, people, printer, now, hers
    ):
        printer.qualifications.add(factories.QualificationFactory(name="Laser"))
        body = {"printer": printer.pk, "starts_at": (now + 2 * HOUR).isoformat(), "minutes": 60}
        answer = as_charlie.post("/api/jobs", body)
        assert is_problem(answer, 409)
        assert answer.json()["type"] == "urn:myp:refused"
        assert codes(answer) == {"window_taken", "owner_unqualified"}
        assert all(error["message"] for error in answer.json()["errors"])
        windows = answer.json()["alternatives"]
        assert len(windows) == 3
        assert {w["printer"] for w in windows} == {printer.pk}
        for window in windows:
            start, end = (datetime.fromisoformat(window[name]) for name in ("starts_at", "ends_at"))
            assert end - start == HOUR and start.utcoffset() is not None
            assert end <= hers.starts_at or start >= hers.occupied_until

    def test_alternative_can_be_booked_as_it_is(self, as_charlie, printer, now, hers):
        body = {"printer": printer.pk, "starts_at": (now + 2 * HOUR).isoformat(), "minutes": 60}
        window = as_charlie.post("/api/jobs", body).json()["alternatives"][0]
        assert as_charlie.post("/api/jobs", window).status_code == 201

    def test_no_alternatives_where_the_window_is_not_the_trouble(self, as_alice, printer, now):
        body = {"printer": printer.pk, "starts_at": (now - 9 * HOUR).isoformat(), "minutes": 60}
        answer = as_alice.post("/api/jobs", body)
        assert is_problem(answer, 409)
        assert "alternatives" not in answer.json()

    def test_trainee_books_for_nobody_else(self, as_alice, people, printer):
        answer = as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60, "owner": people.dora.pk})
        assert is_problem(answer, 403)
        assert not Job.objects.exists()

    def test_trainer_books_for_others(self, as_bob, people, printer):
        job = as_bob.post("/api/jobs", {"printer": printer.pk, "minutes": 60, "owner": people.dora.pk}).json()
        assert (job["owner"], job["created_by"]) == (people.dora.pk, people.bob.pk)

    def test_waiver_is_a_trainers(self, as_alice, as_bob, people, printer, now):
        printer.max_minutes = 30
        printer.save()
        body = {"printer": printer.pk, "minutes": 60, "waive_reason": "exam"}
        refused = as_alice.post("/api/jobs", body)
        assert refused.status_code in {403, 409}
        job = as_bob.post("/api/jobs", body).json()
        assert (job["waived"], job["waived_reason"]) == (["window_too_long"], "exam")

    @pytest.mark.parametrize(
        "more",
        [
            {"state": "finished"},
            {"id": 1},
            {"created_by": 1},
            {"channel": "system"},
            {"waived": ["x"]},
            {"started_at": "2020-01-01T00:00Z"},
        ],
    )
    def test_fields_that_are_not_the_askers_are_passed_over(self, as_alice, people, printer, now, more):
        body = {"printer": printer.pk, "starts_at": (now + HOUR).isoformat(), "minutes": 60, **more}
        job = as_alice.post("/api/jobs", body).json()
        assert (job["state"], job["created_by"], job["channel"]) == ("booked", people.alice.pk, "api")
        assert (job["waived"], job["started_at"]) == ([], None)

    def test_machine_with_only_a_name_can_be_booked_at_any_hour(self, as_alice, now):
        plain = Printer.objects.create(name="Plain")
        at = (now + timedelta(days=50, hours=14)).isoformat()
        assert (
            as_alice.post("/api/jobs", {"printer": plain.pk, "starts_at": at, "minutes": 60}).status_code
            == 201
        )
        assert SmartPlug.objects.count() == 0

    def test_journal_says_that_it_came_through_the_api(self, as_alice, people, printer):
        job = as_alice.post("/api/jobs", {"printer": printer.pk, "minutes": 60}).json()
        entry = Entry.objects.get(kind="job.booked", subject=f"job:{job['id']}")
        assert (entry.actor_id, entry.channel) == (people.alice.pk, "api")


def test_rows_written_by_hand_are_what_the_fields_say(hers, running):
    for job in (hers, running):
        by_hand = JobSerializer(job)
        assert by_hand.data == ModelSerializer.to_representation(JobSerializer(job), job)
        assert list(by_hand.data) == JobSerializer.Meta.fields


class TestChanging:
    def test_words_alone(self, as_alice, hers):
        answer = as_alice.patch(f"/api/jobs/{hers.pk}", {"title": "Bowl"})
        assert (answer.status_code, answer.json()["title"]) == (200, "Bowl")
        assert answer.json()["starts_at"] == as_alice.get(f"/api/jobs/{hers.pk}").json()["starts_at"]

    def test_words_window_and_machine_at_once(self, as_alice, hers, now):
        other = factories.PrinterFactory()
        body = {"title": "x", "printer": other.pk, "ends_at": (now + 4 * HOUR).isoformat()}
        job = as_alice.patch(f"/api/jobs/{hers.pk}", body).json()
        assert (job["title"], job["printer"]) == ("x", other.pk)
        assert datetime.fromisoformat(job["ends_at"]) == now + 4 * HOUR

    def test_refused_window_takes_the_words_back(self, as_alice, hers, now):
        body = {"title": "x", "ends_at": (now - HOUR).isoformat()}
        assert is_problem(as_alice.patch(f"/api/jobs/{hers.pk}", body), 409)
        hers.refresh_from_db()
        assert hers.title == ""

    def test_nothing_at_all_changes_nothing(self, as_alice, hers):
        before = as_alice.get(f"/api/jobs/{hers.pk}")
        answer = as_alice.patch(f"/api/jobs/{hers.pk}", {})
        assert (answer.status_code, answer["ETag"]) == (200, before["ETag"])

    def test_move(self, as_alice, hers, now):
        body = {"starts_at": (now + 5 * HOUR).isoformat(), "ends_at": (now + 6 * HOUR).isoformat()}
        job = as_alice.post(f"/api/jobs/{hers.pk}/move", body).json()
        assert datetime.fromisoformat(job["starts_at"]) == now + 5 * HOUR

    def test_move_onto_another_names_alternatives(self, as_alice, people, printer, hers, now):
        book(printer, people.charlie, now + 5 * HOUR, now=now)
        body = {"starts_at": (now + 5 * HOUR).isoformat(), "ends_at": (now + 6 * HOUR).isoformat()}
        answer = as_alice.post(f"/api/jobs/{hers.pk}/move", body)
        assert is_problem(answer, 409)
        assert codes(answer) == {"window_taken"} and len(answer.json()["alternatives"]) == 3

    @pytest.mark.parametrize("body", [{"minutes": 30}, {"ends_at": "2026-02-04T13:30:00+01:00"}])
    def test_extend(self, as_alice, hers, now, body):
        job = as_alice.post(f"/api/jobs/{hers.pk}/extend", body).json()
        assert datetime.fromisoformat(job["ends_at"]) == now + 3.5 * HOUR

    def test_extend_to_an_earlier_end_is_refused(self, as_alice, hers, now):
        answer = as_alice.post(f"/api/jobs/{hers.pk}/extend", {"ends_at": (now + 2.5 * HOUR).isoformat()})
        assert is_problem(answer, 409) and codes(answer) == {"not_later"}

    def test_extend_into_the_next_is_refused_with_alternatives(self, as_alice, people, printer, running, now):
        book(printer, people.charlie, now + 1.5 * HOUR, now=now)
        answer = as_alice.post(f"/api/jobs/{running.pk}/extend", {"minutes": 60})
        assert is_problem(answer, 409) and codes(answer) == {"window_taken"}
        assert answer.json()["alternatives"]

    def test_start_then_finish(self, bearer, people, printer, now, noon):
        job = book(printer, people.alice, now + HOUR, now=now)
        hers = bearer(people.alice)
        early = hers.post(f"/api/jobs/{job.pk}/start")
        assert is_problem(early, 409) and codes(early) == {"window_not_open"}
        noon.shift(HOUR)
        started = hers.post(f"/api/jobs/{job.pk}/start")
        assert (started.status_code, started.json()["state"]) == (200, "running")
        noon.shift(HOUR / 2)
        finished = hers.post(f"/api/jobs/{job.pk}/finish").json()
        assert finished["state"] == "finished"
        assert datetime.fromisoformat(finished["finished_at"]) == now + 1.5 * HOUR

    def test_cancel_with_a_reason(self, as_alice, hers):
        job = as_alice.post(f"/api/jobs/{hers.pk}/cancel", {"reason": "ill"}).json()
        assert (job["state"], job["closed_reason"]) == ("cancelled", "ill")

    def test_body_may_be_left_out(self, as_alice, hers):
        assert as_alice.post(f"/api/jobs/{hers.pk}/cancel").status_code == 200

    @pytest.mark.parametrize("verb", ["finish", "cancel", "extend"])
    def test_what_is_over_stays_over(self, as_alice, hers, verb):
        as_alice.post(f"/api/jobs/{hers.pk}/cancel")
        answer = as_alice.post(f"/api/jobs/{hers.pk}/{verb}", BODIES.get(verb, {}))
        assert is_problem(answer, 409) and codes(answer) == {"wrong_state"}

    def test_approve_and_refuse(self, as_bob, people, printer, now):
        printer.needs_approval = True
        printer.save()
        first, second = (book(printer, people.alice, now + n * HOUR, now=now) for n in (2, 4))
        assert (first.state, second.state) == (State.PENDING, State.PENDING)
        assert as_bob.post(f"/api/jobs/{first.pk}/approve").json()["state"] == "booked"
        refused = as_bob.post(f"/api/jobs/{second.pk}/refuse", {"reason": "too late"}).json()
        assert (refused["state"], refused["closed_reason"]) == ("refused", "too late")

    def test_abort(self, as_bob, running):
        job = as_bob.post(f"/api/jobs/{running.pk}/abort", {"reason": "smoke"}).json()
        assert (job["state"], job["closed_reason"]) == ("aborted", "smoke")


VERBS = ["extend", "move", "start", "finish", "cancel", "approve", "refuse", "abort"]
BODIES = {
    "extend": {"minutes": 30},
    "move": {"starts_at": "2026-02-04T18:00:00Z", "ends_at": "2026-02-04T19:00:00Z"},
    "refuse": {"reason": "x"},
    "abort": {"reason": "x"},
}


class TestRights:
    @pytest.mark.parametrize("verb", VERBS)
    def test_job_of_another_is_not_there(self, as_charlie, hers, verb):
        before = Job.objects.filter(pk=hers.pk).values().get()
        assert is_problem(as_charlie.post(f"/api/jobs/{hers.pk}/{verb}", BODIES.get(verb, {})), 404)
        assert Job.objects.filter(pk=hers.pk).values().get() == before

    def test_nor_can_it_be_read_or_changed(self, as_charlie, hers):
        assert is_problem(as_charlie.get(f"/api/jobs/{hers.pk}"), 404)
        assert is_problem(as_charlie.patch(f"/api/jobs/{hers.pk}", {"title": "x"}), 404)
        assert as_charlie.get("/api/jobs").json()["results"] == []
        assert as_charlie.get(f"/api/jobs?owner={hers.owner_id}").json()["results"] == []

    @pytest.mark.parametrize("verb", ["approve", "refuse", "abort"])
    def test_what_is_a_trainers_is_no_owners(self, as_alice, people, printer, now, verb):
        printer.needs_approval = verb != "abort"
        printer.save()
        job = book(printer, people.alice, now if verb == "abort" else now + HOUR, now=now)
        answer = as_alice.post(f"/api/jobs/{job.pk}/{verb}", BODIES.get(verb, {}))
        assert is_problem(answer, 403)
        assert Job.objects.get(pk=job.pk).state == job.state

    @pytest.mark.parametrize("verb", ["", *VERBS])
    def test_stranger_is_sent_to_the_door(self, anonymous, hers, verb):
        assert is_problem(anonymous.post(f"/api/jobs/{hers.pk}/{verb}".rstrip("/"), {}), 401)

    @pytest.mark.parametrize("verb", ["extend", "cancel"])
    def test_session_without_the_csrf_token_changes_nothing(self, as_alice, hers, verb):
        as_alice.forget_csrf()
        answer = as_alice.post(f"/api/jobs/{hers.pk}/{verb}", BODIES.get(verb, {}))
        assert is_problem(answer, 403) and codes(answer) == {"csrf_failed"}

    def test_trainer_sees_and_changes_everybodys(self, as_bob, hers):
        assert [row["id"] for row in as_bob.get("/api/jobs").json()["results"]] == [hers.pk]
        assert as_bob.post(f"/api/jobs/{hers.pk}/cancel").status_code == 200

    def test_deactivated_person_is_a_stranger(self, as_alice, people):
        people.alice.is_active = False
        people.alice.save()
        assert is_problem(as_alice.get("/api/jobs"), 401)


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("state=running", ["now"]),
            ("state=running&state=booked", ["now", "soon", "late"]),
            ("starts_after=2026-02-04T10:30:00Z", ["soon", "late"]),
            ("starts_before=2026-02-04T12:00:00Z", ["now", "soon"]),
            ("ends_after=2026-02-04T12:00:00Z", ["late"]),
            ("ends_before=2026-02-04T12:00:00Z", ["now", "soon"]),
            ("title=OO", ["soon"]),
            ("title=%25", []),
            ("printer={printer}", ["now", "soon"]),
            ("owner={alice}", ["now", "soon"]),
        ],
    )
    def test_filter(self, as_bob, people, printer, now, query, found):
        def made(where, who, start, title):
            return booking.book(
                Wish(where.pk, who.pk, start + HOUR, start, title), actor=Actor(who.pk, Channel.WEB), now=now
            )

        other = factories.PrinterFactory()
        made(printer, people.alice, now, "now")
        made(printer, people.alice, now + 2 * HOUR, "soon")
        made(other, people.charlie, now + 9 * HOUR, "late")
        query = query.format(printer=printer.pk, alice=people.alice.pk)
        rows = as_bob.get(f"/api/jobs?ordering=starts_at&{query}").json()["results"]
        assert [row["title"] for row in rows] == found
