"""A client that a program made from docs/openapi.yaml books, extends and finishes a job on a live server."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from accounts.choices import Scope
from accounts.models import User
from core import clock
from reservations.choices import State
from reservations.models import Job
from tests.api.asking import key_of
from tests.api.describe import FILE

GENERATOR = Path(sys.executable).with_name("openapi-python-client")


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Any:
    """The package, made anew; as anybody would make it."""
    directory = tmp_path_factory.mktemp("generated")
    package = directory / "workshop_client"
    config = directory / "config.yaml"
    config.write_text("post_hooks: []\n")  # its formatting is nobody's business
    command = [GENERATOR, "generate", "--path", FILE, "--meta", "none", "--output-path", package]
    done = subprocess.run(
        [*map(str, command), "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr, done.stdout + done.stderr
    sys.path.insert(0, str(directory))
    yield lambda name: importlib.import_module(f"workshop_client{name}")
    sys.path.remove(str(directory))
    for name in [name for name in sys.modules if name.startswith("workshop_client")]:
        del sys.modules[name]


def call(generated: Any, operation: str) -> ModuleType:
    return generated(f".api.{operation.partition('_')[0]}.{operation}")


@pytest.fixture
def sign_in(generated, live_server) -> Iterator[Callable[[User], Any]]:
    """Makes clients with a personal token."""
    with ExitStack() as clients:

        def make(person: User) -> Any:
            client = generated("").AuthenticatedClient(live_server.url, key_of(person, Scope.WRITE))
            return clients.enter_context(client)

        yield make


@pytest.mark.sockets
@pytest.mark.django_db(transaction=True)
def test_generated_client_books_extends_and_finishes(people, printer, sign_in, generated):
    models = generated(".models")
    client = sign_in(people.alice)
    end = clock.now() + timedelta(hours=1)
    end -= timedelta(minutes=end.minute % 15, seconds=end.second, microseconds=end.microsecond)

    wish = models.BookingRequest(printer=printer.pk, ends_at=end, title="by a program")
    answers = [
        call(generated, "jobs_create").sync_detailed(client=client, body=wish, idempotency_key="once")
        for _time in range(2)
    ]
    job = answers[0].parsed
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].parsed == job and Job.objects.count() == 1
    assert (job.printer, job.owner, job.title) == (printer.pk, people.alice.pk, "by a program")
    assert job.ends_at == end and job.state == models.JobState.RUNNING

    more = models.ExtendRequest(minutes=30)
    stale = call(generated, "jobs_extend").sync(job.id, client=client, body=more, if_match='"x"')
    assert isinstance(stale, models.Problem)
    assert (stale.status, stale.errors[0].code) == (412, "changed_meanwhile")
    longer = call(generated, "jobs_extend").sync(job.id, client=client, body=more)
    assert longer.ends_at == end + timedelta(minutes=30)

    finished = call(generated, "jobs_finish").sync(job.id, client=client)
    assert finished.state == models.JobState.FINISHED and isinstance(finished.finished_at, datetime)
    assert Job.objects.get().state == State.FINISHED

    listed = call(generated, "jobs_list").sync(client=client, state=[models.JobsListStateItem.FINISHED])
    assert [row.id for row in listed.results] == [job.id]
    assert listed.results[0].starts_at.astimezone(UTC) == Job.objects.get().starts_at


@pytest.mark.sockets
@pytest.mark.django_db(transaction=True)
def test_generated_client_understands_a_no(people, printer, sign_in, generated):
    models = generated(".models")
    client = sign_in(people.charlie)
    create = call(generated, "jobs_create")
    wish = models.BookingRequest(printer=printer.pk, minutes=120)
    create.sync(client=client, body=wish)
    no = create.sync(client=client, body=wish)
    assert isinstance(no, models.Problem) and no.status == 409
    assert [error.code for error in no.errors] == ["window_taken"]
    assert len(no.alternatives) == 3 and no.alternatives[0].printer == printer.pk
