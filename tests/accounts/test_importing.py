"""A class from a table: what spreadsheets save is read, what is wrong is said, what is confirmed is what was shown."""

import io
import re
from datetime import timedelta

import pytest
import time_machine
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.choices import Role
from accounts.domain import importing
from accounts.models import User
from core import clock
from core.errors import Refused
from journal.models import Entry
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/admin/accounts/user/import/"
CLASS = "Vorname;Nachname;E-Mail\nEmil;Neu;emil@workshop.test\nJörg;Müller Lüdenscheidt;\n"


@pytest.fixture
def trainer(people):
    client = Client()
    client.force_login(people.bob)
    return client


def upload(client, content, **more):
    data = content if isinstance(content, bytes) else content.encode()
    return client.post(
        URL, {"file": SimpleUploadedFile("class.csv", data), **more}, headers={"Accept-Language": "en"}
    )


def problems(content):
    return [row.problems for row in importing.read(content.encode())]


class TestReading:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    @pytest.mark.parametrize("delimiter", [";", ",", "\t"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_every_common_kind(self, people, encoding, delimiter, newline):
        data = CLASS.replace(";", delimiter).replace("\n", newline).encode(encoding)

        rows = importing.read(data)

        assert [(r.first_name, r.last_name, r.email, r.username) for r in rows] == [
            ("Emil", "Neu", "emil@workshop.test", "emil.neu"),
            ("Jörg", "Müller Lüdenscheidt", "", "joerg.muellerluedenscheidt"),
        ]
        assert [r.problems for r in rows] == [[], []]

    @pytest.mark.parametrize(
        "heading",
        [
            "First Name,Last name,Email,User name",
            "vorname,NACHNAME,e-mail-adresse,Benutzername",
            "given name,surname,mail,login",
        ],
    )
    def test_headings_in_both_languages_and_any_order(self, people, heading):
        row = importing.read(f"{heading},Class\nEmil,Neu,E@x.test,emil,7b\n".encode())[0]
        assert (row.first_name, row.last_name, row.email, row.username) == ("Emil", "Neu", "e@x.test", "emil")

    def test_quotes_blanks_and_empty_lines(self, people):
        content = 'Vorname;Nachname\n" Emil ";"von; und\nzu"\n\n;;\nAda;B\n'
        rows = importing.read(content.encode())
        assert [(r.first_name, r.last_name, r.number) for r in rows] == [
            ("Emil", "von; und zu", 2),
            ("Ada", "B", 5),
        ]

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "no_headings"),
            (b"Emil;Neu\n", "no_headings"),
            (b"Vorname;Nachname\n", "no_rows"),
            (b"Vorname;Nachname\n;\n", "no_rows"),
            (b'Vorname;Nachname\n"Emil;Neu\n', "no_table"),
            ("Vorname;Nachname\nEmil;Neu\n".encode("utf-16"), "unknown_encoding"),
            (b"Vorname;Nachname\n\x81\x8d;\x90\n", "unknown_encoding"),
            (b"Vorname;Nachname\n" + b"A;B\n" * 501, "too_many_rows"),
            (b"x" * (1024 * 1024 + 1), "too_large"),
            (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "no_headings"),
        ],
    )
    def test_what_is_no_table(self, people, data, code):
        with pytest.raises(Refused) as no:
            importing.read(data)
        assert no.value.codes == (code,)

    @pytest.mark.parametrize(
        "line",
        [
            "=cmd()|' /C calc'!A0;Neu;;emil",
            "Emil;+49;;emil",
            "Emil;-1;;emil",
            "Emil;@SUM(A1);;emil",
            "Emil;Neu;;=emil",
            "Emil;Neu;=a@b.test;emil",
        ],
    )
    def test_formulas_are_refused(self, people, line):
        assert any("=" in text for text in problems(f"Vorname;Nachname;E-Mail;Benutzername\n{line}\n")[0])

    def test_each_row_says_what_is_wrong(self, people):
        content = (
            "Vorname;Nachname;E-Mail;Benutzername\n"
            ";Neu;;emil\n"
            "Emil;Neu;nonsense;emil2\n"
            "Emil;Neu;ALICE@workshop.test;emil3\n"
            "Alice;Wieder;;Alice\n"
            "Ada;Eins;ada@x.test;ada\n"
            "Ada;Zwei;ADA@x.test;ada2\n"
            "Ada;Drei;;ADA\n"
        )
        found = problems(content)
        assert [bool(each) for each in found] == [True, True, True, True, False, True, True]
        assert "6" in found[5][0] and "6" in found[6][0]


class TestPage:
    def test_nothing_is_written_before_it_is_confirmed(self, trainer, people):
        before = User.objects.count()
        page = upload(trainer, CLASS)

        assert "2 trainees will be added" in page.content.decode()
        assert User.objects.count() == before and not Entry.objects.exists()

    def test_what_was_shown_is_added_and_each_has_a_link_once(self, trainer, people):
        sealed = upload(trainer, CLASS).context["sealed"]
        page = trainer.post(URL, {"sealed": sealed})

        emil = User.objects.get(username="emil.neu")
        assert (emil.role, emil.has_usable_password(), emil.email) == (
            Role.TRAINEE,
            False,
            "emil@workshop.test",
        )
        assert Entry.objects.filter(kind="user.added", actor=people.bob).count() == 2
        links = re.findall(r"http://testserver(/accounts/password/reset/key/[^<\s]+)", page.content.decode())
        assert len(links) == 2
        assert "no-store" in page["Cache-Control"] and page["Referrer-Policy"] == "no-referrer"
        assert not any(
            link.split("key/")[1] in str(entry.data) for link in links for entry in Entry.objects.all()
        )
        newcomer = Client()
        form = newcomer.get(links[0], follow=True)
        assert form.status_code == 200 and form.context["form"]
        done = newcomer.post(
            form.request["PATH_INFO"], {"password1": "battery-staple-8", "password2": "battery-staple-8"}
        )
        assert done.status_code == 302
        assert (
            newcomer.post("/accounts/login/", {"login": "emil.neu", "password": "battery-staple-8"})[
                "Location"
            ]
            == "/"
        )

    def test_confirming_twice_adds_nobody_twice(self, trainer):
        sealed = upload(trainer, CLASS).context["sealed"]
        trainer.post(URL, {"sealed": sealed})
        page = trainer.post(URL, {"sealed": sealed})

        assert not page.context["sealed"] and page.context["wrong"] == 2
        assert User.objects.filter(username="emil.neu").count() == 1

    def test_rows_with_problems_cannot_be_confirmed(self, trainer, bob):
        page = upload(trainer, CLASS + "Alice;Wieder;alice@workshop.test\n")

        assert not page.context["sealed"] and page.context["wrong"] == 1
        forged = importing.seal(page.context["rows"], bob)
        assert trainer.post(URL, {"sealed": forged}).context["wrong"] == 1
        assert not User.objects.filter(username="emil.neu").exists()

    @pytest.mark.parametrize("how", ["changed", "other", "late", "foreign"])
    def test_another_confirmation_than_what_was_shown_is_refused(self, trainer, people, how):
        sealed = upload(trainer, CLASS).context["sealed"]
        client, later = trainer, timedelta(0)
        if how == "changed":
            sealed = sealed[:-3] + ("abc" if not sealed.endswith("abc") else "xyz")
        elif how == "other":
            client = Client()
            client.force_login(factories.TrainerFactory())
        elif how == "late":
            later = timedelta(minutes=61)
        else:
            sealed = signing.dumps({"by": people.bob.pk, "rows": []}, salt="other")
        with time_machine.travel(clock.now() + later):
            if how == "late":
                client = Client()
                client.force_login(people.bob)
            page = client.post(URL, {"sealed": sealed})

        assert "Vorschau" in page.context["refused"][0] or "preview" in page.context["refused"][0]
        assert not User.objects.filter(username="emil.neu").exists()

    def test_the_role_cannot_be_sent_along(self, trainer):
        content = "Vorname;Nachname;role;is_superuser\nEmil;Neu;administrator;1\n"
        trainer.post(URL, {"sealed": upload(trainer, content).context["sealed"], "role": "administrator"})
        assert User.objects.get(username="emil.neu").role is Role.TRAINEE

    def test_names_are_shown_as_text(self, trainer):
        page = upload(trainer, "Vorname;Nachname\n<script>alert(1)</script>;O'Neu\n")
        assert b"<script>alert" not in page.content and b"&lt;script&gt;alert" in page.content

    def test_is_for_trainers(self, people, client):
        client.force_login(people.alice)
        assert upload(client, CLASS).status_code == 302
        assert Client().get(URL).status_code == 302
        assert Client(enforce_csrf_checks=True).post(URL, {"sealed": "x"}).status_code in {302, 403}

    def test_by_mail_only_with_a_mail_server(self, trainer, settings):
        assert b"by_mail" not in upload(trainer, CLASS).content
        settings.EMAIL_HOST = "localhost"
        page = upload(trainer, CLASS)
        assert b"by_mail" in page.content
        done = trainer.post(URL, {"sealed": page.context["sealed"], "by_mail": "on"})
        assert [p.username for p in done.context["invited"]] == ["emil.neu"]
        assert [p.username for p, _link in done.context["links"]] == ["joerg.muellerluedenscheidt"]

    def test_the_list_of_people_leads_here(self, trainer):
        assert URL.encode() in trainer.get("/admin/accounts/user/").content

    def test_a_class_of_thirty_costs_what_thirty_people_cost(self, trainer, django_assert_max_num_queries):
        lines = io.StringIO("Vorname;Nachname\n" + "".join(f"A{n};B\n" for n in range(30)))
        with django_assert_max_num_queries(12):
            sealed = upload(trainer, lines.getvalue()).context["sealed"]
        with django_assert_max_num_queries(30 * 2 + 40):
            trainer.post(URL, {"sealed": sealed})
        assert User.objects.filter(last_name="B").count() == 30
