"""The demo as a person starts it, and a real Chromium in front of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from core.supervision.ports import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
READY_WITHIN = 90  # seconds; the example workshop is made in the first ones


class Demo:
    """A running demo: its address, and its simulated plugs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it is healthy; returns the seconds that took."""
        began = time.monotonic()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "myp_project.settings",
            "MYP_ENV_FILE": os.devnull,
            "MYP_SECRET_KEY": "browser-test-secret",
            "MYP_FIELD_KEY": "browser-test-field-key",
            "MYP_DATA_DIR": str(self.directory),
            "MYP_SIMULATION": "true",
            "MYP_HTTPS": "false",
        }
        environment.pop("MYP_DATABASE_URL", None)
        port = self.url.rsplit(":", 1)[1]
        with (self.directory / "demo.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "demo", "--port", port],
                cwd=self.directory, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        while time.monotonic() - began < READY_WITHIN:
            if self._process.poll() is not None:
                raise AssertionError((self.directory / "demo.log").read_text())
            if self.health() == 200:
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError("the demo did not become healthy: " + (self.directory / "demo.log").read_text())

    def health(self) -> int:
        """The status that /healthz answers; 0 when nobody does."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def plug(self, number: int) -> dict[str, Any]:
        """What the simulated plug itself says of its relay and its load."""
        control = json.loads((self.directory / "simulation-ports.json").read_text())[-1]
        with urllib.request.urlopen(f"http://127.0.0.1:{control}/plugs", timeout=5) as answer:
            plugs = json.load(answer)
        found: dict[str, Any] = next(plug for plug in plugs if plug["name"] == f"plug-{number}")
        return found

    def wait_for_plug(self, number: int, *, on: bool, seconds: float = 10) -> float:
        """Wait until the relay is as asked; returns the seconds that took."""
        began = time.monotonic()
        while self.plug(number)["on"] is not on:
            assert time.monotonic() - began < seconds, self.plug(number)
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> int:
        """Ctrl-C for the parent alone; returns its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the tests of a module, in a directory with a space in its name."""
    directory = tmp_path_factory.mktemp("the demo") / "with a space"
    directory.mkdir()
    running = Demo(directory)
    running.start()
    yield running
    assert running.stop() == 0


def launch(playwright: Playwright) -> Browser:
    """Chromium as the tests need it."""
    return playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ],
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; it asks nobody on the internet."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, demo: Demo) -> Iterator[Page]:
    """A phone in German, far from the workshop's time zone; a violated security policy or a script error fails the test."""
    context = chromium.new_context(
        base_url=demo.url, viewport={"width": 390, "height": 844}, locale="de-DE", timezone_id="Asia/Tokyo"
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None)
    page.on("request", lambda r: None if r.url.startswith(("data:", demo.url)) else complaints.append(r.url))
    yield page
    context.close()
    assert complaints == []


def log_in(page: Page, name: str) -> None:
    """As one of the demo's people."""
    page.goto("/accounts/login/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "demo")
    page.click("main form button[type=submit]")
    page.wait_for_url("**/")
