"""`manage.py web`: serves the pages, until SIGTERM or SIGINT."""

import os
import signal
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand

from core.serving import HurriedProtocol

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
# More connections than this are answered 503: every one costs memory and a file, of which a process has 1024.
MOST_CONNECTIONS = 800
LARGEST_HEADERS = 16 * 1024


def add_address_arguments(parser: ArgumentParser) -> None:
    """``--host`` and ``--port``, with the environment as their default."""
    parser.add_argument(
        "--host", default=os.environ.get("MYP_HOST", DEFAULT_HOST), help="address to listen on (MYP_HOST)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("MYP_PORT", DEFAULT_PORT),
        help="port to listen on (MYP_PORT, else 8000)",
    )


class Command(BaseCommand):
    help = "Serves the pages with uvicorn."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        add_address_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop; requests that are under way get five seconds."""
        # uvicorn ends its requests, puts these handlers back and raises the signal again: then we leave with 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        uvicorn.run(**server_options(options["host"], options["port"]))


def server_options(host: str, port: int) -> dict[str, Any]:
    """How uvicorn is set up."""
    module, _, name = settings.ASGI_APPLICATION.rpartition(".")
    return {
        "app": f"{module}:{name}",
        "host": host,
        "port": port,
        "log_config": None,  # Django has set the logging up
        "log_level": "warning",
        "access_log": False,
        "http": HurriedProtocol,
        "timeout_keep_alive": 5,
        "limit_concurrency": MOST_CONNECTIONS,
        "h11_max_incomplete_event_size": LARGEST_HEADERS,
        "loop": "asyncio",
        "ws": "none",
        "lifespan": "off",
        "server_header": False,
        "proxy_headers": False,  # core.middleware.ClientAddress reads them, from trusted peers alone
        "timeout_graceful_shutdown": 5,
    }


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)
