"""The journal over the API: trainers read all of it, trainees what is theirs, and nobody a secret."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.choices import Scope
from accounts.domain import people as people_door
from accounts.domain import tokens
from core import clock
from core.actor import Actor, Channel
from journal.domain.recording import Event, record
from journal.models import Entry
from plugs.domain.registering import save_plug
from plugs.models import SmartPlug
from reservations.domain import booking
from reservations.domain.booking import Wish
from tests.api.asking import codes, is_problem
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def book(printer, owner, start, now=NOON):
    wish = Wish(printer.pk, owner.pk, start + HOUR, start)
    return booking.book(wish, actor=Actor(owner.pk, Channel.WEB), now=now)


def kinds(answer):
    assert answer.status_code == 200, answer.json()
    return [(row["kind"], row["subject"]) for row in answer.json()["results"]]


@pytest.fixture
def happened(people, printer, bob):
    """Bookings of Alice's and Charlie's, a machine's change, and something about each of them."""
    hers, his = book(printer, people.alice, NOON + HOUR), book(printer, people.charlie, NOON + 3 * HOUR)
    record([Event("printer.changed", printer, {"fields": ["maker"]})], actor=bob, now=NOON + HOUR)
    people_door.change_person(people.alice.pk, {"last_name": "Ox"}, actor=bob, now=NOON + 2 * HOUR)
    people_door.change_person(people.charlie.pk, {"last_name": "Fox"}, actor=bob, now=NOON + 3 * HOUR)
    return hers, his


def test_trainer_reads_everything_newest_first(as_bob, people, printer, happened):
    hers, his = happened
    assert kinds(as_bob.get("/api/journal")) == [
        ("user.changed", f"user:{people.charlie.pk}"),
        ("user.changed", f"user:{people.alice.pk}"),
        ("printer.changed", f"printer:{printer.pk}"),
        ("job.booked", f"job:{his.pk}"),
        ("job.booked", f"job:{hers.pk}"),
    ]


def test_entry_reads_as_in_the_administration(as_bob, printer, people, happened):
    row = as_bob.get("/api/journal?kind=printer.changed").json()["results"][0]
    assert row == {
        "id": Entry.objects.get(kind="printer.changed").pk,
        "at": "2026-02-04T11:00:00+01:00",
        "kind": "printer.changed",
        "text": "Machine changed",
        "actor": people.bob.pk,
        "channel": "admin",
        "subject": f"printer:{printer.pk}",
        "subject_label": printer.name,
        "data": {"fields": ["maker"]},
    }
    german = as_bob.get(f"/api/journal/{row['id']}", HTTP_ACCEPT_LANGUAGE="de").json()
    assert german["text"] != row["text"] and german["kind"] == row["kind"]


def test_trainee_reads_what_is_hers_and_knows_of_nothing_else(as_alice, as_charlie, people, happened):
    hers, _his = happened
    mine = [("user.changed", f"user:{people.alice.pk}"), ("job.booked", f"job:{hers.pk}")]
    assert kinds(as_alice.get("/api/journal")) == mine
    assert kinds(as_alice.get(f"/api/journal?subject=user:{people.charlie.pk}")) == []
    assert kinds(as_alice.get(f"/api/journal?actor={people.bob.pk}")) == mine[:1]
    foreign = Entry.objects.exclude(subject__in=[subject for _kind, subject in mine])
    for entry in foreign:
        assert is_problem(as_alice.get(f"/api/journal/{entry.pk}"), 404)
    assert len(kinds(as_charlie.get("/api/journal"))) == 2


def test_job_17_is_not_job_1(as_alice, people, printer):
    """A subject is compared whole."""
    job = book(printer, people.alice, NOON + HOUR)
    Entry.objects.bulk_create(
        Entry(kind="job.booked", channel="web", subject=subject, subject_label="x", at=NOON)
        for subject in (f"job:{job.pk}0", f"job:{job.pk}0:x", f"xjob:{job.pk}", f"user:{people.alice.pk}1")
    )
    assert kinds(as_alice.get("/api/journal")) == [("job.booked", f"job:{job.pk}")]


def test_filters(as_bob, people, printer, happened):
    hers, _his = happened
    assert len(kinds(as_bob.get("/api/journal?kind=job."))) == 2
    assert len(kinds(as_bob.get("/api/journal?kind=user"))) == 2
    assert kinds(as_bob.get(f"/api/journal?subject=job:{hers.pk}")) == [("job.booked", f"job:{hers.pk}")]
    assert len(kinds(as_bob.get(f"/api/journal?actor={people.charlie.pk}"))) == 1
    assert len(kinds(as_bob.get("/api/journal?channel=web"))) == 2
    assert kinds(as_bob.get("/api/journal?kind=%25")) == []
    at = {"from": (NOON + HOUR).isoformat(), "to": (NOON + 3 * HOUR).isoformat()}
    assert [kind for kind, _subject in kinds(as_bob.get("/api/journal", at))] == [
        "user.changed",
        "printer.changed",
    ]
    first = as_bob.get("/api/journal?ordering=id&limit=1").json()
    assert first["results"][0]["subject"] == f"job:{hers.pk}"
    assert len(first["results"]) == 1 and first["next"]


@pytest.mark.parametrize(
    "query",
    ["actor=nobody", "from=soon", "to=9999-12-31T23:59:59Z", "actor=" + "9" * 30, "ordering=at", "kind=%00"],
)
def test_filter_that_is_none_is_400(as_bob, query):
    assert is_problem(as_bob.get(f"/api/journal?{query}"), 400)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nobody_writes_here(as_bob, happened, method):
    entry = Entry.objects.latest("pk")
    for path in ("/api/journal", f"/api/journal/{entry.pk}"):
        assert is_problem(getattr(as_bob, method)(path), 405)
    assert Entry.objects.count() == 5


def test_strangers_read_nothing(anonymous):
    assert is_problem(anonymous.get("/api/journal"), 401)
    assert codes(anonymous.get("/api/journal/1")) == {"not_authenticated"}


def test_secrets_never_get_there(as_bob, people, bob):
    """Whatever has a secret in it, through every door that takes one."""
    person = people_door.add_person({"username": "eve"}, actor=bob, first_password="s3cret-first-password")
    people_door.set_password(person.pk, "s3cret-other-password", actor=bob)
    as_bob.post("/api/users", {"username": "mallory", "password": "s3cret-api-password"})
    link = as_bob.post(f"/api/users/{person.pk}/password-link").json()["link"]
    _token, key = tokens.issue(people.bob.pk, "x", Scope.WRITE, None, actor=bob, now=clock.now())
    plug = SmartPlug(name="P", address="p.test", username="owner", password="s3cret-plug-password")
    save_plug(plug, changed=["name", "address", "username", "password"], actor=bob, now=NOON)
    shown = as_bob.get("/api/journal?limit=200")
    told = shown.content.decode()
    assert {"user.added", "user.link_made", "token.made", "plug.added"} <= {k for k, _s in kinds(shown)}
    for secret in ("s3cret", key, link.rstrip("/").rpartition("-")[2], "$2b$", "md5$"):
        assert secret not in told


def test_list_asks_the_database_as_often_for_30_as_for_1(as_alice, people, printer):
    counts = []
    for first, number in ((0, 1), (1, 29)):
        for n in range(number):
            book(printer, people.alice, NOON + (first + n + 1) * 2 * HOUR)
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get("/api/journal").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 7
