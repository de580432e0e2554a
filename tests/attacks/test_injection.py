"""Text that is code elsewhere: SQL, templates, commands, paths. It is kept as text, and comes back as text."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.attacks.conftest import Target, Visitor
from tests.routes import routes

pytestmark = [pytest.mark.processes, pytest.mark.filterwarnings("default")]

EVALUATED = "20011"  # what 141 * 141 + 130 is; no page says it by itself
TEXTS = [
    "' OR '1'='1",
    "'; DROP TABLE reservations_job; --",
    '" UNION SELECT password FROM accounts_user --',
    "1); ATTACH DATABASE '/tmp/x' AS x; --",
    "%' AND 1=randomblob(1000000000) --",
    "\\'; SELECT pg_sleep(30); --",
    "{{ 141*141 + 130 }}",
    "{{141*141|add:130}}{% debug %}",
    "{% load log %}{{ settings.SECRET_KEY }}",
    "${141*141+130} #{141*141+130} <%= 141*141+130 %>",
    "%(password)s %s %n {0.__class__} {user.password}",
    "$(sleep 20) `sleep 20` | sleep 20 ; sleep 20",
    "=141*141+130",
    "__import__('os').system('id')",
    "x\u202e\u0000y\ufffe\U0001f4a3",
    "a" * 20_000,
]
FILTERS = (
    "q", "page", "p", "o", "all", "e", "from", "for", "seen", "subject", "kind", "channel", "role", "health", "at__year",
    "owner", "printer", "state", "state__exact", "owner__password__startswith", "actor__password__contains",
    "plug__password", "ordering", "cursor", "limit", "page_size", "fields", "title", "starts_after", "ends_before",
    "search", "id__in", "day", "format", "next", "_changelist_filters", "_popup", "_to_field", "model_name",
)  # fmt: skip


def unharmed(answer: Any) -> None:
    assert answer.status_code < 500, answer.text[:300]
    assert EVALUATED not in answer.text
    assert "OperationalError" not in answer.text
    assert "MYP_SECRET_KEY" not in answer.text


def readable(before: str) -> list[str]:
    """Addresses without holes, and with the first row in them."""
    skipped = ("admin/logout", "accounts/logout", "auth/logout", "api/auth/logout")
    return [
        route.fill({"name": "test", "app_label": "core", "verb": "cancel"})
        for route in routes()
        if route.route.startswith(before) and not route.route.startswith(skipped)
    ]


@pytest.mark.parametrize("before", ["", "admin/", "api/"])
def test_in_every_filter_of_every_page(target: Target, before: str) -> None:
    """Every address gets every filter at once, and the texts in turn."""
    person = target.person("trainer")
    paths = readable(before)
    if not before:
        paths = [path for path in paths if not path.startswith(("/admin/", "/api/", "/auth/"))]
    for n, path in enumerate(paths):
        for text in (TEXTS[n % len(TEXTS)][:2000], TEXTS[(n + 6) % len(TEXTS)][:2000]):
            query = "&".join(f"{name}={quote(text)}" for name in FILTERS)
            unharmed(person.get(f"{path}?{query}"))


def test_each_filter_of_the_lists_alone(target: Target) -> None:
    """A list that refuses one filter would not have looked at the others."""
    person = target.person("trainer")
    for path in (
        "/admin/journal/entry/",
        "/admin/reservations/job/",
        "/admin/accounts/user/",
        "/api/jobs",
        "/",
    ):
        for n, name in enumerate(FILTERS):
            unharmed(person.get(path, params={name: TEXTS[n % len(TEXTS)][:2000]}))


def test_nobody_filters_by_what_is_secret(target: Target) -> None:
    """A list that can be filtered by a password's hash gives it away letter by letter."""
    person = target.person("trainer")
    for path in (
        "/admin/accounts/user/",
        "/admin/reservations/job/",
        "/admin/accounts/grant/",
        "/admin/plugs/smartplug/",
    ):
        for name in (
            "password__startswith",
            "owner__password__startswith",
            "user__password__regex",
            "password__contains",
        ):
            answer = person.get(path, params={name: "bcrypt"})
            assert answer.status_code in {302, 400, 403}, (path, name)
            assert "e=1" in answer.headers.get("Location", "e=1")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_in_every_text_of_a_job(target: Target, text: str) -> None:
    alice = target.person("alice")
    unharmed(
        alice.submit("/printers/2/book", {"begin": text, "starts_at": text, "length": text, "ends_at": text})
    )
    unharmed(alice.submit("/printers/2/book", {"begin": "now", "length": "15", "title": text, "note": text}))
    unharmed(alice.submit("/jobs/1/cancel", {"reason": text, "next": text}))
    unharmed(
        alice.api("POST", "/api/jobs", {"printer": text, "title": text, "starts_at": text, "minutes": text})
    )
    unharmed(
        alice.api(
            "POST", "/api/jobs", {"printer": 2, "minutes": 15, "title": text}, **{"Idempotency-Key": "a"}
        )
    )
    unharmed(target.visitor().log_in(text, text))
    unharmed(target.visitor().post("/auth/login", json={"username": text, "password": text}))


def test_what_is_kept_is_kept_literally(target: Target) -> None:
    """Short enough for the fields, so it is taken: and comes back as it was."""
    trainer = target.person("trainer")
    for n, text in enumerate(text for text in TEXTS if len(text) < 90 and "\x00" not in text):
        name = f"{n} {text}"
        answer = trainer.submit("/admin/printers/location/add/", location(name))
        assert answer.status_code == 302, (name, answer.status_code)
        assert target.rows("SELECT name FROM printers_location WHERE name = ?", name) == [(name,)]
    listed = trainer.get("/admin/printers/location/").text
    unharmed(trainer.get("/admin/printers/location/"))
    assert "{{ 141*141 + 130 }}" in listed
    assert target.rows("SELECT COUNT(*) > 50 FROM reservations_job") == [(1,)]


def test_every_form_of_the_admin_takes_it_as_text(target: Target) -> None:
    """Every text field of every form a trainer has, filled with each text."""
    trainer = target.person("trainer")
    for path in readable("admin/"):
        if not path.endswith("/add/"):
            continue
        form = trainer.get(path).text
        for text in TEXTS[::5]:
            unharmed(fill(trainer, path, form, text))


def location(name: str) -> dict[str, str]:
    """The form of a room, without hours."""
    return {"name": name, "hours-TOTAL_FORMS": "0", "hours-INITIAL_FORMS": "0"}


def fill(person: Visitor, path: str, form: str, text: str) -> Any:
    import re  # noqa: PLC0415

    names = set(re.findall(r'<(?:input|textarea|select)[^>]*\bname="([^"]+)"', form))
    data = dict.fromkeys(names - {"csrfmiddlewaretoken"}, text)
    data |= {name: "0" for name in names if name.endswith(("TOTAL_FORMS", "INITIAL_FORMS"))}
    return person.submit(path, data)
