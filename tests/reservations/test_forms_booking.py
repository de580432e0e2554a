"""The booking form: it parses the workshop's times; the door judges."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.http import QueryDict
from django.utils import translation

from core.errors import Violation
from printers.models import Printer
from reservations.forms import BookingForm, ExtendForm, WorkshopTimeField, length_choices, suggestion

ASKED = {"begin": "at", "starts_at": "2026-02-04T14:00", "length": "120", "ends_at": ""}


def form(printer: Printer, person: object, **changed: str) -> BookingForm:
    return BookingForm({**ASKED, **changed}, printer=printer, person=person)


def test_times_are_the_workshops(printer: Printer, people: SimpleNamespace, now: datetime) -> None:
    asked = form(printer, people.alice)
    assert asked.is_valid(), asked.errors
    wish = asked.wish(now)
    assert wish.starts_at == datetime(2026, 2, 4, 13, 0, tzinfo=UTC)
    assert wish.ends_at == datetime(2026, 2, 4, 15, 0, tzinfo=UTC)
    assert (wish.printer_id, wish.owner_id) == (printer.pk, people.alice.pk)


def test_now_needs_no_start(printer: Printer, people: SimpleNamespace, now: datetime) -> None:
    asked = form(printer, people.alice, begin="now", starts_at="")
    assert asked.is_valid(), asked.errors
    wish = asked.wish(now)
    assert wish.starts_at is None
    assert wish.ends_at == now + timedelta(hours=2)


def test_until_a_time(printer: Printer, people: SimpleNamespace, now: datetime) -> None:
    asked = form(printer, people.alice, length="", ends_at="2026-02-04T17:30")
    assert asked.is_valid(), asked.errors
    assert asked.wish(now).ends_at == datetime(2026, 2, 4, 16, 30, tzinfo=UTC)


def test_length_is_real_time_across_the_clock_change(
    printer: Printer, people: SimpleNamespace, now: datetime
) -> None:
    asked = form(printer, people.alice, starts_at="2026-03-29T01:00", length="120")
    assert asked.is_valid(), asked.errors
    wish = asked.wish(now)
    assert wish.starts_at is not None
    assert wish.ends_at - wish.starts_at == timedelta(hours=2)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("starts_at", {"starts_at": ""}),
        ("starts_at", {"starts_at": "tomorrow"}),
        ("starts_at", {"starts_at": "2026-13-40T99:00"}),
        ("starts_at", {"starts_at": "2026-03-29T02:30"}),  # skipped by the clock change
        ("starts_at", {"starts_at": "0001-01-01T00:00"}),
        ("starts_at", {"starts_at": "9999-12-31T23:59"}),
        ("ends_at", {"length": "", "ends_at": ""}),
        ("ends_at", {"length": "", "ends_at": "9999-12-31T23:59"}),
        ("length", {"length": "7"}),
        ("begin", {"begin": "soon"}),
        ("title", {"title": "x" * 121}),
    ],
)
def test_nonsense_is_explained_at_its_field(
    printer: Printer, people: SimpleNamespace, field: str, changed: dict[str, str]
) -> None:
    asked = form(printer, people.alice, **changed)
    assert not asked.is_valid()
    assert list(asked.errors) == [field]


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # comes twice: the first
        ("2026-10-25T03:00", datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
        ("2026-03-29T03:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("2026-02-04T14:00Z", datetime(2026, 2, 4, 14, 0, tzinfo=UTC)),
        ("2026-02-04 14:00", datetime(2026, 2, 4, 13, 0, tzinfo=UTC)),
        ("", None),
    ],
)
def test_a_time_is_read(typed: str, instant: datetime | None) -> None:
    assert WorkshopTimeField(required=False).clean(typed) == instant


def test_a_local_format_is_read_where_the_browser_has_no_picker() -> None:
    with translation.override("de"):
        read = WorkshopTimeField().clean("04.02.2026 14:00")
    assert read == datetime(2026, 2, 4, 13, 0, tzinfo=UTC)


def test_only_trainers_choose_for_whom(printer: Printer, people: SimpleNamespace, now: datetime) -> None:
    assert "owner" not in form(printer, people.alice).fields
    asked = form(printer, people.bob, owner=str(people.charlie.pk))
    assert asked.is_valid(), asked.errors
    assert asked.wish(now).owner_id == people.charlie.pk


def test_violations_stand_at_their_fields(printer: Printer, people: SimpleNamespace) -> None:
    asked = form(printer, people.alice)
    assert asked.is_valid()
    asked.refuse(
        Violation(code, code, f"why {code}") for code in ("starts_at", "ends_at", "owner", "printer", "")
    )
    assert asked.errors["starts_at"] == ["why starts_at"]
    assert asked.errors["ends_at"] == ["why ends_at"]
    assert asked.non_field_errors() == ["why owner", "why printer", "why "]


def test_lengths_keep_to_the_machines_limits() -> None:
    machine = Printer(min_minutes=30, max_minutes=300, step_minutes=30)
    assert [value for value, _label in length_choices(machine)] == [
        "30",
        "60",
        "90",
        "120",
        "180",
        "240",
        "300",
        "",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"begin": "now", "length": "60"}),
        ("from=now&for=120", {"begin": "now", "length": "120"}),
        ("from=2026-02-05T10:00&for=30", {"begin": "at", "length": "30"}),
        ("from=2026-02-05T10:00&for=75", {"begin": "at", "length": ""}),
        ("from=rubbish&for=-3", {"begin": "now", "length": ""}),
    ],
)
def test_a_tapped_slot_fills_the_form(now: datetime, query: str, expected: dict[str, str]) -> None:
    machine = Printer()
    initial = suggestion(QueryDict(query), machine, soonest=now, is_now=True)
    assert {key: initial[key] for key in expected} == expected


def test_extending_takes_minutes_or_an_end() -> None:
    by = ExtendForm({"by": "30"})
    assert by.is_valid()
    assert by.order() == {"by": timedelta(minutes=30), "ends_at": None, "waive_reason": ""}
    until = ExtendForm({"ends_at": "2026-02-04T14:00"})
    assert until.is_valid()
    assert until.order()["ends_at"] == datetime(2026, 2, 4, 13, 0, tzinfo=UTC)
    assert "ends_at" in ExtendForm({}).errors
    assert "by" in ExtendForm({"by": "7"}).errors
