"""One part, in its own process: set Django up on the scratch directory, measure, write the figures."""

import argparse
import importlib
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import django


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a part."""

    variant: str
    is_quick: bool


def main() -> None:
    """Called by :mod:`bench.scratch` alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    django.setup()
    # The parts import models, which wants Django set up.
    part = importlib.import_module(f"bench.{options.module}")
    result = part.run(Order(options.variant, options.quick))
    options.out.write_text(json.dumps(result.as_json()), encoding="utf-8")


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(1)


if __name__ == "__main__":
    main()
