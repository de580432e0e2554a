"""German is complete, and as new as the sources."""

import gettext
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.conftest import skip_or_fail

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "locale/de/LC_MESSAGES/django.po"
HOW = (
    "Run `./myp manage makemessages -l de --no-wrap --add-location file -i .venv -i assets -i data -i build -i tests`, "
    "fill in django.po, then `./myp manage compilemessages -l de`."
)
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]")
Catalogue = dict[str, str]


@pytest.fixture(autouse=True)
def _tools() -> None:
    if not shutil.which("xgettext") or not shutil.which("msgfmt"):
        skip_or_fail("The gettext tools are not installed")


def tool(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def entries(po: str) -> Catalogue:
    """msgid -> everything it is translated to, read from the text of a catalogue."""
    found: Catalogue = {}
    for block in po.split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        ids, texts, into = [], [], None
        for line in lines:
            if line.startswith("msgid"):
                into = ids
            elif line.startswith("msgstr"):
                into = texts
            if into is not None:
                into.append(line[line.index('"') + 1 : -1])
        if "".join(ids):
            found["".join(ids)] = "".join(texts)
    return found


def test_nothing_is_missing() -> None:
    assert not entries(tool("msgattrib", "--untranslated", "--no-obsolete", PO)), HOW


def test_nothing_is_guessed() -> None:
    assert not entries(tool("msgattrib", "--only-fuzzy", "--no-obsolete", PO)), HOW


def test_placeholders_are_kept() -> None:
    for source, german in entries(tool("msgattrib", "--no-obsolete", "--no-wrap", PO)).items():
        assert set(PLACEHOLDER.findall(source)) == set(PLACEHOLDER.findall(german)), source


def test_catalogue_knows_what_the_sources_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = shutil.ignore_patterns(
        ".*", "assets", "data", "build", "tests", "static", "docs", "media", "locale", "*.sqlite3*"
    )
    shutil.copytree(ROOT, tmp_path / "myp", ignore=keep)
    (tmp_path / "myp/locale").mkdir()
    monkeypatch.chdir(tmp_path / "myp")
    call_command("makemessages", locale=["de"], no_wrap=True, verbosity=0)
    fresh = set(entries((tmp_path / "myp/locale/de/LC_MESSAGES/django.po").read_text(encoding="utf-8")))
    known = set(entries(tool("msgattrib", "--no-obsolete", "--no-wrap", PO)))
    assert fresh - known == set(), HOW
    assert known - fresh == set(), HOW


def test_compiled_catalogue_is_as_new_as_the_text(tmp_path: Path) -> None:
    tool("msgfmt", "--check-format", "-o", tmp_path / "fresh.mo", PO)
    with (tmp_path / "fresh.mo").open("rb") as fresh, PO.with_suffix(".mo").open("rb") as kept:
        wanted, found = gettext.GNUTranslations(fresh), gettext.GNUTranslations(kept)
    assert found._catalog == wanted._catalog, HOW  # type: ignore[attr-defined]
