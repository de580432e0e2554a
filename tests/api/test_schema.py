"""The schema says everything, is valid, and the file in docs/ is the one that is served."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.validation import validate_schema

from api.views.docs import described
from tests.api import describe
from tests.api.asking import by_token, is_problem

METHODS = ("get", "post", "put", "patch", "delete")
# The paths of the requirement, as they are written there.
REQUIRED = [
    "/auth/login", "/auth/logout", "/api/auth/token", "/api/auth/token/refresh",
    "/api/jobs", "/api/jobs/{id}", "/api/jobs/{id}/extend", "/api/jobs/{id}/cancel", "/api/jobs/{id}/finish",
    "/api/jobs/{id}/move", "/api/printers", "/api/printers/{id}", "/api/printers/status", "/api/printers/next-free",
    "/api/plugs", "/api/plugs/{id}", "/api/plugs/{id}/test", "/api/plugs/{id}/switch", "/api/users", "/api/me",
    "/api/journal", "/api/stats", "/api/scheduler/status", "/api/scheduler/start", "/api/scheduler/stop",
    "/api/kiosk/status",
]  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return described()


def operations(schema) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolve(schema, node):
    """What a reference stands for."""
    while "$ref" in node:
        found = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def test_file_is_up_to_date():
    assert describe.FILE.read_text(encoding="utf-8") == describe.text(), (
        "docs/openapi.yaml is not what the API says of itself. Run: .venv/bin/python -m tests.api.describe"
    )


def test_schema_is_valid_and_made_without_a_warning():
    described.cache_clear()
    reset_generator_stats()
    schema = described()
    assert not GENERATOR_STATS, GENERATOR_STATS.emit_summary()
    assert schema["openapi"].startswith("3.1")
    validate_schema(schema)


def test_required_paths_are_there(schema):
    assert [path for path in REQUIRED if path not in schema["paths"]] == []


def test_every_operation_is_named_and_told(schema):
    ids = [operation["operationId"] for _path, _method, operation in operations(schema)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(schema):
        where = f"{method} {path}"
        assert not any(part.isdigit() for part in operation["operationId"].split("_")), where
        assert operation["summary"] and len(operation["summary"]) < 150, where
        assert len(operation["tags"]) == 1, where
        assert "``" not in operation["summary"] + operation.get("description", ""), where


def test_every_operation_names_its_errors_as_problems(schema):
    for path, method, operation in operations(schema):
        where = f"{method} {path}"
        errors = {int(status) for status in operation["responses"] if int(status) >= 400}
        expected = {401, 403, 406, 429}
        expected |= {404} if "{" in path else set()
        expected |= {400, 413, 415} if "requestBody" in operation else set()
        assert expected <= errors, where
        for status in errors:
            response = resolve(schema, operation["responses"][str(status)])
            [content] = response["content"]
            assert content == "application/problem+json", where
            example = response["content"][content]["example"]
            assert example["status"] == status and example["errors"], where


def test_every_answer_names_its_headers(schema):
    for path, method, operation in operations(schema):
        for status, answer in operation["responses"].items():
            headers = resolve(schema, answer).get("headers", {})
            assert {"RateLimit", "RateLimit-Policy"} <= set(headers), f"{method} {path} {status}"
        if "201" in operation["responses"] and operation["operationId"].endswith("_create"):
            created = operation["responses"]["201"]["headers"]
            assert {"ETag", "Location", "Idempotency-Replayed"} <= set(created), path
            sent = [resolve(schema, parameter)["name"] for parameter in operation["parameters"]]
            assert "Idempotency-Key" in sent, path


def test_every_reference_leads_somewhere(schema):
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                resolve(schema, node)
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(schema)


def test_ways_to_sign_in_are_named(schema):
    schemes = schema["components"]["securitySchemes"]
    assert {"session", "csrfToken", "personalToken", "accessToken", "calendarToken"} <= set(schemes)
    book = schema["paths"]["/api/jobs"]["post"]["security"]
    assert {"session": [], "csrfToken": []} in book and {"personalToken": []} in book
    assert {"calendarToken": []} in schema["paths"]["/api/calendar/jobs.ics"]["get"]["security"]


@pytest.mark.django_db
class TestServed:
    def test_as_json_and_as_yaml(self, people, schema):
        caller = by_token(people.alice)
        as_json = caller.ask("/api/schema")
        assert as_json["Content-Type"] == "application/json"
        assert as_json.json()["paths"].keys() == schema["paths"].keys()
        assert yaml.safe_load(caller.ask("/api/schema?format=yaml").content) == as_json.json()
        assert yaml.safe_load(caller.ask("/api/schema", accept="application/yaml").content) == as_json.json()

    def test_in_english_for_everybody(self, people, schema):
        assert by_token(people.alice).ask("/api/schema", accept_language="de").json() == schema

    def test_not_sent_twice(self, people):
        caller = by_token(people.alice)
        etag = caller.ask("/api/schema")["ETag"]
        assert caller.ask("/api/schema", if_none_match=etag).status_code == 304

    def test_strangers_are_sent_to_the_log_in(self):
        assert is_problem(Client().get("/api/schema"), 401)
        assert Client().get("/api/docs")["Location"] == "/accounts/login/?next=/api/docs"

    def test_page_keeps_the_strict_policy(self, people, client):
        client.force_login(people.alice)
        answer = client.get("/api/docs")
        assert answer.status_code == 200
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert b"swagger-ui-bundle.js" in answer.content and b"//cdn" not in answer.content
