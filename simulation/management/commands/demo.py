"""`manage.py demo`: an example workshop on this machine, whose plugs speak the real protocols."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from core import clock
from core.management.commands.serve import demand_free_port, product, run_supervised
from core.management.commands.web import add_address_arguments
from core.supervision.child import Child
from core.supervision.ports import free_ports
from core.supervision.supervisor import listens
from core.supervision.warming import warm
from printers.models import Printer
from simulation import seeding

WELCOME = """
  MYP is ready:  http://{host}:{port}/

    admin    demo    administrator   http://{host}:{port}/admin/
    trainer  demo    trainer         http://{host}:{port}/admin/
    alice    demo    trainee

  Health: http://{host}:{port}/healthz      Data: {data}
  The six plugs are simulated and speak the real Tapo protocols; control them at http://127.0.0.1:{control}/plugs
  Ctrl-C ends everything.
"""


class Command(BaseCommand):
    help = "Runs the product with an example workshop: six machines, simulated plugs, two months of bookings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen; the data directory is the environment's."""
        add_address_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare what is missing, then run until told to stop."""
        host, port = options["host"], options["port"]
        demand_free_port(host, port)
        files = _Files(settings.DATA_DIR)
        self._prepare(files)
        warm()
        connections.close_all()

        def tell() -> None:
            self.stdout.write(
                WELCOME.format(host=host, port=port, data=files.directory, control=files.control_port)
            )
            self.stdout.flush()

        # The first contact shall find the plugs at home.
        family = [
            replace(child, after=["plugs"]) if child.name == "worker" else child
            for child in product(host, port)
        ]
        run_supervised([files.simulator(), *family], tell=tell)

    def _prepare(self, files: "_Files") -> None:
        now = clock.now()
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Making the database …")
            call_command("migrate", verbosity=0)
        ports = files.free_ports(len(seeding.EXAMPLES) + 1)
        *plug_ports, files.control_port = ports
        specs = seeding.plug_specs(plug_ports)
        files.write_spec([asdict(spec) for spec in specs])
        if Printer.objects.exists():
            seeding.follow_ports(plug_ports, now)
            return
        self.stdout.write("Filling it with an example workshop …")
        self.stdout.flush()
        seeding.seed(plug_ports, now)
        files.state.write_text(json.dumps(seeding.first_states(specs, now)))


class _Files:
    """What the simulator keeps beside the database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spec = directory / "simulation.json"
        self.state = directory / "simulation-state.json"
        self.ports = directory / "simulation-ports.json"
        self.control_port = 0

    def free_ports(self, count: int) -> list[int]:
        """The ports of the last time where they are still free, others where not."""
        known = json.loads(self.ports.read_text()) if self.ports.exists() else []
        found = free_ports(count, preferred=known)
        self.ports.write_text(json.dumps(found))
        return found

    def write_spec(self, specs: list[dict[str, object]]) -> None:
        """What the simulator reads at its start."""
        self.spec.write_text(json.dumps(specs, indent=1))

    def simulator(self) -> Child:
        """The workshop's plugs, in a process without Django."""
        arguments = [
            "--spec",
            str(self.spec),
            "--state",
            str(self.state),
            "--control-port",
            str(self.control_port),
        ]
        # Whoever starts the demo may stand in any directory.
        where = {"PYTHONPATH": str(settings.BASE_DIR)}
        ready = listens("127.0.0.1", self.control_port)
        return Child(
            name="plugs", argv=[sys.executable, "-m", "simulation", *arguments], env=where, ready=ready
        )
