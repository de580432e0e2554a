"""`manage.py remove_factors NAME`: for the last administrator who lost phone, key and recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.domain.factors import remove_factors
from accounts.models import User
from core import clock
from core.actor import Actor, Channel
from core.errors import Refused


class Command(BaseCommand):
    help = "Takes all second factors from a person, who then logs in with the password alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom."""
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Through the same door as the admin."""
        person = User.objects.filter(username=options["username"]).first()
        if person is None:
            raise CommandError(f"Nobody is called {options['username']!r}.")
        try:
            remove_factors(person.pk, actor=Actor(None, Channel.COMMAND), now=clock.now())
        except Refused as no:
            raise CommandError(" ".join(str(v.message) for v in no.violations)) from no
        self.stdout.write(f"{person} logs in with the password alone now.")
