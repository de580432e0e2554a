"""The journal reads well and cannot be changed."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import translation

from core import clock
from core.actor import Actor, Channel
from journal.domain.recording import Event, record
from journal.models import Entry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _german_again() -> Iterator[None]:
    """A request in English leaves the thread's language changed."""
    yield
    translation.deactivate()


@pytest.fixture
def entry(people: SimpleNamespace) -> Entry:
    printer = factories.PrinterFactory(name="Drucker 1")
    data = {"fields": ["maker"], "before": {"maker": "<b>"}, "note": None}
    record(
        [Event("printer.changed", printer, data)], actor=Actor(people.bob.pk, Channel.ADMIN), now=clock.now()
    )
    return Entry.objects.get()


def test_reads_in_words_with_a_way_to_the_subject(client, people, entry):
    client.force_login(people.bob)

    html = client.get(
        reverse("admin:journal_entry_change", args=[entry.pk]), headers={"Accept-Language": "en"}
    ).content.decode()

    assert "Machine changed" in html
    printer_page = reverse("admin:printers_printer_change", args=[entry.subject.split(":")[1]])
    assert f'href="{printer_page}"' in html
    assert "before · maker" in html
    assert "<b>" not in html.split("myp-facts")[1].split("</dl>")[0]


def test_filters_by_subject_and_kind(client, people, entry):
    client.force_login(people.bob)
    url = reverse("admin:journal_entry_changelist")

    assert client.get(f"{url}?subject={entry.subject}").context["cl"].result_count == 1
    assert client.get(f"{url}?subject=printer:0").context["cl"].result_count == 0
    assert client.get(f"{url}?kind=job.booked").context["cl"].result_count == 0


def test_an_unknown_subject_and_kind_are_shown_as_they_stand(client, people):
    client.force_login(people.bob)
    row = Entry.objects.create(
        kind="moon.rose", channel="web", subject="moon:1", subject_label="Mond", at=clock.now()
    )

    html = client.get(reverse("admin:journal_entry_change", args=[row.pk])).content.decode()

    assert "moon.rose" in html
    assert "Mond" in html


def test_cannot_be_changed(client, people, entry):
    client.force_login(people.bob)

    assert (
        client.post(reverse("admin:journal_entry_change", args=[entry.pk]), {"kind": "x"}).status_code == 403
    )
    assert (
        client.post(reverse("admin:journal_entry_delete", args=[entry.pk]), {"post": "yes"}).status_code
        == 403
    )
