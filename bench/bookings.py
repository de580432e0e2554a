"""How many bookings a second come through the web pages, and how long one takes.

Eight people at eight browsers book as fast as they are answered, each a slot of their own. The whole product
runs: every booking is judged by all rules, planned, journalled, and on the disk before it is confirmed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Barrier, Thread
from time import monotonic

from django.db import connection

from bench import furnishing
from bench.browser import Browser
from bench.inside import Order
from bench.product import Product, serving
from bench.report import Result
from core import clock
from printers.models import Printer

CLIENTS, MACHINES = 8, 10
STEP = timedelta(minutes=15)


@dataclass(slots=True)
class Client:
    """One person's afternoon. ``failures`` holds the status and the beginning of every other answer."""

    username: str
    slots: Iterator[tuple[int, datetime]]
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    def work(self, product: Product, start: Barrier, lasts: float) -> None:
        """Log in, wait for the others, book until the time is over."""
        with Browser(product.port) as browser:
            try:
                browser.log_in(self.username)
            except (OSError, RuntimeError) as error:
                self.failures.append(str(error))
                start.abort()
                return
            start.wait(60)
            self.began = monotonic()
            for printer_id, at in self.slots:
                self._book(browser, printer_id, at)
                if monotonic() - self.began > lasts:
                    break
            self.ended = monotonic()

    def _book(self, browser: Browser, printer_id: int, at: datetime) -> None:
        fields = {
            "begin": "at",
            "starts_at": at.isoformat(),
            "length": "15",
            "ends_at": "",
            "title": "bench",
            "note": "",
        }
        asked = monotonic()
        status, place, body = browser.post(f"/printers/{printer_id}/book", fields)
        self.seconds.append(monotonic() - asked)
        if (status, place) != (302, "/jobs"):
            self.failures.append(f"{status} {place} {body[:200]!r}")
        browser.forget("messages")


def run(order: Order) -> Result:
    """Measure."""
    lasts = 2.0 if order.is_quick else 20.0
    furnishing.migrate()
    people = furnishing.people(CLIENTS)
    printers = furnishing.machines([None] * MACHINES)
    clients = [Client(person.username, _slots(printers, number)) for number, person in enumerate(people)]
    with serving() as product:
        start = Barrier(CLIENTS)
        threads = [Thread(target=client.work, args=(product, start, lasts)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    return _result(clients)


def _slots(printers: list[Printer], number: int) -> Iterator[tuple[int, datetime]]:
    """This client's share of all quarter hours from tomorrow on, over all machines in turn."""
    tomorrow = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    slots_each = (printers[0].horizon_days - 2) * (timedelta(days=1) // STEP)
    for index in range(number, slots_each * len(printers), CLIENTS):
        yield printers[index % len(printers)].pk, tomorrow + index // len(printers) * STEP


def _result(clients: list[Client]) -> Result:
    times = [1000 * each for client in clients for each in client.seconds]
    failures = [failure for client in clients for failure in client.failures]
    lasted = max(c.ended for c in clients) - min(c.began for c in clients)
    booked = len(times) - len(failures)
    result = Result(f"bookings over HTTP, {CLIENTS} clients, {MACHINES} machines")
    result.add("bookings", booked)
    result.add("bookings per second", booked / lasted if lasted else 0.0, "/s")
    result.add_spread("response", times, "ms")
    result.add("answers that were no confirmation", len(failures), "", 0)
    result.add(
        "confirmed but not in the database", booked - _count("SELECT count(*) FROM reservations_job"), "", 0
    )
    result.add("pairs of jobs that overlap", _count(_OVERLAPS), "", 0)
    result.notes += [f"not booked: {failure}" for failure in failures[:3]]
    return result


_OVERLAPS = """
SELECT count(*) FROM reservations_job a JOIN reservations_job b
ON a.printer_id = b.printer_id AND a.id < b.id AND a.starts_at < b.occupied_until AND b.starts_at < a.occupied_until
"""


def _count(question: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(question)
        found: int = cursor.fetchone()[0]
    return found
