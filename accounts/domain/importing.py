"""A class from a table: read what a spreadsheet saves, say what is wrong with each row, make the people at once."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core import signing
from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.domain.naming import TEXTS, known, wrong_with
from accounts.domain.people import Fields, add_people
from accounts.models import User
from core.actor import Actor
from core.errors import Refused

MOST_BYTES = 1024 * 1024
MOST_ROWS = 500
SALT = "accounts.importing"
CONFIRM_WITHIN = 3600  # seconds
HEADINGS = {
    "username": {"benutzername", "benutzer", "username", "user name", "user", "login", "anmeldename"},
    "first_name": {"vorname", "first name", "firstname", "given name"},
    "last_name": {"nachname", "name", "familienname", "last name", "lastname", "surname", "family name"},
    "email": {"e-mail", "email", "mail", "e-mail-adresse", "emailadresse", "e-mail address", "email address"},
}
# A spreadsheet that opens our lists one day takes a text with such a beginning for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ł": "l", "æ": "ae"})


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the table, and what is wrong with the row."""

    number: int
    username: str
    first_name: str
    last_name: str
    email: str
    problems: list[str] = field(default_factory=list)


def read(data: bytes) -> list[Row]:
    """The rows of the table with their problems; raises :class:`Refused` when it is no table we know."""
    if len(data) > MOST_BYTES:
        raise Refused.because("too_large", _("The file is larger than 1 MB."), field="file")
    lines = _lines(_decode(data))
    columns = _columns(next(lines, []))
    raw = [(number, _pick(line, columns)) for number, line in enumerate(lines, start=2) if any(line)]
    if not raw:
        raise Refused.because("no_rows", _("There is no person in the file."), field="file")
    if len(raw) > MOST_ROWS:
        message = _("The file has %(count)d rows; at most %(most)d can be read at once.")
        raise Refused.because("too_many_rows", message % {"count": len(raw), "most": MOST_ROWS}, field="file")
    return _judge([_row(number, texts) for number, texts in raw])


def seal(rows: Sequence[Row], actor: Actor) -> str:
    """What was shown, so that the confirmation cannot say anything else, nor somebody else confirm it."""
    shown = [{name: value for name, value in asdict(row).items() if name != "problems"} for row in rows]
    return signing.dumps({"by": actor.user_id, "rows": shown}, salt=SALT, compress=True)


def unseal(sealed: str, actor: Actor) -> list[Row]:
    """The rows as they were shown, judged anew: somebody may have been added meanwhile."""
    try:
        content: dict[str, Any] = signing.loads(sealed, salt=SALT, max_age=CONFIRM_WITHIN)
    except signing.BadSignature:
        content = {}
    if not content or content["by"] != actor.user_id:
        raise Refused.because(
            "preview_lost", _("The preview is too old. Choose the file again."), field="file"
        )
    return _judge([Row(**row) for row in content["rows"]])


def add_class(rows: Sequence[Row], *, actor: Actor) -> list[User]:
    """Make every row a trainee, or none of them."""
    fields: list[Fields] = [
        {
            "username": row.username,
            "first_name": row.first_name,
            "last_name": row.last_name,
            "email": row.email,
            "role": Role.TRAINEE,
        }
        for row in rows
    ]
    return add_people(fields, actor=actor)


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = _("The file is saved as UTF-16. Save it as “CSV UTF-8”.")
        raise Refused.because("unknown_encoding", message, field="file")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused.because(
        "unknown_encoding", _("This is no text file. Save it as “CSV UTF-8”."), field="file"
    )


def _lines(text: str) -> Iterator[list[str]]:
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    try:
        for line in csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True):
            yield [_tidy(cell) for cell in line]
    except csv.Error as error:
        raise Refused.because(
            "no_table", _("The file is no table: a quotation mark is left open."), field="file"
        ) from error


def _tidy(cell: str) -> str:
    """In one line and composed: the same name typed on two systems is the same name."""
    return " ".join(unicodedata.normalize("NFC", cell).replace("\x00", "").split())


def _columns(heading: Sequence[str]) -> dict[str, int]:
    named = [cell.casefold() for cell in heading]
    found = {
        name: next((place for place, cell in enumerate(named) if cell in words), -1)
        for name, words in HEADINGS.items()
    }
    if found["first_name"] < 0 or found["last_name"] < 0:
        message = _(
            "The first line must name the columns: Vorname, Nachname, E-Mail, Benutzername (or in English)."
        )
        raise Refused.because("no_headings", message, field="file")
    return found


def _pick(line: Sequence[str], columns: dict[str, int]) -> dict[str, str]:
    texts = {name: line[place] if 0 <= place < len(line) else "" for name, place in columns.items()}
    texts["email"] = texts["email"].lower()
    texts["username"] = texts["username"] or _derived(texts["first_name"], texts["last_name"])
    return texts


def _row(number: int, texts: dict[str, str]) -> Row:
    return Row(number, texts["username"], texts["first_name"], texts["last_name"], texts["email"])


def _derived(first: str, last: str) -> str:
    """ "Jörg", "Müller Lüdenscheidt" → "joerg.muellerluedenscheidt"."""
    parts = []
    for text in (first, last):
        plain = (
            unicodedata.normalize("NFKD", text.lower().translate(UMLAUTS)).encode("ascii", "ignore").decode()
        )
        parts.append(re.sub(r"[^a-z0-9-]", "", plain))
    return ".".join(part for part in parts if part)


def _judge(rows: Iterable[Row]) -> list[Row]:
    seen: dict[str, int] = {}
    taken = known()
    judged = []
    for row in rows:
        row.problems[:] = [*_wrong(row, taken), *_doubles(row, seen)]
        judged.append(row)
    return judged


def _wrong(row: Row, taken: set[str]) -> Iterator[str]:
    if not row.first_name or not row.last_name:
        yield _("The name is missing.")
    if any(getattr(row, name).startswith(FORMULA) for name in TEXTS):
        yield _("Nothing may begin with =, +, - or @.")
    person = User(username=row.username, first_name=row.first_name, last_name=row.last_name, email=row.email)
    for violation in wrong_with(person, taken):
        yield str(violation.message)


def _doubles(row: Row, seen: dict[str, int]) -> Iterator[str]:
    for key in {row.username.casefold(), row.email} - {""}:
        if key in seen:
            yield _("The same person is in row %(number)d.") % {"number": seen[key]}
            break
    for key in (row.username.casefold(), row.email):
        seen.setdefault(key, row.number)
