"""Changes: none is lost, none is made twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection, connections

from accounts.choices import Scope
from api.idempotency import KEPT_FOR, forget_answers, once
from api.models import GivenAnswer
from api.views.jobs import Jobs
from core.actor import Actor, Channel
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import Job
from tests.api.asking import bearing, by_token, codes, is_problem, key_of

HOUR = timedelta(hours=1)


@pytest.fixture
def _standing(now):
    with time_machine.travel(now, tick=False):
        yield


def order(printer, now, *, start=2, **more):
    at = (now + start * HOUR).isoformat()
    return {"printer": printer.pk, "starts_at": at, "minutes": 60, **more}


@pytest.mark.django_db
@pytest.mark.usefixtures("_standing")
class TestMatch:
    """``If-Match``: whoever changes what somebody else has changed meanwhile is told."""

    @pytest.fixture
    def job(self, people, printer, now):
        wish = Wish(printer.pk, people.alice.pk, now + 3 * HOUR, now + 2 * HOUR, "vase")
        return booking.book(wish, actor=Actor(people.alice.pk, Channel.WEB), now=now)

    def test_change_with_the_present_version_is_made(self, people, job):
        caller = by_token(people.alice)
        known = caller.ask(f"/api/jobs/{job.pk}")["ETag"]
        changed = caller.change(f"/api/jobs/{job.pk}", {"title": "bowl"}, if_match=known)
        assert (changed.status_code, changed.json()["title"]) == (200, "bowl")
        assert changed["ETag"] != known
        again = caller.change(f"/api/jobs/{job.pk}", {"title": "cup"}, if_match=changed["ETag"])
        assert again.status_code == 200

    @pytest.mark.parametrize("verb", ["", "/extend", "/move", "/cancel", "/start"])
    def test_second_of_two_who_read_the_same_is_told(self, people, job, now, verb):
        mine, theirs = by_token(people.alice), by_token(people.bob)
        known = mine.ask(f"/api/jobs/{job.pk}")["ETag"]
        theirs.change(f"/api/jobs/{job.pk}", {"note": "by Bob"})
        late = (now + 9 * HOUR).isoformat()
        body = {"": {"title": "x"}, "/extend": {"minutes": 30}, "/move": {"starts_at": late, "ends_at": late}}
        method = "POST" if verb else "PATCH"
        answer = mine.send(method, f"/api/jobs/{job.pk}{verb}", body.get(verb), if_match=known)
        assert is_problem(answer, 412)
        assert codes(answer) == {"changed_meanwhile"}
        before = job.starts_at, job.ends_at, job.state
        job.refresh_from_db()
        assert (job.starts_at, job.ends_at, job.state, job.title) == (*before, "vase")

    def test_version_does_not_depend_on_the_fields_that_were_asked_for(self, people, job):
        caller = by_token(people.alice)
        known = caller.ask(f"/api/jobs/{job.pk}?fields=id")["ETag"]
        assert caller.change(f"/api/jobs/{job.pk}", {"title": "x"}, if_match=known).status_code == 200

    @pytest.mark.parametrize("header", ["*", '"x", {etag}', "{etag}"])
    def test_star_and_lists_are_understood(self, people, job, header):
        caller = by_token(people.alice)
        known = caller.ask(f"/api/jobs/{job.pk}")["ETag"]
        answer = caller.change(f"/api/jobs/{job.pk}", {"title": "x"}, if_match=header.format(etag=known))
        assert answer.status_code == 200

    @pytest.mark.parametrize("header", ["W/{etag}", "x", '"x"', '"', "{etag}x", '""'])
    def test_weak_and_garbled_versions_never_match(self, people, job, header):
        caller = by_token(people.alice)
        known = caller.ask(f"/api/jobs/{job.pk}")["ETag"]
        header = header.format(etag=known.strip('"') if header.endswith("x") else known)
        assert is_problem(caller.change(f"/api/jobs/{job.pk}", {"title": "x"}, if_match=header), 412)

    def test_stranger_learns_nothing_from_412(self, people, job):
        answer = by_token(people.charlie).change(f"/api/jobs/{job.pk}", {"title": "x"}, if_match='"x"')
        assert is_problem(answer, 404)


@pytest.mark.django_db
@pytest.mark.usefixtures("_standing")
class TestOnce:
    """``Idempotency-Key``: a request whose answer was lost is sent again and done once."""

    def test_repeat_gets_the_first_answer_and_makes_nothing(self, people, printer, now):
        caller = by_token(people.alice)
        first = caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        again = caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        for header in ("Location", "ETag", "Content-Type"):
            assert again[header] == first[header]
        assert "Idempotency-Replayed" not in first and again["Idempotency-Replayed"] == "true"
        assert Job.objects.count() == 1

    def test_replayed_version_is_good_for_a_change(self, people, printer, now):
        caller = by_token(people.alice)
        first = caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        again = caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        for answer in (first, again):
            at = answer["Location"]
            assert caller.change(at, {"note": ""}, if_match=answer["ETag"]).status_code == 200

    @pytest.mark.parametrize("other", [{"title": "x"}, {"minutes": 30}])
    def test_same_key_for_something_else_is_422(self, people, printer, now, other):
        caller = by_token(people.alice)
        caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        answer = caller.tell("/api/jobs", order(printer, now) | other, idempotency_key="k")
        assert is_problem(answer, 422)
        assert codes(answer) == {"idempotency_key_reused"}
        assert Job.objects.count() == 1

    def test_refusal_is_given_again_even_when_the_slot_is_free_by_then(self, people, printer, now):
        hers, his = by_token(people.alice), by_token(people.charlie)
        taken = his.tell("/api/jobs", order(printer, now)).json()["id"]
        refused = hers.tell("/api/jobs", order(printer, now), idempotency_key="k")
        his.tell(f"/api/jobs/{taken}/cancel")
        again = hers.tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert is_problem(again, 409) and again["Idempotency-Replayed"] == "true"
        assert again.json() == refused.json()
        assert again.json()["alternatives"]
        assert hers.tell("/api/jobs", order(printer, now), idempotency_key="other").status_code == 201

    def test_what_a_refused_request_wrote_is_taken_back(self, people, printer, now, monkeypatch):
        """Only the answer stays of it."""

        def book_then_refuse(view, request):
            booking.book(
                Wish(printer.pk, people.alice.pk, now + 3 * HOUR, now + 2 * HOUR), actor=view.actor, now=now
            )
            booking.book(
                Wish(printer.pk, people.alice.pk, now + 3 * HOUR, now + 2 * HOUR), actor=view.actor, now=now
            )

        monkeypatch.setattr(Jobs, "create", _once_around(book_then_refuse))
        answer = by_token(people.alice).tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert is_problem(answer, 409)
        assert (Job.objects.count(), GivenAnswer.objects.count()) == (0, 1)

    def test_crash_leaves_nothing_and_the_repeat_does_the_work(self, people, printer, now, monkeypatch):
        caller = by_token(people.alice)
        whole = Jobs.create

        def crash(view, request):
            whole.__wrapped__(view, request)
            raise RuntimeError("power cut")

        with monkeypatch.context() as patch:
            patch.setattr(Jobs, "create", _once_around(crash))
            with pytest.raises(RuntimeError, match="power cut"):
                caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert (Job.objects.count(), GivenAnswer.objects.count()) == (0, 0)
        assert caller.tell("/api/jobs", order(printer, now), idempotency_key="k").status_code == 201

    def test_answers_about_the_asker_are_not_kept(self, people, printer, now):
        """401, 403: the next try may come with more rights; a repeat is a new request."""
        reader = by_token(people.alice, Scope.READ, name="reader")
        assert is_problem(reader.tell("/api/jobs", order(printer, now), idempotency_key="k"), 403)
        others = by_token(people.alice).tell(
            "/api/jobs", order(printer, now, owner=people.dora.pk), idempotency_key="k"
        )
        assert is_problem(others, 403)
        assert is_problem(bearing("nobody").tell("/api/jobs", order(printer, now), idempotency_key="k"), 401)
        assert not GivenAnswer.objects.exists()
        writer = by_token(people.alice, name="writer")
        assert writer.tell("/api/jobs", order(printer, now), idempotency_key="k").status_code == 201

    def test_limit_that_was_passed_is_not_kept(self, people, printer, now, settings):
        cache.clear()
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {
            "DEFAULT_THROTTLE_RATES": {"address": "1/day", "user": "", "token": ""}
        }
        caller = by_token(people.alice)
        caller.ask("/api/jobs")
        assert is_problem(caller.tell("/api/jobs", order(printer, now), idempotency_key="k"), 429)
        cache.clear()
        answer = caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert (answer.status_code, "Idempotency-Replayed" in answer) == (201, False)
        cache.clear()

    def test_key_of_another_person_is_another_key(self, people, printer, now):
        hers = by_token(people.alice).tell("/api/jobs", order(printer, now), idempotency_key="k")
        his = by_token(people.charlie).tell("/api/jobs", order(printer, now, start=5), idempotency_key="k")
        assert (hers.status_code, his.status_code) == (201, 201)
        assert his.json()["owner"] == people.charlie.pk

    def test_mistake_is_given_again(self, people, printer, now):
        caller = by_token(people.alice)
        first = caller.tell("/api/jobs", {"minutes": 60}, idempotency_key="k")
        again = caller.tell("/api/jobs", {"minutes": 60}, idempotency_key="k")
        assert is_problem(again, 400) and again["Idempotency-Replayed"] == "true"
        assert again.json() == first.json()

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\x01b", "a\tb"])
    def test_key_that_is_none_is_400(self, people, printer, now, key):
        answer = by_token(people.alice).tell("/api/jobs", order(printer, now), idempotency_key=key)
        assert is_problem(answer, 400)
        assert Job.objects.count() == 0

    def test_answers_are_forgotten_after_a_day(self, people, printer, now):
        caller = by_token(people.alice)
        caller.tell("/api/jobs", order(printer, now), idempotency_key="k")
        assert forget_answers(now + KEPT_FOR) == 0
        assert forget_answers(now + KEPT_FOR + timedelta(seconds=1)) == 1

    def test_answers_do_not_lie_about_in_plain_text(self, people, printer, now):
        caller = by_token(people.alice)
        caller.tell("/api/jobs", order(printer, now, title="a secret vase"), idempotency_key="k")
        with connection.cursor() as cursor:
            cursor.execute("SELECT body FROM api_givenanswer")
            assert "secret vase" not in cursor.fetchone()[0]


def _once_around(handler):
    return once(handler)


@pytest.mark.django_db(transaction=True)
def test_eight_repeats_at_the_same_instant_make_one_job(people, printer, now, tmp_path):
    """On a database in a file, with threads: one works, the others wait for its answer."""
    key = key_of(people.alice)
    together = Barrier(8)

    def book(_number):
        try:
            together.wait(20)
            answer = bearing(key).tell("/api/jobs", order(printer, now), idempotency_key="k")
            return answer.status_code, answer.json().get("id"), "Idempotency-Replayed" in answer
        finally:
            connections.close_all()

    def count():
        try:
            return Job.objects.count(), GivenAnswer.objects.count()
        finally:
            connections.close_all()

    with time_machine.travel(now, tick=False), in_a_file(tmp_path), ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(book, range(8)))
        assert threads.submit(count).result() == (1, 1)
    assert {(status, id_) for status, id_, _ in answers} == {(201, answers[0][1])}
    assert sorted(is_again for *_, is_again in answers) == [False] + [True] * 7


@contextmanager
def in_a_file(directory):
    """SQLite's test database lives in memory, where locks are others: new connections get a copy of it."""
    if connection.vendor != "sqlite":
        yield
        return
    copy = str(directory / "copy.sqlite3")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [copy])
    memory, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], copy
    try:
        yield
    finally:
        connection.settings_dict["NAME"] = memory
