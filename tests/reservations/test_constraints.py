"""The database refuses overlaps by itself, whatever wrote them; the guard is found missing and put back."""

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, connection, models, transaction

from reservations import constraints
from reservations.choices import OCCUPYING, State
from reservations.models import Job
from tests import factories

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db
needs_sqlite = pytest.mark.skipif(
    "connection.vendor != 'sqlite'", reason="SQLite rebuilds tables, others alter them"
)


@pytest.fixture
def owner(people):
    return people.alice


@pytest.fixture
def row(printer, owner, now):
    """A job row past all rules: hours after now, for so many hours, with so many minutes of buffer."""

    def make(start=1.0, hours=1.0, state=State.BOOKED, buffer=0, at=printer):
        ends_at = now + (start + hours) * HOUR
        return Job(
            printer=at,
            owner=owner,
            starts_at=now + start * HOUR,
            ends_at=ends_at,
            occupied_until=ends_at + buffer * MINUTE,
            state=state,
            channel="web",
            created_at=now,
            changed_at=now,
        )

    return make


def put(*rows):
    with transaction.atomic():
        return Job.objects.bulk_create(rows)


def refuses(*rows):
    """Whether the database says no. Its own word, not a rule's."""
    try:
        put(*rows)
    except IntegrityError:
        return True
    return False


def guard_is_found_missing():
    return "reservations.E001" in {found.id for found in run_checks(databases=["default"])}


@pytest.mark.parametrize("state", OCCUPYING)
@pytest.mark.parametrize("other", OCCUPYING)
def test_two_occupying_jobs_never_overlap(row, state, other):
    put(row(state=state))
    assert refuses(row(start=1.5, state=other))


@pytest.mark.parametrize(
    ("start", "hours"),
    [(1, 1), (0.5, 1), (1.5, 1), (1.25, 0.5), (0.5, 2), (1.999, 1), (0.5, 0.501)],
    ids=["same", "from before", "beyond", "within", "around", "its last seconds", "its first seconds"],
)
def test_every_kind_of_overlap_is_refused(row, start, hours):
    put(row())
    assert refuses(row(start, hours))


def test_touching_windows_are_fine(row):
    put(row(), row(start=2), row(start=0, hours=1))
    assert Job.objects.count() == 3


def test_another_machine_is_free(row):
    put(row(), row(at=factories.PrinterFactory()))
    assert Job.objects.count() == 2


def test_the_buffer_belongs_to_the_window(row):
    put(row(buffer=30))
    assert refuses(row(start=2.25))
    assert refuses(row(start=0, hours=0.75, buffer=16))
    put(row(start=2.5), row(start=0, hours=0.75, buffer=15))


@pytest.mark.parametrize("state", [state for state in State if state not in OCCUPYING])
def test_what_is_over_is_not_in_the_way(row, state):
    put(row(state=state))
    put(row(), row(state=state))
    assert Job.objects.count() == 3


def test_two_rows_of_one_statement_are_compared_too(row):
    assert refuses(row(), row(start=1.5))
    assert not Job.objects.exists()


def test_raw_sql_is_refused_too(row):
    job = put(row())[0]
    columns = ", ".join(
        connection.ops.quote_name(f.column) for f in Job._meta.concrete_fields if not f.primary_key
    )
    again = (
        f"INSERT INTO {constraints.TABLE} ({columns}) SELECT {columns} FROM {constraints.TABLE} WHERE id = %s"
    )
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(again, [job.pk])
    assert Job.objects.count() == 1


@pytest.mark.parametrize("change", ["state", "starts_at", "occupied_until", "printer"])
def test_an_update_into_an_overlap_is_refused(row, now, change):
    first, other = row(), row(start=3, at=factories.PrinterFactory())
    changes = {
        "state": {"state": State.BOOKED},
        "starts_at": {"starts_at": now + 1.5 * HOUR},
        "occupied_until": {"occupied_until": now + 3.5 * HOUR},
        "printer": {"printer": first.printer},
    }[change]
    if change == "state":
        other = row(state=State.CANCELLED)
    elif change == "starts_at":
        other = row(start=2)
    elif change == "occupied_until":
        other, first = row(), row(start=3)
    else:
        other.starts_at = now + 1.5 * HOUR
    put(first, other)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=other.pk).update(**changes)
    other.refresh_from_db()
    assert all(getattr(other, name) != value for name, value in changes.items())


def test_an_update_that_stays_clear_is_fine(row, now):
    job = put(row(), row(start=3))[0]
    Job.objects.filter(pk=job.pk).update(ends_at=now + 2.5 * HOUR, occupied_until=now + 3 * HOUR)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, title="Bracket")
    job.refresh_from_db()
    assert (job.state, job.title) == ("running", "Bracket")


def test_the_database_knows_forward_from_backward(row):
    assert refuses(row(hours=0))
    assert refuses(row(buffer=-1))


def test_the_guard_stands_and_the_check_is_content():
    assert constraints.is_installed(connection)
    assert not guard_is_found_missing()


def test_a_lost_guard_is_found_and_migrate_puts_it_back(row):
    constraints.remove(connection)
    assert guard_is_found_missing()
    with pytest.raises(SystemCheckError, match=r"reservations\.E001"):
        call_command("check", database=["default"])
    with transaction.atomic():
        Job.objects.bulk_create([row(), row()])  # this is what it would mean
        Job.objects.all()._raw_delete("default")
        connection.check_constraints()
    call_command("migrate", verbosity=0)
    assert not guard_is_found_missing()
    put(row())
    assert refuses(row())


def test_half_a_guard_is_no_guard():
    if connection.vendor != "sqlite":
        pytest.skip("one constraint cannot be half there")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {constraints.NAME}_update")
    assert guard_is_found_missing()
    constraints.install(connection)
    assert not guard_is_found_missing()


def test_installing_twice_is_installing_once():
    constraints.install(connection)
    constraints.install(connection)
    assert constraints.is_installed(connection)


def test_without_the_table_there_is_nothing_to_guard(monkeypatch):
    """Before the first migration nothing is missing, and nothing fails."""
    monkeypatch.setattr(connection.introspection, "table_names", lambda *args, **kwargs: [])
    constraints.remove(connection)
    constraints.reinstall_when_missing(sender=None, using="default")
    assert not guard_is_found_missing()
    assert not constraints.is_installed(connection)


@pytest.mark.django_db(transaction=True)
@needs_sqlite
def test_a_table_rebuild_drops_the_triggers_and_they_come_back(row):
    """What a later migration would do without a word."""
    old = Job._meta.get_field("title")
    new = models.CharField(max_length=121, blank=True)
    new.set_attributes_from_name("title")
    new.model = Job
    try:
        with connection.schema_editor() as editor:
            editor.alter_field(Job, old, new)
        assert not constraints.is_installed(connection)
        assert guard_is_found_missing()
        constraints.reinstall_when_missing(sender=None, using="default")
        put(row())
        assert refuses(row())
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(Job, new, old)
        constraints.install(connection)


@pytest.mark.django_db(transaction=True)
def test_the_migration_goes_back_and_forth():
    try:
        call_command("migrate", "reservations", "0001", verbosity=0)
        # The receiver of post_migrate has put back at once what the migration took away: the table stands.
        assert constraints.is_installed(connection)
        constraints.remove(connection)
    finally:
        call_command("migrate", verbosity=0)
    assert constraints.is_installed(connection)
    assert "overlap" in constraints.NoOverlap().describe().lower()
