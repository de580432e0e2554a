"""Passwords: forgotten, reset by a link, by mail through a real mail server, without giving away who is here."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event as Signal
from threading import Thread

import pytest
import time_machine
from aiosmtpd.smtp import SMTP
from django.core import mail
from django.test import Client
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from accounts.domain import inviting, letters
from accounts.domain import people as door
from accounts.models import User
from core import clock
from core.actor import SYSTEM
from core.errors import Refused
from core.supervision.ports import free_ports
from journal.models import Entry
from reservations.domain import booking
from reservations.domain.booking import Wish

RESET = "/accounts/password/reset/"
NEW = {"password1": "battery-staple-8", "password2": "battery-staple-8"}
pytestmark = pytest.mark.django_db


def work_off() -> list[dict]:
    """What a worker does with the queue; returns what lay in it."""
    tasks = []
    for row in OrmQ.objects.order_by("id"):
        task = SignedPackage.loads(row.payload)
        assert task["func"] == letters.DELIVER
        row.delete()
        import_string(task["func"])(*task["args"])
        tasks.append(task)
    return tasks


@pytest.fixture
def has_mail(settings):
    settings.EMAIL_HOST = "mail.workshop.test"


class TestForgotten:
    @pytest.mark.parametrize(
        ("language", "subject", "word"),
        [("de", "Neues Passwort", "Hallo"), ("en", "Set a new password at", "Hello Alice")],
    )
    def test_the_letter_speaks_the_language_of_the_page(
        self, people, has_mail, client, language, subject, word
    ):
        client.post(RESET, {"email": "Alice@workshop.test"}, headers={"Accept-Language": language})
        (task,) = work_off()

        (letter,) = mail.outbox
        assert letter.to == ["alice@workshop.test"]
        assert "alice" in letter.body and "http://testserver/accounts/password/reset/key/" in letter.body
        if language == "en":  # the German words are the catalogue's
            assert subject in letter.subject and word in letter.body
        assert "key/" not in str(task)  # the queue holds no link
        assert Entry.objects.get(kind="user.told").data == {"letter": "reset"}

    def test_the_link_works_once(self, people, has_mail, client):
        client.post(RESET, {"email": "alice@workshop.test"})
        work_off()
        link = re.search(r"http://testserver(\S+)", mail.outbox[0].body)[1]

        assert use(link).status_code == 302
        assert User.objects.get(pk=people.alice.pk).check_password(NEW["password1"])
        assert use(link) is None

    def test_nobody_learns_who_is_here(self, people, has_mail):
        """Same status, same words, same amount of work; and the letter to a stranger says so only there."""
        answers = {}
        for address in ("alice@workshop.test", "stranger@elsewhere.test"):
            client = Client()
            answers[address] = client.post(RESET, {"email": address}, follow=True)
            assert OrmQ.objects.count() == 1
            work_off()
        known, unknown = answers.values()
        assert known.redirect_chain == unknown.redirect_chain
        token = re.compile(rb'value="\w{64}"')
        assert token.sub(b"", known.content) == token.sub(b"", unknown.content)
        assert [letter.to for letter in mail.outbox] == [["alice@workshop.test"], ["stranger@elsewhere.test"]]
        assert "reset/key" not in mail.outbox[1].body

    def test_who_is_switched_off_gets_the_letter_of_a_stranger(self, people, has_mail, client):
        User.objects.filter(pk=people.alice.pk).update(is_active=False)
        client.post(RESET, {"email": "alice@workshop.test"})
        work_off()
        assert "reset/key" not in mail.outbox[0].body

    @pytest.mark.parametrize("address", ["a@b.test\nBcc: c@d.test", "a@b.test\r\nSubject: x", "nonsense"])
    def test_no_header_is_smuggled_in(self, people, has_mail, client, address):
        assert client.post(RESET, {"email": address}).status_code == 200
        assert not OrmQ.objects.exists()

    def test_without_a_mail_server_a_trainer_helps(self, people, client):
        page = client.get(RESET, headers={"Accept-Language": "en"}).content.decode()
        assert "Ask a trainer for a one-time link" in page
        assert 'name="email"' not in page

    @pytest.mark.parametrize("host", ["", "mail.workshop.test"])
    def test_the_form_for_a_new_one(self, people, client, settings, host):
        """It shows the rules; and leads to the letter only where there is mail."""
        settings.EMAIL_HOST = host
        client.force_login(people.alice)
        page = client.get("/accounts/password/change/", headers={"Accept-Language": "en"}).content.decode()

        assert "at least 8 characters" in page
        assert "Forgot your password?" not in page
        assert (RESET in page) is bool(host)


def use(link: str):
    """Open a link as a browser does and set the password; None where the link does not count."""
    client = Client()
    page = client.get(link, follow=True)
    assert page["Referrer-Policy"] == "no-referrer" and "no-store" in page["Cache-Control"]
    if page.context.get("token_fail"):
        return None
    return client.post(page.request["PATH_INFO"], NEW)


class TestLinks:
    @pytest.fixture
    def link(self, people, bob):
        return inviting.password_link(people.alice, actor=bob, origin="http://testserver/")

    def test_opens_once(self, people, link):
        assert use(link).status_code == 302
        assert use(link) is None
        assert User.objects.get(pk=people.alice.pk).check_password(NEW["password1"])

    def test_the_key_does_not_stay_in_the_address(self, people, link):
        answer = Client().get(link)
        assert answer.status_code == 302
        assert link.rsplit("-", 1)[1].strip("/") not in answer["Location"]

    def test_lives_three_days(self, people, bob):
        start = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
        assert inviting.valid_for() == timedelta(days=3)
        with time_machine.travel(start, tick=False) as time:
            link = inviting.password_link(people.alice, actor=bob, origin="http://testserver")
            time.shift(timedelta(days=3) - timedelta(minutes=1))
            assert not Client().get(link, follow=True).context.get("token_fail")
            time.shift(timedelta(minutes=2))
            assert use(link) is None

    def test_dies_with_a_log_in_another_password_or_address(self, people, bob):
        def spoil_login():
            Client().post("/accounts/login/", {"login": "alice", "password": "demo"})

        def spoil_password():
            door.set_password(people.alice.pk, "correct-horse-7", actor=bob)

        def spoil_address():
            door.change_person(people.alice.pk, {"email": "new@workshop.test"}, actor=bob)

        for spoil in (spoil_login, spoil_password, spoil_address):
            link = inviting.password_link(
                User.objects.get(pk=people.alice.pk), actor=bob, origin="http://testserver"
            )
            spoil()
            assert use(link) is None, spoil.__name__

    def test_counts_for_nothing_while_switched_off(self, people, bob, link):
        door.deactivate(people.alice.pk, actor=bob)
        assert use(link) is None

    def test_ends_the_sessions_and_the_first_password(self, people, bob):
        door.set_password(people.alice.pk, "correct-horse-7", actor=bob)
        client = Client()
        client.post("/accounts/login/", {"login": "alice", "password": "correct-horse-7"})
        link = inviting.password_link(
            User.objects.get(pk=people.alice.pk), actor=bob, origin="http://testserver"
        )
        assert use(link).status_code == 302

        assert client.get("/")["Location"].startswith("/accounts/login/")
        assert not User.objects.get(pk=people.alice.pk).must_change_password

    @pytest.mark.parametrize("key", ["1-x", "zzzzzzzzzzzzzz-x", "0-set-password", "1-set-password"])
    def test_an_invented_one_opens_nothing(self, people, client, key):
        assert client.get(f"/accounts/password/reset/key/{key}/").context["token_fail"]

    def test_is_made_by_those_who_look_after_the_person(self, people, alice, bob):
        for person, actor in (
            (people.charlie, alice),
            (people.bob, bob),
            (User.objects.create_superuser("root"), bob),
        ):
            with pytest.raises(Refused, match="not_allowed"):
                inviting.password_link(person, actor=actor, origin="http://testserver")
        assert not Entry.objects.filter(kind="user.link_made").exists()

    def test_the_journal_does_not_know_what_it_says(self, people, link):
        entry = Entry.objects.get(kind="user.link_made")
        assert link.split("key/")[1] not in str(entry.data)


class TestClosing:
    def test_the_letter_names_what_was_cancelled(self, people, alice, bob, printer, has_mail, now):
        booking.book(
            Wish(printer.pk, alice.user_id, now + timedelta(hours=2), now + timedelta(hours=1)),
            actor=alice,
            now=now,
        )
        User.objects.filter(pk=people.alice.pk).update(first_name="O'Neill & <b>")
        assert door.deactivate(people.alice.pk, actor=bob, now=now).is_told
        work_off()

        (letter,) = mail.outbox
        assert letter.to == ["alice@workshop.test"]
        assert f"- {printer}: Mi 4.2. 11:00" in letter.body and "O'Neill & <b>" in letter.body
        assert letter.extra_headers["Auto-Submitted"] == "auto-generated"

    def test_nobody_is_told_who_has_no_address(self, people, bob, has_mail):
        User.objects.filter(pk=people.alice.pk).update(email="")
        assert not door.deactivate(people.alice.pk, actor=bob).is_told
        assert Entry.objects.filter(kind="user.not_told").exists() and not OrmQ.objects.exists()

    def test_a_refused_change_sends_nothing(self, people, bob, charlie, has_mail):
        with pytest.raises(Refused):
            door.deactivate(people.alice.pk, actor=charlie)
        assert not OrmQ.objects.exists()

    def test_a_person_who_is_gone_meanwhile_is_no_fault(self, people, has_mail):
        letters.deliver("closed", [10**6], "", "de", {"cancelled": []})
        assert mail.outbox == []


# ------------------------------------------------------------------ over the wire


class Postbox:
    """A mail server on the loopback address, and what it was handed."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refuses = ""
        self.port = free_ports(1)[0]
        self._loop = asyncio.new_event_loop()
        self._ready = Signal()
        self._thread = Thread(target=self._run, daemon=True)

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        if address == self.refuses:
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        make = self._loop.create_server(lambda: SMTP(self, loop=self._loop), "127.0.0.1", self.port)
        self._server = self._loop.run_until_complete(make)
        self._ready.set()
        self._loop.run_forever()

    def __enter__(self) -> "Postbox":
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *why: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:
    with Postbox() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        yield box


@pytest.mark.sockets
def test_a_forgotten_password_through_a_real_mail_server(people, postbox, client):
    client.post(RESET, {"email": "alice@workshop.test"}, headers={"Accept-Language": "en"})
    assert postbox.letters == []  # the request itself talks to nobody
    work_off()

    (letter,) = postbox.letters
    assert (letter["To"], letter["Subject"]) == ("alice@workshop.test", "Set a new password at MYP")
    link = re.search(r"http://testserver(\S+)", letter.get_content())[1]
    assert use(link).status_code == 302
    assert (
        client.post("/accounts/login/", {"login": "alice", "password": NEW["password1"]})["Location"] == "/"
    )


@pytest.mark.sockets
def test_an_invitation_through_a_real_mail_server(people, postbox, bob):
    emil = door.add_person(
        {"username": "emil", "first_name": "Jörg", "email": "emil@workshop.test"}, actor=bob
    )
    letters.invite([emil], actor=bob, origin="http://testserver/", language="en")
    work_off()

    text = postbox.letters[0].get_content()
    assert "Hello Jörg" in text and "user name is emil" in text and "within 3 days" in text
    assert use(re.search(r"http://testserver(\S+)", text)[1]).status_code == 302


@pytest.mark.sockets
def test_a_class_is_written_to_one_by_one(people, postbox, bob):
    """Between two letters there is room for the plugs; an address that is refused holds nobody up."""
    postbox.refuses = "emil1@workshop.test"
    fields = [{"username": f"emil{n}", "email": f"emil{n}@workshop.test"} for n in range(4)]
    emils = door.add_people(fields, actor=bob)
    letters.invite(emils, actor=bob, origin="http://testserver/", language="en")
    rounds = 0
    while OrmQ.objects.exists():
        assert OrmQ.objects.count() == 1
        work_off()
        rounds += 1

    assert rounds == 4
    assert [letter["To"] for letter in postbox.letters] == [f"emil{n}@workshop.test" for n in (0, 2, 3)]
    assert Entry.objects.get(kind="user.not_told").data["error"] == "SMTPRecipientsRefused"


@pytest.mark.sockets
def test_a_mail_server_that_is_gone_breaks_nothing_and_is_told(people, bob, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_ports(1)[0]

    assert door.deactivate(people.alice.pk, actor=bob, now=clock.now()).is_told
    with pytest.raises(ConnectionRefusedError):  # the queue tries again
        work_off()

    assert not User.objects.get(pk=people.alice.pk).is_active
    assert "was not sent" in caplog.text and "alice@" not in caplog.text
    assert Entry.objects.get(kind="user.not_told").data == {
        "letter": "closed",
        "error": "ConnectionRefusedError",
    }
    assert Entry.objects.get(kind="user.not_told").actor_id is SYSTEM.user_id
