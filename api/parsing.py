"""Bodies: JSON that is what it says, and never deeper than anybody needs."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """Refuses what only an attacker sends: bottomless nesting, NUL characters, NaN."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body as Python values; raises ParseError (400)."""
        try:
            data = super().parse(stream, media_type, parser_context)
            _demand_no_nul(data)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        if not isinstance(data, dict):
            raise ParseError(_("The JSON has to be an object: {…}."))
        return data


def _demand_no_nul(data: Any) -> None:
    """PostgreSQL stores no NUL in a text, and no text of a person's has one."""
    if isinstance(data, str) and "\x00" in data:
        raise ParseError(_("The JSON holds a NUL character."))
    if isinstance(data, dict):
        for name, value in data.items():
            _demand_no_nul(name)
            _demand_no_nul(value)
    elif isinstance(data, list):
        for value in data:
            _demand_no_nul(value)
