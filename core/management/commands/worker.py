"""`manage.py worker`: runs background tasks, until SIGTERM or SIGINT."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from core.supervision.cluster import WatchedCluster


class Command(BaseCommand):
    help = (
        "Runs background tasks: reads and switches plugs, does periodic work. Ends with 1 when it got stuck."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        if not WatchedCluster().run():
            sys.exit(1)
