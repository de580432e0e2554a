"""Schemathesis over the whole schema: whatever is sent, no 5xx, and no answer that the schema does not tell of.

In this process and always with the same requests. Ids that are asked for exist half of the time, or nothing but 404
would be seen; what an operation has destroyed is there again for the next one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis
import time_machine
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.choices import Scope
from accounts.models import PersonalToken, Qualification, User
from api.views.docs import described
from core.actor import Actor, Channel
from journal.models import Entry
from plugs.models import PlugCommand, PlugReading, SmartPlug
from printers.models import Location, Outage, Printer
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import Job
from tests import factories
from tests.api.asking import key_of

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _standing(now) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def workshop(people, now) -> SimpleNamespace:
    """Something of everything."""
    bob = Actor(people.bob.pk, Channel.ADMIN)
    printers = [
        factories.PrinterFactory(location=factories.LocationFactory(), horizon_days=400) for _ in range(3)
    ]
    factories.PlugFactory()
    factories.OutageFactory(printer=printers[2], starts_at=now + 90 * HOUR, ends_at=now + 99 * HOUR)
    laser = factories.QualificationFactory(name="Laser")
    factories.GrantFactory(user=people.alice, qualification=laser, granted_at=now)
    for person in (people.alice, people.charlie):
        for n in range(3):
            start = now + (n * 5 if person is people.alice else 20 + n * 5) * HOUR
            wish = Wish(
                printers[n].pk, person.pk, start + HOUR, None if n == 0 and person is people.alice else start
            )
            booking.book(wish, actor=bob, now=now, waive_reason="seed")
    plug = SmartPlug.objects.earliest("pk")
    PlugReading.objects.create(plug=plug, at=now, power_w=12.5, on=True)
    key_of(people.alice, name="spare")
    return people


ROWS: dict[str, Any] = {
    "jobs": Job, "printers": Printer, "plugs": SmartPlug, "plug": SmartPlug, "printer": Printer, "users": User,
    "owner": User, "user": User, "journal": Entry, "locations": Location, "location": Location, "outages": Outage,
    "qualifications": Qualification, "qualification": Qualification, "readings": PlugReading,
    "commands": PlugCommand, "tokens": PersonalToken, "calendar": Printer,
}  # fmt: skip


def existing(name: str) -> st.SearchStrategy[Any] | None:
    """The ids of what there is under this name of a field or a path."""
    model = ROWS.get(name)
    ids = list(model.objects.values_list("pk", flat=True)[:5]) if model else []
    return st.sampled_from(ids) if ids else None


def with_real_ids(data: st.DataObject, case: Any) -> None:
    """Point the case at something that is there."""
    resource = next((part for part in reversed(case.path.split("/")) if part in ROWS), "")
    for name in case.path_parameters or {}:
        if (ids := existing(resource if name == "id" else name)) is not None:
            case.path_parameters[name] = data.draw(ids)
    if isinstance(case.body, dict):
        for name in case.body:
            if (ids := existing(name)) is not None:
                case.body[name] = data.draw(ids)


def explore(operation: Any, headers: dict[str, str], examples: int) -> None:
    """So many requests of each kind to one operation."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        try:
            case = data.draw(operation.as_strategy(generation_mode=mode))
        except (TypeError, ValueError):  # nothing about it can be wrong
            case = data.draw(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        if mode is GenerationMode.POSITIVE and data.draw(st.booleans()):
            with_real_ids(data, case)
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    ask()


@contextmanager
def taken_back() -> Iterator[None]:
    """What happens here has not happened; doors that insist on the last word do not mind, as in any test."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


def operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(described())
    schema.app = get_wsgi_application()
    schema.location = "http://testserver"
    for found in schema.get_all_operations():
        yield found.ok()


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "examples"), [("anonymous", 2), ("trainee", 6), ("trainer", 6)])
def test_no_answer_outside_the_schema(workshop, who, examples, settings):
    rates = {"address": "", "user": "", "token": ""}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    person = {"trainee": workshop.alice, "trainer": workshop.bob}.get(who)
    headers = {"Authorization": f"Bearer {key_of(person, Scope.WRITE)}"} if person else {}
    wrong = {}
    for operation in operations():
        with taken_back():
            try:
                explore(operation, headers, examples)
            except BaseExceptionGroup as failures:  # all of them are told at once
                wrong[operation.label] = "\n".join(str(failures).splitlines()[:40])
    assert not wrong, "\n\n".join(f"{label}\n{said}" for label, said in wrong.items())
