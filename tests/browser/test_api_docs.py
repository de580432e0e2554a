"""The API's own page in a real browser: offline, under the strict policy, and what is tried out happens."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from reservations.models import Job
from tests.browser.conftest import launch

pytestmark = [pytest.mark.browser, pytest.mark.sockets, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_what_is_tried_out_is_booked(people, printer, live_server, client, width, scheme):
    client.force_login(people.alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    complaints: list[str] = []
    host = urlsplit(live_server.url).netloc
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        context.add_cookies([cookie])
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith("data:") or urlsplit(asked.url).netloc == host
                else complaints.append(asked.url)
            ),
        )
        page.goto("/api/docs")
        booking = page.locator("#operations-jobs-jobs_create")
        booking.locator("button").first.click()
        booking.get_by_role("button", name="Try it out").click()
        booking.locator("textarea.body-param__text").fill(json.dumps({"printer": printer.pk, "minutes": 60}))
        booking.get_by_role("button", name="Execute").click()
        answer = booking.locator(".live-responses-table .response-col_status").nth(1)
        answer.wait_for()
        status = answer.inner_text()
        is_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        is_dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
        context.close()
        browser.close()
    assert status.startswith("201")
    assert (is_wide, is_dark) == (False, scheme == "dark")
    assert Job.objects.get().owner == people.alice
    assert complaints == []
