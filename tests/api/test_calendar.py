"""Calendars to subscribe to: what they tell, whom, and how one shows who one is."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import caldav
import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from accounts.models import LoginGuard
from core.actor import Actor, Channel
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from tests import factories
from tests.api.asking import PASSWORD, Caller, bearing, codes, is_problem, key_of

HOUR = timedelta(hours=1)
MINE = "/api/calendar/jobs.ics"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def hand(now):
    with time_machine.travel(now, tick=False) as traveller:
        yield traveller


def book(printer, person, start, *, hours=1, title="", note="", now):
    wish = Wish(printer.pk, person.pk, start + hours * HOUR, start, title, note)
    return booking.book(wish, actor=Actor(person.pk, Channel.WEB), now=now)


def basic(name: str, secret: str, **more) -> Caller:
    """A calendar program."""
    shown = b64encode(f"{name}:{secret}".encode()).decode()
    return Caller(headers={"authorization": f"Basic {shown}"}, **more)


def subscribe(person) -> Caller:
    return basic(person.username, key_of(person))


def events(answer) -> list:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content).walk("VEVENT")


def feed_of(printer) -> str:
    return f"/api/calendar/printers/{printer.pk}.ics"


@pytest.mark.django_db
@pytest.mark.usefixtures("hand")
class TestWhatIsTold:
    def test_job_with_all_it_has(self, people, printer, now):
        job = book(printer, people.alice, now + 2 * HOUR, title="Vase", note="blue\nand tall", now=now)
        [event] = events(subscribe(people.alice).ask(MINE))
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (job.starts_at, job.ends_at)
        assert event["SUMMARY"] == f"{printer.name}: Vase"
        assert event["DESCRIPTION"] == "blue\nand tall"
        assert event["STATUS"] == "CONFIRMED"
        assert event["URL"] == f"http://testserver/jobs/{job.pk}"
        assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt == job.changed_at

    def test_times_are_in_utc_and_lines_end_as_they_must(self, people, printer, now):
        book(printer, people.alice, now + 2 * HOUR, title="Ä" * 120, now=now)
        text = subscribe(people.alice).ask(MINE).content
        assert b"DTSTART:20260204T110000Z\r\n" in text
        assert b"REFRESH-INTERVAL;VALUE=DURATION:PT15M\r\n" in text
        assert text.count(b"\n") == text.count(b"\r\n")
        assert max(len(line) for line in text.split(b"\r\n")) <= 75
        assert "Ä" * 120 in events(subscribe_again(people.alice).ask(MINE))[0]["SUMMARY"]

    def test_uid_stays_and_sequence_grows(self, people, printer, now, hand):
        job = book(printer, people.alice, now + 2 * HOUR, now=now)
        caller = subscribe(people.alice)
        [first] = events(caller.ask(MINE))
        hand.shift(timedelta(seconds=5))
        alice = Actor(people.alice.pk, Channel.WEB)
        booking.move(job.pk, starts_at=now + 4 * HOUR, ends_at=now + 5 * HOUR, actor=alice)
        [moved] = events(caller.ask(MINE))
        hand.shift(timedelta(seconds=5))
        booking.cancel(job.pk, actor=alice)
        [cancelled] = events(caller.ask(MINE))
        assert first["UID"] == moved["UID"] == cancelled["UID"]
        assert first["SEQUENCE"] < moved["SEQUENCE"] < cancelled["SEQUENCE"]
        assert first["LAST-MODIFIED"].dt < moved["LAST-MODIFIED"].dt
        assert (moved["DTSTART"].dt, cancelled["STATUS"]) == (now + 4 * HOUR, "CANCELLED")

    def test_two_jobs_never_share_a_uid(self, people, printer, now):
        for n in range(3):
            book(printer, people.alice, now + (n + 1) * HOUR, now=now)
        assert len({event["UID"] for event in events(subscribe(people.alice).ask(MINE))}) == 3

    def test_cancelled_job_is_told_for_thirty_days(self, people, printer, now, hand):
        job = book(printer, people.alice, now + 2 * HOUR, now=now)
        booking.cancel(job.pk, actor=Actor(people.alice.pk, Channel.WEB))
        caller = subscribe(people.alice)
        hand.move_to(now + timedelta(days=30, seconds=-1))
        assert [e["STATUS"] for e in events(caller.ask(MINE))] == ["CANCELLED"]
        hand.move_to(now + timedelta(days=30))
        assert events(caller.ask(MINE)) == []

    def test_job_that_waits_is_tentative_and_a_refused_one_cancelled(self, people, printer, now):
        printer.needs_approval = True
        printer.save()
        job = book(printer, people.alice, now + 2 * HOUR, now=now)
        caller = subscribe(people.alice)
        assert [e["STATUS"] for e in events(caller.ask(MINE))] == ["TENTATIVE"]
        lifecycle.refuse(job.pk, reason="no", actor=Actor(people.bob.pk, Channel.ADMIN), now=now)
        assert [e["STATUS"] for e in events(caller.ask(MINE))] == ["CANCELLED"]

    def test_what_is_long_over_or_far_away_is_left_out(self, people, now, hand):
        printer = factories.PrinterFactory(horizon_days=400)
        for days in (10, 100, 179, 181):
            book(printer, people.alice, now + timedelta(days=days), now=now)
        caller = subscribe(people.alice)
        assert len(events(caller.ask(MINE))) == 3
        hand.shift(timedelta(days=101))
        starts = [event["DTSTART"].dt for event in events(caller.ask(MINE))]
        assert starts == [now + timedelta(days=days) for days in (100, 179, 181)]

    @pytest.mark.parametrize(
        "title",
        [
            "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil",
            "x\nATTENDEE:mailto:evil@example.org",
            "x\rATTACH:http://evil.example",
            "x\u2028ATTACH:http://evil.example",
            "x\x0bATTACH:e\x0cATTACH:e\x85ATTACH:e",
            'a;b,c\\n\\,d:"e"',
        ],
    )
    def test_title_stays_a_title(self, people, printer, now, title):
        book(printer, people.alice, now + 2 * HOUR, title=title, note=title, now=now)
        printer.name = title[:60]
        printer.save()
        answer = subscribe(people.alice).ask(MINE)
        [event] = events(answer)
        assert {"ATTENDEE", "ATTACH"}.isdisjoint(event)
        for line in answer.content.decode().splitlines():
            assert not line.startswith(("ATTENDEE", "ATTACH", "SUMMARY:evil"))

    def test_jobs_of_others_are_not_mine(self, people, printer, now):
        book(printer, people.charlie, now + 2 * HOUR, now=now)
        assert events(subscribe(people.alice).ask(MINE)) == []


def subscribe_again(person) -> Caller:
    return basic(person.email, key_of(person, name="second"))


@pytest.mark.django_db
@pytest.mark.usefixtures("hand")
class TestMachines:
    @pytest.fixture
    def his(self, people, printer, now):
        return book(printer, people.charlie, now + 2 * HOUR, title="Secret", note="very", now=now)

    def test_trainee_sees_that_it_is_taken_and_nothing_else(self, people, printer, now, his):
        hers = book(printer, people.alice, now + 5 * HOUR, title="Vase", now=now)
        answer = subscribe(people.alice).ask(feed_of(printer), accept_language="de")
        other, mine = events(answer)
        assert (other["DTSTART"].dt, other["DTEND"].dt) == (his.starts_at, his.ends_at)
        assert mine["SUMMARY"].endswith("Vase") and mine["DTSTART"].dt == hers.starts_at
        for secret in (b"Secret", b"very", b"harlie", f"/jobs/{his.pk}\r".encode()):
            assert secret not in answer.content

    def test_trainer_sees_who_and_what_for(self, people, printer, his):
        [event] = events(subscribe(people.bob).ask(feed_of(printer)))
        assert event["SUMMARY"] == "Charlie: Secret"

    def test_other_machines_are_left_out(self, people, printer, his):
        assert events(subscribe(people.bob).ask(feed_of(factories.PrinterFactory()))) == []

    @pytest.mark.parametrize("number", ["0", "99999", "9" * 30])
    def test_machine_there_is_not(self, people, number):
        assert is_problem(subscribe(people.alice).ask(f"/api/calendar/printers/{number}.ics"), 404)

    @pytest.mark.parametrize("rows", [1, 30])
    @pytest.mark.parametrize("who", ["alice", "bob"])
    def test_questions_do_not_grow(self, people, printer, now, rows, who):
        for n in range(rows):
            book(printer, people.charlie, now + (n + 1) * HOUR, now=now)
        caller = subscribe(getattr(people, who))
        caller.ask(feed_of(printer))
        with CaptureQueriesContext(connection) as asked:
            assert len(events(caller.ask(feed_of(printer)))) == rows
        assert len(asked) <= 7, [query["sql"] for query in asked]


@pytest.mark.django_db
@pytest.mark.usefixtures("hand")
class TestWhoAsks:
    def test_what_has_not_changed_is_not_sent_again(self, people, printer, now, hand):
        book(printer, people.alice, now + 2 * HOUR, now=now)
        caller = subscribe(people.alice)
        first = caller.ask(MINE)
        hand.shift(timedelta(minutes=15))
        again = caller.ask(MINE, if_none_match=first["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        book(printer, people.alice, now + 5 * HOUR, now=now)
        assert caller.ask(MINE, if_none_match=first["ETag"]).status_code == 200

    def test_stranger_is_asked_for_name_and_token(self):
        answer = Caller().ask(MINE)
        assert is_problem(answer, 401)
        assert answer["WWW-Authenticate"].startswith("Basic realm=")

    def test_problem_is_json_even_where_a_calendar_was_asked_for(self):
        assert is_problem(Caller().ask(MINE, accept="text/calendar"), 401)

    def test_mail_address_is_as_good_as_the_name(self, people):
        assert basic(people.alice.email.upper(), key_of(people.alice)).ask(MINE).status_code == 200

    def test_bearers_and_sessions_may_read_as_well(self, people):
        assert bearing(key_of(people.alice)).ask(MINE).status_code == 200
        browser = Caller()
        browser.force_login(people.alice)
        assert browser.ask(MINE).status_code == 200

    def test_password_of_the_account_opens_nothing(self, people):
        assert is_problem(basic("alice", PASSWORD).ask(MINE), 401)

    def test_token_of_another_opens_nothing(self, people):
        assert is_problem(basic("alice", key_of(people.charlie)).ask(MINE), 401)

    def test_basic_is_for_calendars_alone(self, people):
        assert is_problem(basic("alice", key_of(people.alice)).ask("/api/jobs"), 401)

    def test_wrong_token_and_unknown_name_look_the_same(self, people):
        answers = [basic(name, "myp_x").ask(MINE) for name in ("alice", "nobody")]
        assert answers[0].content == answers[1].content
        assert answers[0]["WWW-Authenticate"] == answers[1]["WWW-Authenticate"]

    @pytest.mark.parametrize(
        "header", ["Basic", "Basic x", "Basic " + b64encode(b"alice").decode(), "Basic a b", "Basic /w=="]
    )
    def test_header_that_is_none_is_401(self, header):
        assert is_problem(Caller().ask(MINE, authorization=header), 401)

    @pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "ü", "a\r\nb"])
    def test_name_that_is_none_is_401(self, name):
        assert is_problem(basic(name, "myp_x").ask(MINE), 401)

    @pytest.mark.parametrize("name", ["alice", "nobody"])
    def test_guessing_is_stopped_for_known_and_unknown_names_alike(self, people, name, hand):
        right = key_of(people.alice)
        answers = [basic(name, f"myp_{n}").ask(MINE) for n in range(6)]
        assert [a.status_code for a in answers] == [401] * 4 + [429] * 2
        assert is_problem(answers[-1], 429) and codes(answers[-1]) == {"locked_out"}
        assert 0 < int(answers[-1]["Retry-After"]) <= 300
        if name == "alice":
            assert is_problem(basic(name, right).ask(MINE), 429)
            hand.shift(timedelta(minutes=5, seconds=1))
            assert basic(name, right).ask(MINE).status_code == 200

    def test_success_forgives_no_failure(self, people):
        """A calendar that asks by itself must not give fresh guesses to whoever tries passwords."""
        basic("alice", "myp_x").ask(MINE)
        basic("alice", key_of(people.alice)).ask(MINE)
        assert LoginGuard.objects.get(key="alice").failures == 1

    def test_right_token_costs_no_write(self, people):
        caller = subscribe(people.alice)
        caller.ask(MINE)
        with CaptureQueriesContext(connection) as asked:
            caller.ask(MINE)
        assert not [q for q in asked if not q["sql"].startswith("SELECT")]

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_calendar_is_read_only(self, people, method):
        assert is_problem(subscribe(people.alice).send(method, MINE), 405)


@pytest.mark.sockets
@pytest.mark.django_db(transaction=True)
def test_calendar_program_reads_the_times_of_the_jobs(people, printer, live_server):
    """A real client over HTTP; jobs on both sides of the night in which clocks go forward, and one across it."""
    now = datetime(2026, 3, 28, 9, tzinfo=UTC)
    nights = [
        datetime(2026, 3, 28, 20, tzinfo=BERLIN),
        datetime(2026, 3, 29, 1, tzinfo=BERLIN),
        datetime(2026, 3, 29, 8, tzinfo=BERLIN),
    ]
    with time_machine.travel(now, tick=True):
        jobs = [
            book(printer, people.alice, at.astimezone(UTC), hours=3, title=f"job {n}", now=now)
            for n, at in enumerate(nights)
        ]
        key = key_of(people.alice)
        with caldav.DAVClient(live_server.url, username="alice", password=key) as client:
            answer = client.request(live_server.url + MINE)
            text = answer.raw if isinstance(answer.raw, str) else answer.raw.decode()
            found = caldav.Event(client=client, data=text).icalendar_instance.walk("VEVENT")
    assert [(e["DTSTART"].dt, e["DTEND"].dt) for e in found] == [(j.starts_at, j.ends_at) for j in jobs]
    assert found[1]["DTEND"].dt.astimezone(BERLIN).hour == 5  # three hours from one o'clock, in that night
