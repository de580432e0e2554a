"""The main job, as a trainee sees it: book, see it start, see the plug go on, finish, see it go off."""

import re
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from core.clock import now
from tests.browser.conftest import Demo, log_in

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.filterwarnings("default")]


def test_book_see_it_run_and_finish(page: Page, demo: Demo):
    assert demo.plug(3)["on"] is False
    log_in(page, "alice")
    page.locator("a[href^='/printers/3']").first.click()
    page.get_by_label("Jetzt").check()
    page.get_by_label("Dauer").select_option("60")
    page.get_by_label("Wofür").fill("Prüfwürfel")
    page.get_by_role("button", name="Buchen").click()

    expect(page.get_by_text("Prüfwürfel").first).to_be_visible()
    assert demo.wait_for_plug(3, on=True) < 5
    page.goto("/")
    expect(page.get_by_text(re.compile("Steckdose nicht erreichbar"))).to_have_count(0)
    # No reload from here on: the page must learn by itself that the plug is on.
    expect(page.get_by_text(re.compile(r"^\s*\d+ W")).first).to_be_visible(timeout=15_000)

    page.get_by_role("button", name=re.compile("^Fertig")).first.click()
    assert demo.wait_for_plug(3, on=False) < 5
    page.goto("/jobs")
    expect(page.get_by_text("beendet").first).to_be_visible()


def test_every_reason_is_said_at_once_and_next_to_its_field(page: Page):
    log_in(page, "alice")
    page.goto("/")
    page.get_by_role("link", name="Drucker 4").first.click()
    page.get_by_label("Zu einer Zeit").check()
    page.evaluate(
        """() => {
            document.querySelector('[name=starts_at]').value = '2020-01-01T10:07';
            document.querySelector('[name=length]').value = '';
            document.querySelector('[name=ends_at]').value = '2020-03-01T10:00';
        }"""
    )
    with page.expect_response(lambda r: r.request.method == "POST") as caught:
        page.get_by_role("button", name="Buchen").click()
    assert caught.value.status == 409
    expect(
        page.get_by_text("Diese Zeit ist vorbei").or_(page.get_by_text("liegt in der Vergangenheit")).first
    ).to_be_visible()
    assert page.locator("[aria-invalid=true]").count() >= 2


def test_times_are_the_workshops_whatever_the_browsers(page: Page):
    """The browser sits in Tokyo; the page says what the clock in the workshop says."""
    log_in(page, "alice")
    shown = page.locator("[data-as-of], .as-of, time").first.text_content() or ""
    in_berlin = now().astimezone(ZoneInfo("Europe/Berlin"))
    assert in_berlin.strftime("%H:") in shown, shown


def test_a_trainer_sees_the_console(page: Page):
    log_in(page, "trainer")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/admin/")
    expect(page.get_by_text("Drucker 1").first).to_be_visible()


def test_without_javascript_a_booking_can_be_made_and_cancelled(chromium, demo: Demo):
    context = chromium.new_context(base_url=demo.url, locale="de-DE", java_script_enabled=False)
    page = context.new_page()
    log_in(page, "ben")
    page.get_by_role("link", name="Drucker 4").first.click()
    page.locator("a[href*='from=']").last.click()
    page.get_by_role("button", name="Buchen").click()
    expect(page.get_by_text("Drucker 4").first).to_be_visible()
    context.close()


def test_a_second_start_is_quick_and_keeps_the_data(tmp_path):
    directory = tmp_path / "kept data"
    directory.mkdir()
    demo = Demo(directory)
    demo.start()
    assert demo.stop() == 0
    assert demo.start() < 5
    assert demo.stop() == 0
