"""`manage.py scheduler`: does what is due, until SIGTERM or SIGINT."""

import signal
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from core.domain.ticking import Ticker


class Command(BaseCommand):
    help = "Does what is due, when it is due: starts and ends jobs, hands plugs to the workers."

    def handle(self, *args: Any, **options: Any) -> None:
        """Tick until told to stop; a pass that is under way is finished."""
        stop = Event()

        def end(signum: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        Ticker(wait=stop.wait).run()
