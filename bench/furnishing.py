"""An empty database gets people, machines, plugs and jobs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection, transaction

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.models import User
from core import clock
from core.actor import SYSTEM
from plugs.domain.registering import save_plug
from plugs.models import SmartPlug
from printers.domain.keeping import save_printer
from printers.models import Printer
from simulation.spec import PlugSpec

PASSWORD = "only-for-the-bench"  # noqa: S105 - of a scratch database

COLUMNS = (
    "printer_id", "owner_id", "title", "note", "starts_at", "ends_at", "occupied_until", "state", "started_at",
    "finished_at", "closed_reason", "waived", "waived_reason", "created_by_id", "channel", "created_at", "changed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlainJob:
    """A booked job at any second; the door would insist on the machine's grid."""

    printer_id: int
    starts_at: datetime
    ends_at: datetime


def migrate() -> None:
    """An empty database with all tables."""
    call_command("migrate", verbosity=0)


@transaction.atomic
def people(count: int) -> list[User]:
    """Trainees with one password."""
    password = make_password(PASSWORD)
    made = []
    for number in range(count):
        user = User(username=f"person-{number}", first_name=f"Person {number}", password=password)
        user.save()
        give_role(user, Role.TRAINEE)
        made.append(user)
    return made


@transaction.atomic
def machines(addresses: Iterable[str | None]) -> list[Printer]:
    """One machine per address, with a plug there; None: a machine without a plug. Off at the very end of a job."""
    now = clock.now()
    made = []
    for number, address in enumerate(addresses):
        plug = None
        if address is not None:
            account = PlugSpec(name="")
            plug = SmartPlug(
                name=f"Plug {number}", address=address, username=account.username, password=account.password
            )
            save_plug(plug, changed=[], actor=SYSTEM, now=now)
        # 30 W: a printer that has just got power draws 15 W, and would not be cut while it counts as working
        printer = Printer(name=f"Machine {number}", plug=plug, cool_down_minutes=0, idle_below_w=30)
        made.append(save_printer(printer, changed=[], actor=SYSTEM, now=now))
    return made


@transaction.atomic
def insert_jobs(jobs: Sequence[PlainJob], owner: User, now: datetime) -> None:
    """Write booked jobs past the door."""
    adapt = connection.ops.adapt_datetimefield_value
    at = adapt(now)
    rows = []
    for job in jobs:
        start, until = adapt(job.starts_at), adapt(job.ends_at)
        window = (start, until, until, "booked", None, None)
        rows.append((job.printer_id, owner.pk, "", "", *window, "", "[]", "", None, "system", at, at))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO reservations_job ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})",  # noqa: S608 - our own names
            rows,
        )
