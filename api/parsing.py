"""Bodies: JSON that is what it says, and never deeper than anybody needs."""

from collections.abc import Mapping
from math import isfinite
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """Refuses what only an attacker sends: bottomless nesting, NUL and half characters, numbers beyond all numbers."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body as Python values; raises ParseError (400)."""
        try:
            data = super().parse(stream, media_type, parser_context)
            _demand_plain(data)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        if not isinstance(data, dict):
            raise ParseError(_("The JSON has to be an object: {…}."))
        return data


def _demand_plain(data: Any) -> None:
    """No text of a person's has a NUL or half a surrogate pair, and databases store neither; nor is 1e400 a number."""
    if isinstance(data, str):
        if "\x00" in data or (not data.isascii() and any("\ud800" <= letter <= "\udfff" for letter in data)):
            raise ParseError(_("The JSON holds a character that is none."))
    elif isinstance(data, float):
        if not isfinite(data):
            raise ParseError(_("The JSON holds a number that is too large."))
    elif isinstance(data, dict):
        for name, value in data.items():
            _demand_plain(name)
            _demand_plain(value)
    elif isinstance(data, list):
        for value in data:
            _demand_plain(value)
