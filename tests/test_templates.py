"""Pages keep to the content policy, and every shared page renders in both languages."""

import hashlib
import re
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string
from django.test import Client, RequestFactory
from django.utils import translation

ROOT = Path(__file__).resolve().parent.parent
OURS = sorted(path for path in (ROOT / "templates").rglob("*.html") if "admin" not in path.parts)
LONGEST = 250

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE)
INLINE_STYLE = re.compile(r"<style\b|\sstyle=", re.IGNORECASE)
HANDLER = re.compile(r"\son[a-z]+=|\bhx-on\b|javascript:", re.IGNORECASE)
FOREIGN = re.compile(r"(?:src|href)=[\"'](?:https?:)?//", re.IGNORECASE)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_template_keeps_to_the_content_policy(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for forbidden in (INLINE_SCRIPT, INLINE_STYLE, HANDLER, FOREIGN):
        assert not forbidden.search(source), f"{path.name}: {forbidden.pattern}"
    assert len(source.splitlines()) <= LONGEST


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_template_compiles(path: Path) -> None:
    get_template(str(path.relative_to(ROOT / "templates")))


def test_icons_that_are_named_exist() -> None:
    sprite = (ROOT / "static/icons/icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([a-z]+)"', sprite))
    used = {
        name for path in OURS for name in re.findall(r'{% icon "([a-z]+)"', path.read_text(encoding="utf-8"))
    }
    assert used
    assert used <= known


def test_500_needs_nothing() -> None:
    with translation.override("de"):
        page = render_to_string("500.html")
    assert "Etwas ist kaputtgegangen" in page
    assert "csrfmiddlewaretoken" not in page


@pytest.mark.parametrize(("language", "word"), [("de", "Nicht gefunden"), ("en", "Not found")])
def test_404_in_both_languages(client: Client, db: None, language: str, word: str) -> None:
    response = client.get("/nowhere", headers={"Accept-Language": language})
    assert response.status_code == 404
    assert word in response.content.decode()


def test_403_renders() -> None:
    with translation.override("de"):
        page = render_to_string("403.html", request=RequestFactory().get("/"))
    assert "Nicht erlaubt" in page


@pytest.mark.parametrize(
    ("path", "german", "english"),
    [
        ("/accounts/login/", "Benutzername oder E-Mail", "User name or e-mail"),
        ("/accounts/password/reset/", "Zurück zur Anmeldung", "Back to the login"),
        ("/accounts/password/reset/done/", "Sehen Sie in Ihre E-Mails", "Look into your mail"),
        ("/accounts/password/reset/key/1-bad/", "Dieser Link ist verbraucht", "This link is used up"),
        ("/accounts/inactive/", "Konto abgeschaltet", "Account switched off"),
        ("/accounts/signup/", "Keine Registrierung", "No sign-up"),
    ],
)
def test_entrance_in_both_languages(client: Client, db: None, path: str, german: str, english: str) -> None:
    for language, word in (("de", german), ("en", english)):
        response = client.get(path, headers={"Accept-Language": language})
        assert response.status_code == 200
        assert word in response.content.decode()
        assert 'href="/static/css/app.css"' in response.content.decode()


def test_a_wrong_password_is_explained(client: Client, db: None) -> None:
    response = client.post("/accounts/login/", {"login": "nobody", "password": "wrong"})
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode()
    assert 'value="nobody"' in response.content.decode()


def test_log_in_and_out(client: Client, people: object) -> None:
    response = client.post("/accounts/login/", {"login": "alice", "password": "demo"})
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert "Passwort ändern" in client.get("/accounts/password/change/").content.decode()
    assert "Ihre Buchungen bleiben" in client.get("/accounts/logout/").content.decode()
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"


def test_the_language_can_be_changed(client: Client, db: None) -> None:
    client.post("/language", {"language": "en", "next": "/accounts/login/"})
    page = client.get("/accounts/login/", headers={"Accept-Language": "de"}).content.decode()
    assert '<html lang="en">' in page
    assert "Log in" in page


def test_vendored_files_are_the_listed_ones() -> None:
    listed = re.findall(
        r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (ROOT / "static/vendor/VENDOR.md").read_text(), re.MULTILINE
    )
    assert len(listed) == 2
    for name, digest in listed:
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, name
