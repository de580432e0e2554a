"""`manage.py doctor`: what is wrong with this installation, and the cure."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from core.domain.diagnosing import EXIT_CODES, Finding, Level, diagnose, worst
from core.management.commands.web import add_address_arguments

_MARKS = {Level.OK: "ok     ", Level.WARNING: "warning", Level.BROKEN: "BROKEN "}


class Command(BaseCommand):
    help = "Looks at the installation and says what is wrong, with the cure. Ends with 0 (ok), 1 (warnings) or 2 (broken)."
    requires_system_checks: list[str] = []  # findings like the others, not a refusal to start

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the product runs, and for whom the answer is."""
        add_address_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, and say."""
        host = options["host"].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - the other way round
        findings = diagnose(clock.now(), f"http://{host}:{options['port']}")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                self._say(finding)
        sys.exit(EXIT_CODES[worst(findings)])

    def _say(self, finding: Finding) -> None:
        style = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.BROKEN: self.style.ERROR,
        }
        self.stdout.write(f"{style[finding.level](_MARKS[finding.level])}  {finding.topic:<9} {finding.text}")
        if finding.cure:
            self.stdout.write(f"{'':<19} cure: {finding.cure}")
