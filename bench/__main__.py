"""`python -m bench [part ...] [--json FILE] [--quick]`."""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import report
from bench.parts import PARTS, chosen
from bench.scratch import measure
from core import clock

POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 when a part could not be measured. A missed target is no failure here."""
    options = _parser().parse_args(arguments)
    try:
        parts = chosen(options.what)
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    found: dict[str, Any] = {
        "at": clock.now().isoformat(timespec="seconds"),
        "commit": report.commit(),
        "python": platform.python_version(),
        "machine": report.machine(),
        "quick": options.quick,
        "parts": {},
    }
    for part in parts:
        sys.stdout.write(f"measuring {part.name}: {part.says} ...\n")
        sys.stdout.flush()
        found["parts"][part.name] = measured = measure(
            part, is_quick=options.quick, postgres=options.postgres
        )
        sys.stdout.write(report.table(measured) + "\n")
        sys.stdout.flush()
        if options.json:  # after every part, so that an interruption loses nothing
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(any("error" in part for part in found["parts"].values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench",
        description="Measures the product on a scratch directory of its own.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {part.name:<16} {part.says}" for part in PARTS),
    )
    parser.add_argument("what", nargs="*", metavar="part", help="what to measure; everything when left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    parser.add_argument(
        "--quick", action="store_true", help="small numbers, about a minute: to see that it works"
    )
    parser.add_argument(
        "--postgres",
        default=POSTGRES,
        metavar="URL",
        help=f"a server on which databases may be made and dropped ({POSTGRES})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
