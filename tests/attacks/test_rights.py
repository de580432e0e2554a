"""Reaching for what is not one's own: other people's things, and fields that nobody offered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.conftest import PASSWORD, Target, Visitor
from tests.routes import Route, routes

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# What a trainee may read of things that are not their own: machines are everybody's.
READABLE = ("api/printers", "api/calendar/printers", "api/qualifications", "api/locations")
# A person's own affairs; the id in them, if any, is of a thing of theirs.
ENTRANCE = ("api/auth/", "auth/", "api/schema", "api/docs", "<var>")
WHAT_MATTERS = (
    "SELECT id, username, email, password, is_staff, is_superuser, is_active, first_name FROM accounts_user",
    "SELECT * FROM accounts_user_groups",
    "SELECT * FROM accounts_personaltoken",
    "SELECT * FROM accounts_grant",
    "SELECT * FROM accounts_qualification",
    "SELECT * FROM printers_printer",
    "SELECT * FROM printers_location",
    "SELECT * FROM plugs_smartplug",
    "SELECT * FROM reservations_bookinglimits",
    "SELECT is_running FROM core_schedulerstate",
    "SELECT id, owner_id, printer_id, title, note, waived, created_by_id FROM reservations_job",
    "SELECT plug_id, override_on FROM plugs_plugstate",
)


def everything(target: Target) -> str:
    return json.dumps([sorted(target.rows(sql), key=str) for sql in WHAT_MATTERS], default=str)


@pytest.fixture
def foreign(target: Target) -> dict[str, list[int]]:
    """Ids of things that are not Ben's, by the first part of the address."""
    (ben,) = target.rows("SELECT id FROM accounts_user WHERE username = 'ben'")[0]
    jobs = target.rows("SELECT MAX(id) FROM reservations_job WHERE owner_id <> ? GROUP BY state", ben)
    people = target.rows("SELECT id FROM accounts_user WHERE username IN ('admin', 'trainer', 'alice')")
    return {"jobs": [row[0] for row in jobs], "users": [row[0] for row in people]}


@pytest.fixture
def ben(target: Target) -> Iterator[Visitor]:
    """A trainee who tries everything; afterwards nothing that matters has changed."""
    person = target.person("ben")
    before = everything(target)
    yield person
    assert everything(target) == before


def ids(route: Route, foreign: dict[str, list[int]]) -> list[int]:
    for name, found in foreign.items():
        if f"{name}/<" in route.route:
            return found
    return [1, 2]


def order_for(path: str) -> dict[str, Any]:
    """A body that would be in order, so that it is not the form that is refused."""
    if path.endswith("/move"):
        return {"starts_at": "2030-01-01T10:00:00Z", "ends_at": "2030-01-01T11:00:00Z"}
    if path.endswith("/extend"):
        return {"minutes": 30}
    if path.endswith("/switch"):
        return {"on": True, "reason": "x"}
    return {"title": "x", "reason": "x"}


class TestATrainee:
    """Each call against each object that is not theirs: 403 or 404, or off to the log-in of the trainers."""

    def test_on_the_pages(self, target: Target, ben: Visitor, foreign: dict[str, list[int]]) -> None:
        verbs = ("start", "finish", "cancel", "approve", "refuse", "abort", "extend", "nonsense")
        for job in foreign["jobs"]:
            assert ben.get(f"/jobs/{job}").status_code == 404
            for verb in verbs:
                answer = ben.submit(
                    f"/jobs/{job}/{verb}", {"reason": "x", "by": "30", "waive_reason": "because"}
                )
                assert answer.status_code == 404, (job, verb)
        for owner in foreign["users"]:
            data = {"begin": "now", "length": "60", "owner": str(owner)}
            assert ben.submit("/printers/3/book", data).status_code == 403

    def test_in_the_admin(self, target: Target, ben: Visitor) -> None:
        for route in routes():
            if not route.route.startswith("admin/") or route.route in {"admin/logout/", "admin/login/"}:
                continue
            path = route.fill({"name": "test", "app_label": "accounts"})
            for answer in (
                ben.get(path),
                ben.submit(path, {"_save": "1", "post": "yes", "action": "delete_selected"}),
            ):
                assert answer.status_code in {302, 403, 404}, path
                if answer.status_code == 302:
                    assert answer.headers["Location"].startswith(("/accounts/", "/admin/login/")), path

    def test_in_the_api(self, target: Target, ben: Visitor, foreign: dict[str, list[int]]) -> None:
        tried = 0
        for route in routes():
            if (
                not route.route.startswith("api/")
                or "<" not in route.route
                or route.route.startswith(ENTRANCE)
            ):
                continue
            for number in ids(route, foreign):
                path = route.fill(dict.fromkeys(("pk", "id", "printer_pk"), number))
                for method in UNSAFE:
                    answer = ben.api(method, path, order_for(path))
                    assert answer.status_code in {401, 403, 404, 405}, (method, path, answer.text[:300])
                    tried += 1
                answer = ben.api("GET", path)
                if not route.route.startswith(READABLE):
                    assert answer.status_code in {401, 403, 404, 405}, (path, answer.text[:300])
        assert tried > 40

    def test_lists_of_the_api_hold_their_own_alone(self, target: Target, ben: Visitor) -> None:
        (me,) = target.rows("SELECT id FROM accounts_user WHERE username = 'ben'")[0]
        page: Any = ben.api("GET", "/api/jobs?page_size=100").json()
        assert page["results"]
        assert {job["owner"] for job in page["results"]} == {me}
        others = ben.api("GET", f"/api/jobs?owner={me + 1}")
        assert others.status_code in {400, 403} or others.json()["results"] == []
        for path in ("/api/plugs", "/api/commands", "/api/readings", "/api/users"):
            answer = ben.api("GET", path)
            assert answer.status_code in {403, 404} or not answer.json()["results"], path
        mine = {
            f"job:{row[0]}" for row in target.rows("SELECT id FROM reservations_job WHERE owner_id = ?", me)
        }
        told = ben.api("GET", "/api/journal?page_size=100").json()["results"]
        assert told
        assert {entry["subject"] for entry in told} <= mine | {f"user:{me}"}

    def test_by_calling_themselves_something_else(self, target: Target, ben: Visitor) -> None:
        for headers in (
            {"X-HTTP-Method-Override": "DELETE"},
            {"X-User": "admin"},
            {"Remote-User": "admin"},
            {"X-Forwarded-User": "admin"},
            {"X-Original-URL": "/admin/"},
            {"X-Rewrite-URL": "/admin/"},
            {"Authorization": "Basic YWRtaW46"},
            {"Authorization": "Bearer myp_admin"},
            {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."},
            {"Cookie": "sessionid=; is_staff=1; role=administrator"},
        ):
            visitor = target.visitor()
            assert visitor.get("/admin/", headers=headers).status_code == 302, headers
            assert visitor.get("/api/jobs", headers=headers).status_code in {401, 403}, headers


class TestFieldsNobodyOffered:
    """Mass assignment: what a form or the API does not offer is not taken from the request either."""

    EXTRA = {
        "state": "running",
        "owner": None,  # filled in
        "created_by": 1,
        "created_at": "2000-01-01T00:00:00Z",
        "waived": ["everything"],
        "waived_reason": "because I can",
        "waive_reason": "because I can",
        "channel": "system",
        "started_at": "2000-01-01T00:00:00Z",
        "id": 1,
        "is_staff": True,
        "is_superuser": True,
        "role": "administrator",
    }

    def test_of_a_new_job(self, target: Target) -> None:
        ben = target.person("ben")
        me = target.rows("SELECT id FROM accounts_user WHERE username = 'ben'")[0][0]
        free = self.free_slot(target, 3)
        order = {**self.EXTRA, "owner": me, "printer": 3, "starts_at": free, "minutes": 30, "title": "mass"}

        answer = ben.api("POST", "/api/jobs", order)

        assert answer.status_code in {201, 403, 409}, answer.text
        if answer.status_code != 201:  # whoever may not waive is told so
            order.pop("waive_reason")
            answer = ben.api("POST", "/api/jobs", order)
        assert answer.status_code == 201, answer.text
        job = answer.json()
        found = target.rows(
            "SELECT state, owner_id, created_by_id, waived, waived_reason, channel, started_at, created_at > '2020'"
            " FROM reservations_job WHERE id = ?",
            job["id"],
        )[0]
        assert found == ("booked", me, me, "[]", "", "api", None, 1)
        answer = ben.api("PATCH", f"/api/jobs/{job['id']}", {**self.EXTRA, "owner": 1, "title": "patched"})
        row = target.rows(
            "SELECT state, owner_id, created_by_id, waived FROM reservations_job WHERE id = ?", job["id"]
        )
        assert row == [("booked", me, me, "[]")]
        assert ben.api("POST", f"/api/jobs/{job['id']}/cancel", {}).status_code == 200

    def test_for_somebody_else(self, target: Target) -> None:
        order = {"printer": 3, "minutes": 30, "starts_at": self.free_slot(target, 3), "owner": 1}
        assert target.person("ben").api("POST", "/api/jobs", order).status_code in {403, 409}

    def test_of_oneself(self, target: Target) -> None:
        ben = target.person("ben")
        before = everything(target)
        for path in ("/api/me", "/api/users/me"):
            for method in ("PATCH", "PUT", "POST"):
                ben.api(
                    method, path, {**self.EXTRA, "groups": [1, 2, 3], "password": "x", "username": "admin"}
                )
        assert everything(target) == before

    def test_a_trainer_makes_no_administrators(self, target: Target) -> None:
        trainer = target.person("trainer")
        power = {
            "role": "administrator", "is_superuser": "on", "is_staff": "on", "groups": "3", "user_permissions": "1",
        }  # fmt: skip
        form = {
            "username": "mallory", "first_name": "M", "last_name": "M", "email": "m@example.org",
            "password1": "a-Long-Secret-77", "password2": "a-Long-Secret-77", "start": "link",
        }  # fmt: skip
        trainer.submit("/admin/accounts/user/add/", {**form, **power})
        new = target.rows("SELECT id FROM accounts_user WHERE username = 'mallory'")
        assert new, "a trainer makes trainees"
        trainer.submit(f"/admin/accounts/user/{new[0][0]}/change/", {**form, **power, "is_active": "on"})
        for body in (
            {**power, "username": "mallory2"},
            {**power, "username": "mallory2", "password": "a-Long-Secret-77"},
        ):
            trainer.api("POST", "/api/users", {**body, "is_superuser": True, "is_staff": True})
        trainer.api("PATCH", f"/api/users/{new[0][0]}", {**power, "is_superuser": True, "is_staff": True})

        made = target.rows(
            "SELECT u.is_staff, u.is_superuser, g.name FROM accounts_user u"
            " LEFT JOIN accounts_user_groups m ON m.user_id = u.id LEFT JOIN auth_group g ON g.id = m.group_id"
            " WHERE u.username LIKE 'mallory%'"
        )
        assert {row[:2] for row in made} == {(0, 0)}
        assert {row[2] for row in made} == {"trainee"}
        assert target.rows("SELECT COUNT(*) FROM accounts_user_user_permissions") == [(0,)]

    def test_a_trainer_does_not_touch_those_above(self, target: Target) -> None:
        trainer = target.person("trainer")
        before = everything(target)
        (admin,) = target.rows("SELECT id FROM accounts_user WHERE username = 'admin'")[0]
        for path in (f"/admin/accounts/user/{admin}/change/", f"/admin/accounts/user/{admin}/delete/"):
            form = {"username": "admin", "email": "thief@example.org", "post": "yes"}
            assert trainer.submit(path, form).status_code in {302, 403}
        for route in routes():
            if route.route.startswith("admin/accounts/user/<") and "/do/" in route.route:
                for verb in (
                    "deactivate",
                    "one-time-link",
                    "password",
                    "unlock",
                    "reset-second-factor",
                    "log-out",
                ):
                    answer = trainer.submit(route.fill({"object_id": admin, "name": verb}), {"reason": "x"})
                    assert answer.status_code in {403, 404}, verb
        for method in UNSAFE:
            answer = trainer.api(
                method, f"/api/users/{admin}", {"email": "thief@example.org", "is_active": False}
            )
            assert answer.status_code in {403, 404, 405}
        assert everything(target) == before
        assert target.person("admin", anew=True).get("/admin/").status_code == 200

    @staticmethod
    def free_slot(target: Target, printer: int) -> str:
        """An hour far ahead in which nobody has booked."""
        return target.run(
            "from core.clock import now\nfrom datetime import timedelta\n"
            "from reservations.models import Job\n"
            f"last = Job.objects.filter(printer_id={printer}).latest('ends_at').ends_at\n"
            "at = max(last, now()) + timedelta(days=1)\n"
            "out = at.replace(hour=10, minute=0, second=0, microsecond=0).isoformat()"
        )


def test_the_password_of_the_demo_is_not_the_attack(target: Target) -> None:
    """All attacks above start from a session that a password has opened; without it there is none."""
    assert target.visitor().log_in("ben", PASSWORD + "x").status_code != 302
