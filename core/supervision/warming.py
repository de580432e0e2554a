"""Import in the parent what several children need: forks then share it, in memory and in start-up time.

``settings.WARM_MODULES`` names what the apps above load late by themselves, such as the plugs' drivers.
"""

import contextlib
import importlib

from django.conf import settings
from django.db import connections
from django.template import engines
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import translation
from django.utils.module_loading import import_string

# The server's machinery is chosen by name at run time; the task queue's modules are imported by its command.
MODULES = (
    "uvicorn.main",
    "uvicorn.server",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.lifespan.off",
    "core.management.commands.web",
    "core.management.commands.worker",
    "core.management.commands.scheduler",
)


def warm() -> None:
    """Load the web application, the addresses, the languages and the commands."""
    # Collected or not: the middleware of the static files looks there.
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        importlib.import_module(module)
    for module in getattr(settings, "WARM_MODULES", ()):
        with contextlib.suppress(ModuleNotFoundError):  # what is not installed is missed where it is needed
            importlib.import_module(module)
    import_string(settings.ASGI_APPLICATION)
    _walk(get_resolver().url_patterns)
    engines.all()
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            translation.gettext("yes")
    connections.close_all()


def _walk(patterns: list[URLPattern | URLResolver]) -> None:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            _walk(pattern.url_patterns)
