"""Every address of the product, as the URL configuration has it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

_HOLE = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    """One address with holes: ``jobs/<int:pk>``."""

    route: str
    view: Any

    def fill(self, values: dict[str, object] | None = None) -> str:
        """A path with something in every hole; "1" where nothing is given."""
        return "/" + _HOLE.sub(lambda hole: str((values or {}).get(hole.group(1), 1)), self.route)


def routes() -> list[Route]:
    """Each one once, sorted."""
    found = {route.route: route for route in _walk(get_resolver().url_patterns, "")}
    return [found[name] for name in sorted(found)]


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[Route]:
    for pattern in patterns:
        is_route = isinstance(pattern.pattern, RoutePattern)
        text = str(pattern.pattern)
        here = before + (text if is_route else simplify_regex(text).lstrip("/"))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, here)
        else:
            yield Route(here, pattern.callback)
