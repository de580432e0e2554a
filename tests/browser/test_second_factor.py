"""Passkeys and codes in a real browser with an authenticator of its own, from setting up to the log-in."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from core.clock import now
from tests.browser.conftest import Demo

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.filterwarnings("default")]
LOG_IN, FACTORS = "/accounts/login/", "/accounts/2fa/"
HOME = re.compile(r":\d+/$")
STEP = 30  # seconds that a code lives


class Person:
    """A person at a computer: a browser that knows no other, and an authenticator built into the computer."""

    def __init__(self, chromium: Browser, base_url: str) -> None:
        self.complaints: list[str] = []
        self.context: BrowserContext = chromium.new_context(
            base_url=base_url, locale="de-DE", viewport={"width": 390, "height": 844}
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if "Security Policy" in m.text else None
        )
        self.page.on(
            "request",
            lambda r: None if r.url.startswith(("data:", base_url)) else self.complaints.append(r.url),
        )
        self.cdp: CDPSession = self.context.new_cdp_session(self.page)

    def owns_authenticator(self, *, is_user_verified: bool = True) -> str:
        """Fingerprint reader and all."""
        self.cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": is_user_verified, "automaticPresenceSimulation": True,
        }  # fmt: skip
        answer = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(answer["authenticatorId"])

    def types_password(self, name: str) -> None:
        self.page.goto(LOG_IN)
        self.page.fill("#id_login", name)
        self.page.fill("#id_password", "demo")
        self.page.locator("form:has(#id_password) button[type=submit]").click()

    def confirms(self) -> None:
        """By password, where it is asked."""
        if "reauthenticate" in self.page.url:
            self.page.fill("input[type=password]", "demo")
            self.page.locator("main form button[type=submit]").first.click()

    def types_code(self, code: str) -> None:
        self.page.fill("#id_code", code)
        self.page.locator("form:has(#id_code) button[type=submit]").click()

    def logs_out(self) -> None:
        self.context.clear_cookies()

    def is_in(self) -> bool:
        return self.context.request.get("/jobs", max_redirects=0).status == 200


@pytest.fixture
def localhost(demo: Demo) -> str:
    """A passkey belongs to a name; the bare address is none."""
    return demo.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def person(chromium: Browser, localhost: str) -> Iterator[Person]:
    someone = Person(chromium, localhost)
    yield someone
    someone.context.close()
    assert someone.complaints == []


def code_of(secret: str, ahead: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(now().timestamp()) // STEP + ahead))


def start(page: Page) -> None:
    page.locator("[data-passkey-start]").click()


def test_a_passkey_from_setting_up_to_the_log_in_without_password(person: Person):
    page = person.page
    authenticator = person.owns_authenticator()
    person.types_password("alice")
    page.goto(FACTORS)
    page.get_by_role("link", name=re.compile("passkey|Passkey|Schlüssel")).first.click()
    person.confirms()
    page.fill("#id_name", "Alices Laptop")
    start(page)
    page.wait_for_url("**/recovery-codes/")  # the first factor brings the codes along
    assert page.locator(".recovery-codes code").count() == 10
    page.goto(FACTORS)
    expect(page.get_by_text("Alices Laptop")).to_be_visible()
    kept = person.cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [(c["rpId"], c["isResidentCredential"]) for c in kept] == [("localhost", True)]

    person.logs_out()
    page.goto(LOG_IN)
    start(page)
    page.wait_for_url(HOME)
    assert person.is_in()
    expect(page.locator(".account-name")).to_contain_text("Alice")

    # After the password the same key is the second factor.
    person.logs_out()
    person.types_password("alice")
    page.wait_for_url("**/2fa/authenticate/")
    assert not person.is_in()
    start(page)
    page.wait_for_url(HOME)
    assert person.is_in()

    # Without the fingerprint it opens nothing alone.
    person.logs_out()
    person.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.goto(LOG_IN)
    start(page)
    expect(page.locator("[data-passkey-failed]")).to_be_visible()
    assert not person.is_in()
    person.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})

    # Renamed, removed: it opens nothing any more.
    start(page)
    page.wait_for_url(HOME)
    page.goto("/accounts/2fa/webauthn/")
    page.locator("a[href$='/edit/']").click()
    person.confirms()
    if "reauthenticate" in page.url:
        start(page)
    page.fill("#id_name", "Alter Laptop")
    page.locator("form:has(#id_name) button[type=submit]").click()
    expect(page.get_by_role("heading", name="Alter Laptop")).to_be_visible()
    page.locator("a[href$='/remove/']").click()
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/2fa/webauthn/")
    person.logs_out()
    page.goto(LOG_IN)
    start(page)
    expect(page.locator(".message-error")).to_be_visible()
    assert not person.is_in()


def test_an_app_from_setting_up_to_the_log_in_with_codes(person: Person):
    page = person.page
    person.types_password("ben")
    page.goto("/accounts/2fa/totp/activate/")
    person.confirms()
    secret = page.locator("#secret").input_value()
    assert page.locator("img.qr-code").evaluate("image => image.complete && image.naturalWidth > 0")
    person.types_code(code_of(secret))
    page.wait_for_url("**/recovery-codes/")
    recovery = page.locator(".recovery-codes code").first.inner_text()
    with page.expect_download() as caught:
        page.locator("a[href$='/download/']").click()
    assert recovery in Path(caught.value.path()).read_text()

    person.logs_out()
    person.types_password("ben")
    code = code_of(secret, ahead=1)  # the one of the setting up is used
    person.types_code(code)
    page.wait_for_url(HOME)
    assert person.is_in()

    person.logs_out()
    person.types_password("ben")
    person.types_code(code)
    expect(page.locator("#id_code_error")).to_be_visible()
    assert not person.is_in()

    person.types_code(recovery)
    page.wait_for_url(HOME)
    person.logs_out()
    person.types_password("ben")
    person.types_code(recovery)
    expect(page.locator("#id_code_error")).to_be_visible()
    assert not person.is_in()


def test_at_a_bare_address_the_page_says_why_there_is_no_passkey(chromium: Browser, demo: Demo):
    someone = Person(chromium, demo.url)
    someone.page.goto(LOG_IN)
    expect(someone.page.locator("[data-passkey-never]")).to_be_visible()
    expect(someone.page.locator("[data-passkey-start]")).to_be_hidden()
    someone.context.close()
    assert someone.complaints == []


def test_the_demo_asks_no_second_factor_of_its_administrator(person: Person):
    person.types_password("admin")
    person.page.wait_for_url(HOME)
    person.page.goto("/admin/")
    assert person.page.url.endswith("/admin/")
