"""`manage.py serve`: web, worker and scheduler under one parent."""

import socket
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from core.management.commands.web import add_address_arguments
from core.supervision.child import Child
from core.supervision.ledger import AlreadyRunningError
from core.supervision.supervisor import Supervisor, listens
from core.supervision.warming import warm


class Command(BaseCommand):
    help = "Runs the product: web, worker and scheduler, supervised. Ends with 0 on SIGTERM and Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        add_address_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the family and stay with it."""
        host, port = options["host"], options["port"]
        demand_free_port(host, port)
        warm()

        def tell() -> None:
            self.stdout.write(f"MYP listens on {host}:{port}")
            self.stdout.flush()

        run_supervised(product(host, port), tell=tell)


def product(host: str, port: int) -> list[Child]:
    """The processes that make the product. The demo puts its own in front."""
    return [
        Child(name="web", run=partial(call_command, "web", host=host, port=port), ready=listens(host, port)),
        Child(name="worker", run=partial(call_command, "worker")),
        Child(name="scheduler", run=partial(call_command, "scheduler")),
    ]


def run_supervised(children: list[Child], *, tell: Any = None) -> None:
    """Run until told to stop; one supervisor per data directory."""
    try:
        with Supervisor(children, data_dir=settings.DATA_DIR, on_ready=tell) as supervisor:
            supervisor.run()
    except AlreadyRunningError as error:
        raise CommandError(str(error), returncode=1) from error


def demand_free_port(host: str, port: int) -> None:
    """Say plainly that the port is taken, before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port with --port.",
                returncode=1,
            ) from error
