"""The button on the log-in page, in a real browser under our content policy."""

import re

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import launch

pytestmark = [
    pytest.mark.browser,
    pytest.mark.processes,
    pytest.mark.sockets,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("default"),
]


def test_the_button_leads_to_the_provider_and_back(provider, live_server, monkeypatch):
    """Browsers hold the policy's form-action against the redirect, too: without the provider in it, nothing happens."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright's loop runs in this thread
    provider.knows("alice", given_name="Alice")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_context(locale="de-DE").new_page()
        page.set_default_timeout(15_000)
        page.goto(f"{live_server.url}/accounts/login/")
        page.get_by_role("button", name="School log-in").click()
        page.wait_for_url(re.compile("/interaction/"))
        page.fill("[name=login]", "alice")
        page.fill("[name=password]", "any")
        page.click("[type=submit]")
        page.wait_for_url(f"{live_server.url}/")
        expect(page.locator(".account-name")).to_contain_text("Alice")
        browser.close()
