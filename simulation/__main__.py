"""`python -m simulation --spec FILE`: run a workshop until SIGTERM or SIGINT."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from simulation.control import ControlServer
from simulation.spec import PlugSpec
from simulation.workshop import Workshop, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workshop; the exit status is 2 when the spec cannot be used or a port is taken."""
    parser = argparse.ArgumentParser(prog="simulation", description="A workshop of simulated plugs.")
    parser.add_argument("--spec", type=Path, required=True, help="JSON: a list of plugs")
    parser.add_argument(
        "--state", type=Path, default=None, help="where relays and energy are kept across restarts"
    )
    parser.add_argument(
        "--control-port", type=int, default=0, help="loopback port of the control server, 0 = any"
    )
    options = parser.parse_args(arguments)
    try:
        specs = [PlugSpec.from_json(raw) for raw in json.loads(options.spec.read_text())]
        asyncio.run(_run(specs, options.state, options.control_port))
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"simulation: {error}\n")
        return 2
    return 0


async def _run(specs: Sequence[PlugSpec], state_file: Path | None, control_port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    await serve(specs, state_file, control_port, stop=stop, ready=_announce)


def _announce(workshop: Workshop, control: ControlServer) -> None:
    """One line of JSON on standard output: the starter learns the ports that were picked."""
    addresses = {name: server.address for name, server in workshop.servers.items()}
    sys.stdout.write(json.dumps({"control": control.address, "plugs": addresses}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
