"""People leave while they act: ``python -m tests.processes.leaving --database sqlite``.

Each round, from processes of their own and at the same instant: a trainer switches Alice off while she books three
machines and makes a token; and two administrators take each other's role. Prints one line of JSON.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import django

from tests.processes.databases import fresh_database

PATIENCE = 60.0  # seconds one round may take at most


def main() -> int:
    """Set Django up on a fresh database, race, print what happened."""
    parser = argparse.ArgumentParser(prog="leaving", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, or the URL of a PostgreSQL server")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="myp-leaving-") as directory:
        is_file = options.database == "sqlite"
        place = (
            nullcontext(f"sqlite:///{directory}/race.sqlite3")
            if is_file
            else fresh_database(options.database)
        )
        with place as url:
            os.environ.update(
                DJANGO_SETTINGS_MODULE="myp_project.settings_test",
                MYP_DATABASE_URL=url,
                MYP_DATA_DIR=directory,
                MYP_LOG_LEVEL="WARNING",
            )
            django.setup()
            told = race(options.rounds)
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def race(rounds: int) -> dict[str, Any]:
    """Migrate, make people and machines, race, count after each round."""
    from django.core.management import call_command  # noqa: PLC0415 - models exist only from here on
    from django.db import connection, connections  # noqa: PLC0415

    from accounts.choices import Role, Scope  # noqa: PLC0415
    from accounts.domain import people, tokens  # noqa: PLC0415
    from accounts.models import PersonalToken, User  # noqa: PLC0415
    from core import clock  # noqa: PLC0415
    from core.actor import SYSTEM, Actor, Channel  # noqa: PLC0415
    from reservations.choices import State  # noqa: PLC0415
    from reservations.domain import booking  # noqa: PLC0415
    from reservations.domain.booking import Wish  # noqa: PLC0415
    from reservations.models import Job  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    alice, bob = factories.TraineeFactory(username="alice"), factories.TrainerFactory(username="bob")
    ann, ada = (factories.TraineeFactory(username=name, role=Role.ADMINISTRATOR) for name in ("ann", "ada"))
    machines = [factories.PrinterFactory(horizon_days=400).pk for _number in range(3)]
    herself, trainer = Actor(alice.pk, Channel.WEB), Actor(bob.pk, Channel.ADMIN)
    vendor = connection.vendor
    tomorrow = (clock.now() + timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)

    def booker(machine: int) -> Callable[[int], object]:
        def book(number: int) -> object:
            begin = tomorrow + timedelta(days=number)
            return booking.book(Wish(machine, alice.pk, begin + timedelta(hours=1), begin), actor=herself)

        return book

    def demote(by: User, whom: User) -> Callable[[int], object]:
        actor = Actor(by.pk, Channel.ADMIN)
        return lambda number: people.change_person(whom.pk, {"role": Role.TRAINEE}, actor=actor)

    acts: dict[str, Callable[[int], object]] = {
        "off": lambda number: people.deactivate(alice.pk, actor=trainer),
        **{f"book{machine}": booker(machine) for machine in machines},
        "token": lambda number: tokens.issue(alice.pk, f"n{number}", Scope.READ, None, actor=herself),
        "ann": demote(ann, ada),
        "ada": demote(ada, ann),
    }
    seen: Counter[str] = Counter()
    alive = [State.PENDING, State.BOOKED, State.RUNNING]
    for number in range(rounds):
        connections.close_all()
        seen.update(_at_once(acts, number))
        seen["jobs left"] += Job.objects.filter(owner=alice, state__in=alive).count()
        seen["tokens left"] += PersonalToken.objects.count()
        seen["still active"] += User.objects.filter(pk=alice.pk, is_active=True).count()
        seen["without administrator"] += not User.objects.filter(groups__name="administrator").exists()
        people.reactivate(alice.pk, actor=SYSTEM)
        for person in (ann, ada):
            people.change_person(person.pk, {"role": Role.ADMINISTRATOR}, actor=SYSTEM)
    connections.close_all()
    return {"database": vendor, **seen}


def _at_once(acts: dict[str, Callable[[int], object]], number: int) -> Counter[str]:
    """Everybody in a process of their own, let go together; what each was told."""
    fork = multiprocessing.get_context("fork")
    gate, answers = fork.Barrier(len(acts)), fork.SimpleQueue()
    racers = [
        fork.Process(target=_act, args=(name, act, number, gate, answers)) for name, act in acts.items()
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(PATIENCE)
    told: Counter[str] = Counter()
    while not answers.empty():
        told[answers.get()] += 1
    return told


def _act(name: str, act: Callable[[int], object], number: int, gate: Any, answers: Any) -> None:
    from core.errors import Refused  # noqa: PLC0415

    kind = name.rstrip("0123456789")
    gate.wait(PATIENCE)
    try:
        act(number)
        answers.put(f"{kind} done")
    except Refused as no:
        answers.put(f"{kind} refused: {','.join(no.codes)}")
    except Exception as error:  # noqa: BLE001 - told, and then it fails the test
        answers.put(f"error: {name} {error!r}")


if __name__ == "__main__":
    sys.exit(main())
