"""Pictures for the documents: `.venv/bin/python -m tests.browser.screenshots [directory]`.

Starts a fresh demo and photographs each page at 390 and 1440 pixels, light and dark.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ROOT, Demo, launch, log_in

PAGES = {
    "alice": {
        "overview": "/",
        "machine": "/printers/3",
        "refused": "/printers/4",
        "jobs": "/jobs",
        "job": "/jobs",  # and on to the first one there
        "password": "/accounts/password/change/",
        "me": "/me",
        "tokens": "/me/tokens",
        "sessions": "/me/sessions",
        "second-factor": "/accounts/2fa/",
        "kiosk": "/kiosk",
    },
    "trainer": {
        "admin-dashboard": "/admin/",
        "admin-jobs": "/admin/reservations/job/",
        "admin-plugs": "/admin/plugs/smartplug/",
        "admin-plug": "/admin/plugs/smartplug/1/change/",
        "admin-machine": "/admin/printers/printer/1/change/",
        "admin-job-add": "/admin/reservations/job/add/",
        "admin-machines": "/admin/printers/printer/",
        "admin-people": "/admin/accounts/user/",
        "admin-outages": "/admin/printers/outage/",
        "admin-journal": "/admin/journal/entry/",
        "admin-commands": "/admin/plugs/plugcommand/",
        "admin-person": "/admin/accounts/user/4/change/",
        "admin-class": "/admin/accounts/user/import/",
        "admin-lockouts": "/admin/accounts/loginguard/",
        "admin-failures": "/admin/axes/accessfailurelog/",
        "api-docs": "/api/docs",
    },
}


def main(directory: Path) -> None:
    """Take them all."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        demo = Demo(Path(scratch))
        demo.start()
        browser = launch(playwright)
        try:
            demo.wait_for_plug(1, on=True)
            for width in (1440, 390):
                for scheme in ("light", "dark"):
                    _tour(browser, demo, directory, width, scheme)
        finally:
            browser.close()
            demo.stop()


def _tour(browser: Browser, demo: Demo, directory: Path, width: int, scheme: str) -> None:
    height = 900 if width > 600 else 844
    for name, pages in PAGES.items():
        context = browser.new_context(
            base_url=demo.url,
            viewport={"width": width, "height": height},
            locale="de-DE",
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        page.goto("/accounts/login/")
        if name == "alice":
            _keep(page.screenshot(), directory / f"login-{width}-{scheme}.png")
            _fail_until_locked(page, f"niemand-{width}-{scheme}")
            _keep(page.screenshot(), directory / f"locked-{width}-{scheme}.png")
        log_in(page, name)
        for title, path in pages.items():
            page.goto(path)
            if title == "refused":
                page.get_by_label("Zu einer Zeit").check()
                page.evaluate("document.querySelector('[name=starts_at]').value = '2026-01-01T10:07'")
                page.get_by_role("button", name="Buchen").click()
            if title == "job":
                page.locator("main a[href^='/jobs/']").first.click()
            page.wait_for_timeout(900)
            _keep(
                page.screenshot(full_page=not title.startswith("admin")),
                directory / f"{title}-{width}-{scheme}.png",
            )
        context.close()


def _fail_until_locked(page: Page, name: str) -> None:
    for _guess in range(5):
        page.goto("/accounts/login/")
        page.fill("input[name=login]", name)
        page.fill("input[name=password]", "falsch")
        page.click("main form button[type=submit]")
        page.wait_for_load_state()


def _keep(png: bytes, path: Path) -> None:
    """With a palette: a quarter of the size, and nobody sees the difference."""
    path.write_bytes(png)
    with Image.open(path) as image:
        image.convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots")
