"""The overview, the live part of it, a machine's page and booking on it."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from core.actor import Actor
from plugs.models import PlugState
from printers.choices import Service
from printers.domain.queries import all_printers
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from reservations.domain.queries import jobs_of
from tests import factories

ASKED = {"begin": "at", "starts_at": "2026-02-04T14:00", "length": "120", "title": "Case"}


@pytest.fixture(autouse=True)
def _at_noon(now: datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def alices(client: Client, people: SimpleNamespace) -> Client:
    client.force_login(people.alice)
    return client


@pytest.fixture
def bobs(people: SimpleNamespace) -> Client:
    client = Client()
    client.force_login(people.bob)
    return client


def text(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def book(
    printer: Printer, actor: Actor, now: datetime, *, hours: float = 2, starts_at: datetime | None = None
) -> object:
    end = (starts_at or now) + timedelta(hours=hours)
    return booking.book(
        Wish(printer.pk, actor.user_id or 0, end, starts_at, title="Secret"), actor=actor, now=now
    )


def observe(printer: Printer, **seen: object) -> None:
    PlugState.objects.filter(plug_id=printer.plug_id).update(**seen)


# ------------------------------------------------------------------ who may see it
@pytest.mark.parametrize("name", ["overview", "live_machines", "jobs"])
def test_strangers_are_sent_to_the_login(client: Client, db: None, name: str) -> None:
    response = client.get(reverse(name))
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={reverse(name)}"


@pytest.mark.parametrize("name", ["printer", "book", "job", "job_extend"])
def test_strangers_are_sent_to_the_login_from_a_row(client: Client, db: None, name: str) -> None:
    for send in (client.get, client.post):
        response = send(reverse(name, args=[1]))
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")


def test_a_page_that_polls_after_the_session_is_told_to_load_anew(client: Client, db: None) -> None:
    response = client.get(reverse("live_machines"), headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Refresh"] == "true"
    assert response.content == b""


# ------------------------------------------------------------------ the overview
@pytest.mark.parametrize(("language", "word"), [("de", "Nächster Schritt"), ("en", "Next step")])
def test_overview_in_both_languages(alices: Client, printer: Printer, language: str, word: str) -> None:
    response = alices.get("/", headers={"Accept-Language": language})
    assert response.status_code == 200
    assert word in text(response)
    assert f'<html lang="{language}"' in text(response)


def test_others_see_that_it_is_taken_but_not_by_whom(
    alices: Client, bobs: Client, printer: Printer, charlie: Actor, now: datetime
) -> None:
    book(printer, charlie, now)
    seen = text(alices.get("/"))
    assert "belegt bis 12:00" in seen
    assert "Charlie" not in seen
    assert "Secret" not in seen
    assert "Charlie · belegt bis 12:00" in text(bobs.get("/"))


def test_my_job_comes_first_with_its_actions(
    alices: Client, printer: Printer, alice: Actor, now: datetime
) -> None:
    job = book(printer, alice, now)
    observe(printer, observed=True, power_w=86.4, last_contact_at=now)
    seen = text(alices.get("/"))
    assert "noch 2 h" in seen
    assert "86 W · arbeitet" in seen
    for name, args in (("job_act", [job.pk, "finish"]), ("job_extend", [job.pk])):  # type: ignore[attr-defined]
        assert f'action="{reverse(name, args=args)}"' in seen
    assert "Ihr Auftrag" in seen


def test_a_dead_plug_is_said_plainly(alices: Client, printer: Printer, now: datetime) -> None:
    observe(printer, failures=3, power_w=12.0, observed=True, last_contact_at=now)
    seen = text(alices.get("/"))
    assert "Steckdose nicht erreichbar" in seen
    assert "12 W" not in seen


def test_a_refused_login_is_said_plainly(alices: Client, printer: Printer) -> None:
    observe(printer, is_suspended=True)
    assert "Die Steckdose lehnt die Anmeldung ab" in text(alices.get("/"))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"wanted": True, "observed": False}, "wird eingeschaltet …"),
        ({"wanted": False, "observed": True, "power_w": 3.0}, "wird ausgeschaltet …"),
        ({"wanted": False, "observed": True, "power_w": 80.0, "hold_above_w": 15.0}, "80 W · bleibt an"),
        ({"wanted": True, "observed": True, "power_w": 4.32}, "4,3 W · im Leerlauf"),
        ({"observed": False}, "ohne Strom"),
    ],
)
def test_what_the_plug_does(
    alices: Client, printer: Printer, now: datetime, seen: dict[str, object], words: str
) -> None:
    observe(printer, last_contact_at=now, **seen)
    assert words in text(alices.get("/"))


def test_out_of_order_cannot_be_booked(alices: Client, printer: Printer) -> None:
    Printer.objects.update(service=Service.OUT_OF_ORDER, service_note="Nozzle")
    for page in ("/", printer.get_absolute_url()):
        seen = text(alices.get(page))
        assert "außer Betrieb" in seen
        assert "Nozzle" in seen
        assert f'href="{printer.get_absolute_url()}#book"' not in seen
        assert "Freie Zeiten" not in seen


def test_without_machines_the_page_says_what_to_do(alices: Client) -> None:
    assert "Noch keine Maschinen" in text(alices.get("/"))


def test_live_part_is_sent_only_when_it_changed(
    alices: Client, printer: Printer, charlie: Actor, now: datetime
) -> None:
    page = alices.get("/")
    asked = {"seen": page.context["live"].version}
    same = alices.get(reverse("live_machines"), asked)
    assert same.status_code == 204
    assert same["X-As-Of"] == "10:00:00"
    book(printer, charlie, now)
    other = alices.get(reverse("live_machines"), asked)
    assert other.status_code == 200
    assert other.content.lstrip().startswith(b'<div id="live"')


def test_a_page_that_polls_keeps_nobody_signed_in(alices: Client, printer: Printer, now: datetime) -> None:
    alices.get("/")
    with (
        CaptureQueriesContext(connection) as queries,
        time_machine.travel(now + timedelta(minutes=29), tick=False),
    ):
        assert alices.get(reverse("live_machines")).status_code == 200
    assert not [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]
    with time_machine.travel(now + timedelta(minutes=31), tick=False):
        assert alices.get(reverse("live_machines")).status_code == 302


def test_overview_needs_as_many_queries_for_30_machines_as_for_one(
    alices: Client, people: SimpleNamespace, now: datetime
) -> None:
    place = factories.LocationFactory()

    def fill(count: int) -> None:
        for _ in range(count):
            printer = factories.PrinterFactory(location=place)
            book(printer, Actor(people.charlie.pk, "web"), now)  # type: ignore[arg-type]

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert alices.get("/").status_code == 200
        return len(queries)

    fill(1)
    one = cost()
    fill(29)
    assert cost() == one
    assert one <= 14


# ------------------------------------------------------------------ one machine
@pytest.mark.parametrize(("language", "word"), [("de", "Freie Zeiten"), ("en", "Free times")])
def test_machine_page_in_both_languages(alices: Client, printer: Printer, language: str, word: str) -> None:
    assert word in text(alices.get(printer.get_absolute_url(), headers={"Accept-Language": language}))


def test_machine_page_explains_the_rules(alices: Client, people: SimpleNamespace, now: datetime) -> None:
    place = factories.LocationFactory()
    for weekday in (1, 2, 3, 6):
        closes = time(13) if weekday == 6 else time(18)
        factories.OpeningHoursFactory(location=place, weekday=weekday, opens=time(8), closes=closes)
    printer = factories.PrinterFactory(
        location=place, needs_approval=True, notice_minutes=60, buffer_minutes=15, is_open_at_night=False
    )
    held, lacking = factories.QualificationFactory(name="FDM"), factories.QualificationFactory(name="Resin")
    printer.qualifications.add(held, lacking)
    factories.GrantFactory(user=people.alice, qualification=held, granted_at=now)
    seen = text(alices.get(printer.get_absolute_url()))
    for words in (
        "Beginn in den Öffnungszeiten: Mo–Mi 08:00–18:00, Sa 08:00–13:00.",
        "Muss vor Ladenschluss enden.",
        "Ausbilder genehmigen jede Buchung.",
        "Mindestens 1 h zwischen Buchung und Beginn.",
        "Nach jeder Buchung bleiben 15 min frei.",
        "FDM: Diese Qualifikation haben Sie",
        "Resin: Diese Qualifikation fehlt Ihnen noch.",
    ):
        assert words in seen
    assert "?from=2026-02-04T11:00&amp;for=120#book" in seen
    assert "11:00–18:00" in seen
    assert seen.count("geschlossen") == 3  # Thursday, Friday and Sunday


def test_free_slots_leave_out_what_is_taken(
    alices: Client, printer: Printer, charlie: Actor, now: datetime
) -> None:
    book(printer, charlie, now, starts_at=now + timedelta(hours=2))
    seen = text(alices.get(printer.get_absolute_url()))
    assert '?from=now&amp;for=120#book">jetzt–12:00' in seen
    assert "?from=2026-02-04T14:00&amp;for=120#book" in seen
    assert "heute 12:00–14:00 (2 h)" in seen
    assert "Charlie" not in seen
    assert "Secret" not in seen


def test_trainers_read_first_names(bobs: Client, printer: Printer, charlie: Actor, now: datetime) -> None:
    job = book(printer, charlie, now)
    seen = text(bobs.get(printer.get_absolute_url()))
    assert f'<a href="{reverse("job", args=[job.pk])}">Charlie</a>' in seen  # type: ignore[attr-defined]


def test_a_tapped_slot_is_in_the_form(alices: Client, printer: Printer) -> None:
    seen = text(alices.get(printer.get_absolute_url(), {"from": "2026-02-05T09:00", "for": "120"}))
    assert 'value="2026-02-05T09:00"' in seen
    assert '<option value="120" selected>' in seen


def test_unknown_machine_is_not_found(alices: Client) -> None:
    assert alices.get("/printers/999").status_code == 404
    assert alices.post("/printers/999/book", ASKED).status_code == 404


# ------------------------------------------------------------------ booking
def test_booking_leads_to_my_jobs(alices: Client, printer: Printer, people: SimpleNamespace) -> None:
    response = alices.post(reverse("book", args=[printer.pk]), ASKED)
    assert response.status_code == 302
    assert response["Location"] == reverse("jobs")
    job = jobs_of(people.alice.pk).get()
    assert (job.title, job.channel, job.state) == ("Case", "web", State.BOOKED)
    assert f"Gebucht: {printer.name}, heute 14:00–16:00 (2 h)." in text(alices.get(reverse("jobs")))


def test_booking_now_starts_at_once(alices: Client, printer: Printer, people: SimpleNamespace) -> None:
    alices.post(reverse("book", args=[printer.pk]), {"begin": "now", "length": "60"})
    assert jobs_of(people.alice.pk).get().state == State.RUNNING


def test_booking_that_needs_approval_says_so(alices: Client, people: SimpleNamespace) -> None:
    printer = factories.PrinterFactory(needs_approval=True)
    alices.post(reverse("book", args=[printer.pk]), ASKED)
    assert jobs_of(people.alice.pk).get().state == State.PENDING
    assert "Ausbilder entscheiden darüber" in text(alices.get(reverse("jobs")))


def test_all_violations_stand_next_to_their_fields(alices: Client, people: SimpleNamespace) -> None:
    printer = factories.PrinterFactory(max_minutes=60)
    printer.qualifications.add(factories.QualificationFactory(name="Resin"))
    asked = {"begin": "at", "starts_at": "2026-02-03T14:07", "length": "", "ends_at": "2026-02-04T17:00"}
    response = alices.post(reverse("book", args=[printer.pk]), {**asked, "title": "Kept"})
    assert response.status_code == 409
    errors = response.context["form"].errors.as_data()
    codes = {field: [error.code for error in found] for field, found in errors.items()}
    assert codes["__all__"] == ["owner_unqualified"]
    assert codes["starts_at"][:2] == ["window_past", "window_off_step"]
    assert codes["ends_at"] == ["window_too_long"]
    seen = text(response)
    assert 'value="Kept"' in seen
    assert "Resin" in seen
    assert jobs_of(people.alice.pk).count() == 0


def test_a_taken_window_is_a_clean_refusal(
    alices: Client, printer: Printer, charlie: Actor, now: datetime
) -> None:
    book(printer, charlie, now, starts_at=now + timedelta(hours=4))
    response = alices.post(reverse("book", args=[printer.pk]), ASKED)
    assert response.status_code == 409
    assert "Belegt von" in text(response)
    assert "Charlie" not in text(response)


def test_nonsense_is_explained_without_asking_the_door(alices: Client, printer: Printer) -> None:
    response = alices.post(reverse("book", args=[printer.pk]), {**ASKED, "starts_at": "2026-03-29T02:30"})
    assert response.status_code == 200
    assert "Diese Zeit gibt es nicht" in text(response)


def test_trainees_do_not_book_for_others(alices: Client, printer: Printer, people: SimpleNamespace) -> None:
    response = alices.post(reverse("book", args=[printer.pk]), {**ASKED, "owner": str(people.charlie.pk)})
    assert response.status_code == 403
    assert jobs_of(people.charlie.pk).count() == 0


def test_trainers_book_for_others_and_waive_with_a_reason(bobs: Client, people: SimpleNamespace) -> None:
    printer = factories.PrinterFactory(max_minutes=60)
    asked = {**ASKED, "length": "", "ends_at": "2026-02-04T17:00", "owner": str(people.dora.pk)}
    assert bobs.post(reverse("book", args=[printer.pk]), asked).status_code == 409
    response = bobs.post(reverse("book", args=[printer.pk]), {**asked, "waive_reason": "Exam"})
    assert response.status_code == 302
    assert jobs_of(people.dora.pk).get().waived == ["window_too_long"]


def test_trainees_cannot_waive(alices: Client) -> None:
    printer = factories.PrinterFactory(max_minutes=60)
    asked = {**ASKED, "length": "", "ends_at": "2026-02-04T17:00", "waive_reason": "Please"}
    assert alices.post(reverse("book", args=[printer.pk]), asked).status_code == 409


def test_loading_the_refused_page_again_leads_to_the_machine(alices: Client, printer: Printer) -> None:
    response = alices.get(reverse("book", args=[printer.pk]))
    assert response["Location"] == printer.get_absolute_url()


def test_forms_need_their_token(people: SimpleNamespace, printer: Printer) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.alice)
    response = client.post(reverse("book", args=[printer.pk]), ASKED)
    assert response.status_code == 403
    assert "Die Seite war zu alt" in text(response)
    assert all_printers().count() == 1


def test_a_closed_machine_says_until_when_and_why(alices: Client, printer: Printer, now: datetime) -> None:
    factories.OutageFactory(
        printer=printer, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=2)
    )
    assert "Gesperrt bis Fr 6.2. 10:00: Repair" in text(alices.get("/"))


def test_a_print_that_runs_over_is_explained(
    alices: Client, printer: Printer, charlie: Actor, now: datetime
) -> None:
    job = book(printer, charlie, now - timedelta(hours=1), hours=0.5)
    observe(printer, observed=True, power_w=90.0, last_contact_at=now)
    lifecycle.finish(job.pk, actor=charlie, now=now - timedelta(minutes=20))  # type: ignore[attr-defined]
    lifecycle.advance([printer.pk], actor=charlie, now=now)
    assert "Der Druck davor läuft noch. Der Strom bleibt an" in text(alices.get("/"))


def test_a_slot_begins_on_the_grid_and_leaves_room(alices: Client, charlie: Actor, now: datetime) -> None:
    printer = factories.PrinterFactory(buffer_minutes=10, min_minutes=60)
    book(printer, charlie, now)  # until 12:00, then ten minutes
    book(printer, charlie, now, starts_at=now + timedelta(hours=3, minutes=15), hours=1)
    seen = text(alices.get(printer.get_absolute_url()))
    assert "?from=2026-02-04T12:15&amp;" not in seen  # 50 minutes are left, an hour is the least
    assert "?from=2026-02-04T14:30&amp;for=120#book" in seen
