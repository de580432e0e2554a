"""Lists: pages that stay right, an order, fewer fields, and nothing sent twice."""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from api.urls import router
from core.actor import Actor, Channel
from printers.models import Printer
from reservations.domain import booking
from reservations.domain.booking import Wish
from tests import factories
from tests.api.asking import by_token, codes, is_problem

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def book(printer: Printer, owner, start, *, hours: float = 1, title: str = "", now=None):
    """Booked by its owner."""
    wish = Wish(printer.pk, owner.pk, start + hours * HOUR, start, title)
    return booking.book(wish, actor=Actor(owner.pk, Channel.WEB), now=now or start - HOUR)


def walk(caller, path: str) -> list[list[int]]:
    """The ids of every page."""
    pages = []
    while path:
        answer = caller.ask(path).json()
        pages.append([row["id"] for row in answer["results"]])
        assert len(pages) < 30, "no end"
        path = answer["next"]
    return pages


@pytest.fixture
def seven(people, printer, now):
    return [book(printer, people.alice, now + (n + 1) * HOUR, title=f"job {n}", now=now) for n in range(7)]


def test_pages_hold_every_row_once_in_order(people, seven):
    pages = walk(by_token(people.alice), "/api/jobs?limit=3&ordering=starts_at")
    assert pages == [[j.pk for j in seven[:3]], [j.pk for j in seven[3:6]], [seven[6].pk]]


def test_page_before_leads_back(people, seven):
    caller = by_token(people.alice)
    first = caller.ask("/api/jobs?limit=3&ordering=starts_at").json()
    second = caller.ask(first["next"]).json()
    assert caller.ask(second["previous"]).json()["results"] == first["results"]


def test_row_that_comes_in_between_shifts_nothing(people, printer, seven, now):
    caller = by_token(people.alice)
    first = caller.ask("/api/jobs?limit=3&ordering=-starts_at").json()
    book(printer, people.alice, now + 20 * HOUR, now=now)
    second = caller.ask(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [j.pk for j in seven[3:0:-1]]


@pytest.mark.parametrize("order", ["state", "-state"])
def test_rows_that_are_level_come_once_each(people, seven, order):
    """Seven jobs in the same state: only their ids tell them apart."""
    pages = walk(by_token(people.alice), f"/api/jobs?limit=2&ordering={order}")
    assert sorted(id_ for page in pages for id_ in page) == [j.pk for j in seven]


def test_no_view_orders_by_what_may_be_empty():
    """A cursor in an order with NULL in it loses rows."""
    for prefix, view, _name in router.registry:
        model = view.queryset.model if view.queryset is not None else None
        fields = {f.name: f for f in model._meta.get_fields()} if model else {}
        for name in getattr(view, "ordering_fields", ()):
            assert name in fields and not fields[name].null, f"{prefix}: {name}"


def a_cursor(**tokens):
    return b64encode(urlencode(tokens).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ü",
        a_cursor(p="soon"),
        a_cursor(p="\x00"),
        a_cursor(p="None"),
        a_cursor(o="-1"),
        a_cursor(r="x"),
        a_cursor(p="1' OR 1=1 --"),
    ],
)
def test_cursor_that_is_not_ours_is_400(people, seven, cursor):
    caller = by_token(people.alice)
    answer = caller.ask("/api/jobs?" + urlencode({"cursor": cursor, "ordering": "starts_at"}))
    assert is_problem(answer, 400)
    assert answer.json()["errors"][0]["field"] == "cursor"


def test_cursor_before_the_calendar_crashes_nothing(people, seven):
    """SQLite cannot say that instant in UTC, PostgreSQL can."""
    cursor = a_cursor(p="0001-01-01T00:00:00+14:00")
    answer = by_token(people.alice).ask("/api/jobs?" + urlencode({"cursor": cursor, "ordering": "starts_at"}))
    assert answer.status_code == 200 or is_problem(answer, 400)


def test_cursor_with_an_offset_beyond_all_numbers_is_an_empty_page_at_most(people, seven):
    answer = by_token(people.alice).ask("/api/jobs?" + urlencode({"cursor": a_cursor(o="9" * 40)}))
    assert (answer.status_code, answer.json()["results"]) == (200, [])


def test_page_is_never_larger_than_200(people):
    assert by_token(people.alice).ask("/api/jobs?limit=100000").status_code == 200


@pytest.mark.parametrize("asked", ["owner", "starts_at,nothing", "-", "id;drop", "owner__password"])
def test_order_that_is_not_offered_is_400_and_names_the_others(people, asked):
    answer = by_token(people.alice).ask(f"/api/jobs?ordering={asked}")
    assert is_problem(answer, 400)
    assert "starts_at" in answer.json()["errors"][0]["message"]


def test_only_the_fields_that_were_asked_for(people, seven):
    caller = by_token(people.alice)
    listed = caller.ask("/api/jobs?fields=id,title").json()["results"]
    assert listed[0] == {"id": seven[6].pk, "title": "job 6"}
    single = caller.ask(f"/api/jobs/{seven[0].pk}?fields=title,%20state,").json()
    assert single == {"title": "job 0", "state": "booked"}


def test_field_there_is_not_is_400(people, seven):
    caller = by_token(people.alice)
    for path in ("/api/jobs?fields=id,password", f"/api/jobs/{seven[0].pk}?fields=owner__password"):
        answer = caller.ask(path)
        assert is_problem(answer, 400)
        assert answer.json()["errors"][0]["field"] == "fields"


def test_row_that_is_named_is_not_filtered(people, seven):
    caller = by_token(people.alice)
    assert caller.ask(f"/api/jobs/{seven[0].pk}?state=cancelled&ordering=nothing").status_code == 200


def test_list_that_has_not_changed_is_not_sent_again(people, printer, seven, now):
    caller = by_token(people.alice)
    first = caller.ask("/api/jobs")
    again = caller.ask("/api/jobs", if_none_match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    book(printer, people.alice, now + 30 * HOUR, now=now)
    assert caller.ask("/api/jobs", if_none_match=first["ETag"]).status_code == 200


def test_etag_of_one_person_says_nothing_to_another(people, seven):
    mine = by_token(people.alice).ask("/api/jobs")
    theirs = by_token(people.charlie).ask("/api/jobs", if_none_match=mine["ETag"])
    assert (theirs.status_code, theirs.json()["results"]) == (200, [])
    assert "private" in mine["Cache-Control"]
    assert {"Authorization", "Cookie"} <= {name.strip() for name in mine["Vary"].split(",")}


def test_if_match_on_a_get_means_nothing(people, seven):
    assert by_token(people.alice).ask("/api/jobs", if_match='"x"').status_code == 200


def test_head_is_get_without_a_body(people, seven):
    answer = by_token(people.alice).send("HEAD", "/api/jobs")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("rows", [1, 50])
def test_list_of_jobs_costs_no_more_than_five_queries(people, now, rows):
    printers = [factories.PrinterFactory() for _ in range(2)]
    for number in range(rows):
        book(printers[number % 2], people.alice, now + (1 + number // 2) * HOUR, now=now)
    caller = by_token(people.bob)
    caller.ask("/api/jobs")  # notes the token's use once an hour
    with CaptureQueriesContext(connection) as asked:
        answer = caller.ask("/api/jobs")
    assert len(answer.json()["results"]) == rows
    assert len(asked) <= 5, [query["sql"] for query in asked]


def test_link_to_the_next_page_keeps_filter_and_order(people, seven):
    link = by_token(people.alice).ask("/api/jobs?limit=2&state=booked&fields=id").json()["next"]
    query = urlsplit(link).query
    assert "state=booked" in query and "fields=id" in query and "limit=2" in query


def test_filter_value_that_is_none_is_400(people, printer):
    caller = by_token(people.alice)
    for query in (
        "state=flying",
        "starts_after=soon",
        "printer=999999",
        "printer=x",
        "owner=1e400",
        "title=%00",
    ):
        assert is_problem(caller.ask(f"/api/jobs?{query}"), 400), query


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01"])
def test_filter_by_an_instant_outside_the_calendar_is_400(people, at):
    answer = by_token(people.alice).ask(f"/api/jobs?starts_after={at}")
    assert is_problem(answer, 400)
    assert codes(answer)
