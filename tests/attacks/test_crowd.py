"""A18: ten people at once, doing in a minute what people do in ten, without a wrong result."""

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.clock import now
from tests.attacks.conftest import Target, Visitor

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

PEOPLE = [f"crowd{n}" for n in range(10)]
DEEDS_EACH = 45  # somebody who does something every 13 seconds for ten minutes
OCCUPYING = "('pending', 'booked', 'running')"


@dataclass
class Person:
    """One of the ten, and what the product has told them."""

    name: str
    visitor: Visitor
    chance: random.Random
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, deed: str, answer: Any, *allowed: int) -> Any:
        self.statuses[deed, answer.status_code] += 1
        if answer.status_code not in allowed:
            self.wrong.append(f"{deed}: {answer.status_code} {answer.text[:300]}")
        if answer.status_code == 409 and "json" in answer.headers["Content-Type"]:
            errors = answer.json()["errors"]
            if not errors or not all(error["code"] and error["message"] for error in errors):
                self.wrong.append(f"{deed}: refused without a reason")
        return answer

    def look(self) -> None:
        for path in (
            "/",
            f"/printers/{self.chance.randint(1, 5)}",
            "/jobs",
            "/_machines",
            "/api/printers",
            "/api/jobs",
        ):
            self.note("look", self.visitor.get(path), 200, 204)

    def book(self) -> None:
        """All want the same two hours, on few machines: most of it has to be refused."""
        start = self.slot()
        order = {
            "printer": self.chance.randint(1, 4),
            "starts_at": start.isoformat(),
            "minutes": self.chance.choice([15, 30, 45]),
            "title": f"{self.name} {self.chance.random()}",
        }
        answer = self.note("book", self.visitor.api("POST", "/api/jobs", order), 201, 409)
        if answer.status_code == 201:
            self.jobs[answer.json()["id"]] = answer.json()

    def book_on_the_page(self) -> None:
        data = {
            "begin": "at",
            "starts_at": self.slot().strftime("%Y-%m-%dT%H:%M"),
            "length": "30",
            "title": self.name,
        }
        answer = self.visitor.submit(f"/printers/{self.chance.randint(1, 4)}/book", data)
        self.note("book on the page", answer, 302, 409)
        if answer.status_code == 409 and "error" not in answer.text:
            self.wrong.append("refused on the page without a reason")

    def book_now(self) -> None:
        order = {"printer": self.chance.randint(1, 4), "minutes": 15, "title": f"{self.name} now"}
        answer = self.note("book now", self.visitor.api("POST", "/api/jobs", order), 201, 409)
        if answer.status_code == 201:
            self.jobs[answer.json()["id"]] = answer.json()

    def extend(self) -> None:
        if job := self.any_job():
            answer = self.visitor.api("POST", f"/api/jobs/{job}/extend", {"minutes": 15})
            if self.note("extend", answer, 200, 409).status_code == 200:
                self.jobs[job] = answer.json()

    def move(self) -> None:
        if job := self.any_job():
            start = self.slot()
            body = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(minutes=30)).isoformat()}
            answer = self.visitor.api("POST", f"/api/jobs/{job}/move", body)
            if self.note("move", answer, 200, 409).status_code == 200:
                self.jobs[job] = answer.json()

    def cancel(self) -> None:
        if job := self.any_job():
            answer = self.visitor.api("POST", f"/api/jobs/{job}/cancel", {})
            if self.note("cancel", answer, 200, 409).status_code == 200:
                self.jobs[job] = answer.json()

    def finish(self) -> None:
        if job := self.any_job():
            answer = self.visitor.api("POST", f"/api/jobs/{job}/finish", {})
            if self.note("finish", answer, 200, 409).status_code == 200:
                self.jobs[job] = answer.json()

    def any_job(self) -> int:
        return self.chance.choice(list(self.jobs)) if self.jobs else 0

    def slot(self) -> datetime:
        """One of eight quarters, tomorrow week at ten."""
        day = (now() + timedelta(days=8)).replace(hour=9, minute=0, second=0, microsecond=0)
        return day + timedelta(minutes=15 * self.chance.randrange(8))

    def live(self) -> None:
        deeds = [self.look, self.book, self.book, self.book_on_the_page, self.book_now]
        deeds += [self.extend, self.move, self.cancel, self.finish]
        for _n in range(DEEDS_EACH):
            self.chance.choice(deeds)()


@pytest.fixture
def crowd(target: Target) -> list[Person]:
    target.run(
        "from accounts.models import User\nfrom accounts.choices import Role\n"
        "from accounts.domain.roles import give_role\n"
        f"for name in {PEOPLE!r}:\n"
        f"    give_role(User.objects.create_user(name), Role.TRAINEE)\n"
        "from reservations.models import BookingLimits\n"
        "BookingLimits.objects.update(open_jobs=None, week_hours=None)\nout = 1"
    )
    target.let_in(PEOPLE)
    return [Person(name, target.person(name), random.Random(n)) for n, name in enumerate(PEOPLE)]


def test_ten_people_at_once(target: Target, crowd: list[Person]) -> None:
    threads = [threading.Thread(target=person.live) for person in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [said for person in crowd for said in person.wrong] == []
    done = sum((person.statuses for person in crowd), Counter())
    assert done["book", 201] > 10, done
    assert done["book", 409] > 10, done  # they did get in each other's way

    # No two on a machine at once, whatever they did.
    assert (
        target.rows(
            "SELECT a.id, b.id FROM reservations_job a JOIN reservations_job b ON a.printer_id = b.printer_id"
            " AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at"
            f" WHERE a.state IN {OCCUPYING} AND b.state IN {OCCUPYING}"
        )
        == []
    )
    told = {number: job for person in crowd for number, job in person.jobs.items()}
    self_check(target, crowd, told)


def self_check(target: Target, crowd: list[Person], told: dict[int, dict[str, Any]]) -> None:
    """Everything that was promised is there, as it was last promised, and the journal says the same."""
    columns = "id, printer_id, title, state, starts_at, ends_at"
    marks = ",".join("?" * len(PEOPLE))
    rows = target.rows(
        f"SELECT {columns} FROM reservations_job WHERE owner_id IN"
        f" (SELECT id FROM accounts_user WHERE username IN ({marks}))",
        *PEOPLE,
    )
    found = {row[0]: row for row in rows}
    on_pages = sum(person.statuses["book on the page", 302] for person in crowd)
    assert len(found) == len(told) + on_pages
    for number, job in told.items():
        row = found[number]
        assert row[1:3] == (job["printer"], job["title"])
        assert row[3] == job["state"] or (job["state"], row[3]) in {
            ("booked", "running"),
            ("running", "done"),
        }
        if job["state"] not in {"done", "cancelled"}:
            assert stamp(row[4]) == stamp(job["starts_at"])
            assert stamp(row[5]) == stamp(job["ends_at"])
    journal = Counter(
        kind
        for number in found
        for (kind,) in target.rows("SELECT kind FROM journal_entry WHERE subject = ?", f"job:{number}")
    )
    counted = sum((person.statuses for person in crowd), Counter())
    assert journal["job.booked"] == len(found)
    assert journal["job.cancelled"] == counted["cancel", 200]
    assert journal["job.moved"] == counted["move", 200] + counted["extend", 200]
    assert journal["job.finished"] == counted["finish", 200]


def stamp(text: str) -> str:
    """An instant to the second, in UTC, however it was written."""
    text = re.sub(r"\.\d+", "", text)
    at = datetime.fromisoformat(text if re.search(r"(Z|[+-]\d\d:\d\d)$", text) else text + "+00:00")
    return f"{at.timestamp():.0f}"
