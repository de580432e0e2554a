"""What is wrong with a request is told as a problem document, whatever is thrown at us."""

import json

import pytest
from django.test import Client
from django.utils import translation

from api.problems import answer
from tests.api.asking import bearing, by_token, codes, is_problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(people):
    return by_token(people.alice)


HOSTILE = {
    "deep list": "[" * 100_000,
    "deep objects": '{"a":' * 60_000 + "1" + "}" * 60_000,
    "deep, but closed": '{"title":' + "[" * 900 + "]" * 900 + "}",
    "NUL in a value": '{"printer": 1, "title": "a\\u0000b", "minutes": 60}',
    "NUL in a name": '{"a\\u0000": 1}',
    "NUL deep inside": '{"a": [{"b": "\\u0000"}]}',
    "half a character": '{"printer": 1, "title": "\\ud800", "minutes": 60}',
    "NaN": '{"printer": NaN}',
    "Infinity": '{"printer": -Infinity}',
    "a number beyond all numbers": '{"printer": 1e400, "minutes": 60}',
    "digits without end": '{"printer": ' + "9" * 5000 + "}",
    "a list": "[1, 2]",
    "a word": '"printer"',
    "null": "null",
    "half": '{"printer": 1',
    "no JSON": "printer=1",
    "not UTF-8": b'{"title": "\xff\xfe"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_body_that_is_no_decent_object_is_400(caller, name):
    answer = caller.generic("POST", "/api/jobs", HOSTILE[name], "application/json")
    assert is_problem(answer, 400)


def test_object_that_is_only_nested_a_little_is_read(caller, printer):
    answer = caller.tell("/api/jobs", {"printer": [[[printer.pk]]], "minutes": 60})
    assert is_problem(answer, 400)
    assert [error["field"] for error in answer.json()["errors"]] == ["printer"]


@pytest.mark.parametrize("wild", [10**30, -1, "1; DROP TABLE", True, None, {}, ""])
def test_machine_that_is_no_id_is_400(caller, printer, wild):
    answer = caller.tell("/api/jobs", {"printer": wild, "minutes": 60})
    assert is_problem(answer, 400)


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e9", "soon", 7, "2026-02-30T00:00Z"]
)
def test_instant_outside_the_calendar_is_400(caller, printer, at):
    answer = caller.tell("/api/jobs", {"printer": printer.pk, "starts_at": at, "minutes": 60})
    assert is_problem(answer, 400)
    assert answer.json()["errors"][0]["field"] == "starts_at"


def test_every_field_that_is_wrong_is_named_at_once(caller):
    answer = caller.tell("/api/jobs", {"minutes": 0, "title": "x" * 121})
    assert is_problem(answer, 400)
    assert answer.json()["type"] == "urn:myp:invalid"
    assert {(e["field"], e["code"]) for e in answer.json()["errors"]} == {
        ("printer", "required"),
        ("minutes", "min_value"),
        ("title", "max_length"),
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("POST", "/api", 404),
        ("DELETE", "/auth/whatever", 404),
        ("GET", "/api/jobs/1", 404),
        ("GET", "/api/jobs/" + "9" * 30, 404),
        ("GET", "/api/jobs/abc", 404),
        ("DELETE", "/api/jobs", 405),
        ("PUT", "/api/jobs/1", 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(caller, method, path, status):
    assert is_problem(caller.send(method, path), status)


def test_method_that_is_not_allowed_names_the_others(caller):
    assert set(caller.send("DELETE", "/api/jobs")["Allow"].split(", ")) >= {"GET", "POST"}


def test_type_we_do_not_read_is_415(caller):
    assert is_problem(caller.generic("POST", "/api/jobs", "<job/>", "application/xml"), 415)


def test_type_we_do_not_write_is_406(caller):
    assert is_problem(caller.ask("/api/jobs", accept="application/xml"), 406)


def test_body_of_more_than_a_megabyte_is_413(caller):
    body = json.dumps({"title": "x" * 1_100_000})
    assert is_problem(caller.generic("POST", "/api/jobs", body, "application/json"), 413)


def test_stranger_is_told_how_to_come_in():
    answer = Client().get("/api/jobs")
    assert is_problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("wanted", "word"), [("de", "Formular|Anfrage|gültig"), ("en", "request is not valid")]
)
def test_messages_come_in_the_language_that_was_asked_for(people, wanted, word):
    """The refusal's own message, not the shell around it, is what people read."""
    caller = by_token(people.alice)
    german = caller.tell("/api/jobs", {}, accept_language=wanted).json()
    with translation.override(wanted):
        said = str(translation.gettext("The request is not valid; see “errors” for each field."))
    assert german["detail"] == said
    required = german["errors"][0]["message"]
    assert ("Feld" in required) is (wanted == "de")


def test_codes_are_the_same_in_every_language(people):
    caller = by_token(people.alice)
    answers = [caller.tell("/api/jobs", {}, accept_language=language) for language in ("de", "en", "fr")]
    assert [codes(a) for a in answers] == [{"required"}] * 3


def test_bug_is_no_problem_document_and_crashes_visibly():
    """An unexpected exception is not dressed up as the asker's fault."""
    assert answer(RuntimeError("bug"), {}) is None


def test_garbage_in_the_authorization_header_is_401():
    for credential in ("", "x", "myp_", "myp_" + "x" * 10_000, "a.b.c", "ü", "\x7f", "Bearer Bearer"):
        assert is_problem(bearing(credential).ask("/api/jobs"), 401), credential
