"""Stored texts that are scripts: in every text of the database, on every page, in a real browser. Nothing runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ROOT, Demo, log_in
from tests.routes import routes

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.filterwarnings("default")]

# Short, so that they fit into every field. ``xss`` is a function that every page gets before its own scripts.
PAYLOADS = [
    "<script>xss()</script>",
    "\"><img src=x onerror=xss()>",
    "'><svg/onload=xss()>",
    "</title><script>xss()//",
    "</textarea><svg onload=xss()>",
    "\" autofocus onfocus=xss() x=\"",
    "\" x-data x-init=\"xss()",
    "{{constructor.constructor('xss()')()}}",
    "javascript:xss()",
    "<a href=javascript:xss()>x</a>",
    "<iframe srcdoc='<script>parent.xss()</script>'>",
    "--><script>xss()</script>",
    "</script><script>xss()</script>",
    "<div hx-on:htmx:load=xss() hx-get=/ hx-trigger=load>",
    "${xss()}`;xss();//';xss();//\";xss();//",
]  # fmt: skip
# Told to Django's shell in the demo's own environment: every text that is not a key or a choice gets a payload.
PLANT = """
from itertools import count
from django.apps import apps
from django.db import models
from plugs.models import PlugState, SmartPlug
payloads, number, planted = json.loads(os.environ["PAYLOADS"]), count(), 0
for state in PlugState.objects.filter(plug__name__in=list(SmartPlug.objects.values_list("name", flat=True)[:2])):
    PlugState.objects.filter(pk=state.pk).update(is_suspended=True)  # nobody overwrites what it once said
KEYS = {"password", "digest", "hint", "kind", "key", "username", "driver", "address", "generation", "identity", "session_key",
        "subject", "channel", "state", "func", "name_of_task", "result", "error_code", "picture", "email", "mac"}
for label in ("accounts", "printers", "plugs", "reservations", "journal", "core", "axes", "kiosk", "usersessions", "mfa"):
    for model in apps.get_app_config(label).get_models():
        texts = [f for f in model._meta.concrete_fields if isinstance(f, (models.CharField, models.TextField))
                 and not f.choices and f.name not in KEYS and not f.primary_key
                 and type(f).__name__ in {"CharField", "TextField"}]
        if model._meta.label in {"core.PeriodicTask", "core.Heartbeat"}:
            continue  # their names are what the processes go by
        for row in model.objects.order_by("-pk")[:30]:
            values = {}
            for field in texts:
                text = payloads[next(number) % len(payloads)] + (str(row.pk) if field.unique else "")
                values[field.name] = text[: field.max_length or 2000]
            if model._meta.label == "journal.Entry":
                values["data"] = {payloads[0]: payloads[1], "reason": payloads[next(number) % len(payloads)]}
            if values:
                model.objects.filter(pk=row.pk).update(**values)
                planted += len(values)
from printers.models import Printer
Printer.objects.filter(pk=6).update(service="out_of_order")
print(planted)
"""
WATCH = """
window.__told = [];
window.xss = () => { window.__told.push('RAN'); };
for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => { window.__told.push(name); };
document.addEventListener('securitypolicyviolation', (e) => {
    window.__told.push(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sample}`);
});
"""


@pytest.fixture(scope="module")
def planted(demo: Demo) -> int:
    """The demo's database, with a script in every text of it; how many."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "myp_project.settings",
        "MYP_ENV_FILE": os.devnull,
        "MYP_SECRET_KEY": "browser-test-secret",
        "MYP_FIELD_KEY": "browser-test-field-key",
        "MYP_DATA_DIR": str(demo.directory),
        "MYP_SIMULATION": "true",
        "MYP_HTTPS": "false",
        "PAYLOADS": json.dumps(PAYLOADS),
    }
    environment.pop("MYP_DATABASE_URL", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", f"import json, os\n{PLANT}"],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.fixture
def watched(chromium: Browser, demo: Demo) -> Iterator[Page]:
    """A page that tells of everything that ran, was blocked, or went elsewhere."""
    context = chromium.new_context(base_url=demo.url, viewport={"width": 1440, "height": 900}, locale="de-DE")
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def addresses(*, admin: bool) -> list[str]:
    """Every page that somebody can open, with ids that the demo has."""
    values = {
        "verb": "cancel",
        "app_label": "printers",
        "name": "test",
        "object_id": 2,
        "pk": 2,
        "var": "api/x",
    }
    verbs = {
        "job": "cancel",
        "printer": "out-of-order",
        "smartplug": "switch",
        "schedulerstate": "stop",
        "user": "password",
    }
    left_out = (
        "logout",
        "api/",
        "auth/",
        "healthz",
        "media/",
        "_machines",
        "admin/jsi18n",
        "language",
        "/end",
        "/delete",
    )
    found = []
    for route in routes():
        name = route.route.split("/")[2] if route.route.count("/") > 2 else ""
        if route.route.startswith("admin/") is not admin or any(word in route.route for word in left_out):
            continue
        single = name in {"schedulerstate", "bookinglimits", "display"}
        given = values | {"name": verbs.get(name, "test")} | ({"object_id": 1} if single else {})
        found.append(route.fill(given))
    return found


@pytest.mark.parametrize(("name", "admin"), [("alice", False), ("admin", True)])
def test_nothing_stored_runs_anywhere(
    watched: Page, demo: Demo, planted: int, name: str, admin: bool
) -> None:
    assert planted > 300
    said: dict[str, list[str]] = {}
    elsewhere: list[str] = []
    shown = 0
    log_in(watched, name)
    watched.on(
        "request", lambda r: None if r.url.startswith((demo.url, "data:")) else elsewhere.append(r.url)
    )
    watched.on("pageerror", lambda error: said.setdefault(watched.url, []).append(str(error)))
    watched.on("dialog", lambda dialog: dialog.dismiss())
    pages = [*addresses(admin=admin), *([] if admin else ["/api/docs", "/jobs?page=2", "/nowhere"])]
    for path in pages:
        watched.goto(path, wait_until="load")
        watched.wait_for_timeout(60)
        if told := watched.evaluate("window.__told"):
            said[path] = told
        shown += watched.evaluate("document.body.innerText.includes('xss()')")

    assert said == {}
    assert elsewhere == []
    assert shown > (30 if admin else 5), "the texts are on the pages, as texts"


def test_the_watch_sees_what_runs(watched: Page, demo: Demo, planted: int) -> None:
    """The test above can fail: a script that is really in the page is told, and stopped by the policy."""
    log_in(watched, "alice")
    watched.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=xss()>')")
    watched.wait_for_function("window.__told.length > 0")

    told = watched.evaluate("window.__told")
    assert "RAN" not in told, "the policy stops inline handlers"
    assert told[0].startswith("CSP script-src")
