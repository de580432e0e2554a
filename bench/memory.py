"""How much memory the whole product takes: proportional set size, idle and after load.

Shared pages count in proportion, so the sum over all processes is what the machine really gives.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import sleep

from django.conf import settings

from accounts.models import User
from bench import furnishing
from bench.browser import Browser
from bench.inside import Order
from bench.product import Product, plug_specs, serving, simulating, wait_for
from bench.report import Result
from core import clock
from core.actor import SYSTEM
from core.supervision import processes
from plugs.domain.switching import override
from plugs.models import PlugCommand, PlugState, SmartPlug
from printers.models import Printer

PLUGS = 6
TARGET_MB = 250.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process takes, in MB: its share, what is its own alone, and what it shares with files."""

    part: str
    pss: float
    own: float
    files: float


def run(order: Order) -> Result:
    """Measure."""
    idle_for, views, switches = (3, 12, 6) if order.is_quick else (20, 200, 100)
    furnishing.migrate()
    specs = plug_specs(PLUGS)
    with simulating(specs) as simulator:
        printers = furnishing.machines(simulator.addresses[spec.name] for spec in specs)
        person = furnishing.people(1)[0]
        _book_ahead(printers, person)
        with serving() as product:
            sleep(idle_for)
            idle = _family(product)
            _browse(product, person.username, printers, views)
            _switch(switches)
            sleep(2 if order.is_quick else 10)
            loaded = _family(product)
            simulator_mb = _taken("simulator", simulator.process.pid).pss
    return _result(idle, loaded, simulator_mb, views, switches)


def _book_ahead(printers: Sequence[Printer], person: User) -> None:
    """Some jobs, so that the pages have something to show."""
    now = clock.now()
    jobs = [
        furnishing.PlainJob(printer.pk, start, start + timedelta(hours=2))
        for printer in printers
        for start in (now + timedelta(hours=3 + 5 * number) for number in range(10))
    ]
    furnishing.insert_jobs(jobs, person, now)


def _browse(product: Product, username: str, printers: Sequence[Printer], views: int) -> None:
    paths = ["/", "/jobs", "/_machines", *(printer.get_absolute_url() for printer in printers)]
    with Browser(product.port) as browser:
        browser.log_in(username)
        for number in range(views):
            path = paths[number % len(paths)]
            status, _place, _body = browser.get(path)
            if status != 200:
                raise RuntimeError(f"{path} answers {status}")


def _switch(count: int) -> None:
    """Every plug in turn on and off, as a trainer would by hand; each is waited for."""
    plugs = list(SmartPlug.objects.order_by("pk"))
    rounds, rest = divmod(count, len(plugs))
    for number in range(rounds + bool(rest)):
        turned = plugs if number < rounds else plugs[:rest]
        on = number % 2 == 0
        for plug in turned:
            override(plug, on=on, until=None, reason="bench", actor=SYSTEM, now=clock.now(), cut=True)
        ids = [plug.pk for plug in turned]
        wait_for(
            lambda ids=ids, on=on: PlugState.objects.filter(plug_id__in=ids, observed=on).count() == len(ids),  # type: ignore[misc]
            30,
            "the plugs to follow",
        )
    confirmed = PlugCommand.objects.filter(confirmed_at__isnull=False, reason="override").count()
    if confirmed < count:
        raise RuntimeError(f"{confirmed} of {count} switches confirmed")


def _family(product: Product) -> list[Taken]:
    """Every process of the product, under the name of the part it belongs to."""
    parents = {each.pid: each.parent for each in processes.descendants(product.process.pid)}
    names = {note["pid"]: name for name, note in _notes()}

    def part(pid: int) -> str:
        while pid not in names and pid in parents:
            pid = parents[pid]
        return names.get(pid, "supervisor")

    return [_taken(part(pid), pid) for pid in (product.process.pid, *parents)]


def _notes() -> list[tuple[str, dict[str, int]]]:
    """The supervisor's own record of its children."""
    directory = Path(settings.DATA_DIR) / "run"
    return [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in directory.glob("*.json")]


def _taken(part: str, pid: int) -> Taken:
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
        key, _, value = line.partition(":")
        sizes[key] = int(value.split()[0]) / 1024
    return Taken(
        part=part,
        pss=sizes["Pss"],
        own=sizes["Private_Clean"] + sizes["Private_Dirty"],
        files=sizes.get("Pss_File", 0.0),
    )


def _result(idle: list[Taken], loaded: list[Taken], simulator_mb: float, views: int, switches: int) -> Result:
    result = Result(
        f"memory (PSS) of {len(loaded)} processes, idle and after {views} pages and {switches} switches"
    )
    for when, family in (("idle", idle), ("after load", loaded)):
        parts: dict[str, list[Taken]] = defaultdict(list)
        for each in family:
            parts[each.part].append(each)
        for name, members in sorted(parts.items()):
            count = f" ({len(members)} processes)" if len(members) > 1 else ""
            result.add(f"{when}: {name}{count}", sum(each.pss for each in members), "MB")
        result.add(f"{when}: all together", sum(each.pss for each in family), "MB", TARGET_MB)
        result.add(f"{when}: of that shared with files", sum(each.files for each in family), "MB")
        result.details[when] = [
            {"part": e.part, "pss_mb": round(e.pss, 1), "own_mb": round(e.own, 1)} for e in family
        ]
    result.add("simulator (no part of the product)", simulator_mb, "MB")
    return result
