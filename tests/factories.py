"""Rows without surprises. Jobs are booked through the door, never made here."""

import factory
from factory.django import DjangoModelFactory

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.models import Grant, Qualification, User
from plugs.models import PlugState, SmartPlug
from printers.models import Location, OpeningHours, Outage, Printer


class TraineeFactory(DjangoModelFactory):
    """A person who may book."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"trainee{n}")
    first_name = factory.LazyAttribute(lambda user: user.username.title())
    email = factory.LazyAttribute(lambda user: f"{user.username}@workshop.test")
    password = factory.django.Password("demo")

    @factory.post_generation
    def role(self, create: bool, extracted: Role | None, **kwargs: object) -> None:
        give_role(self, extracted or Role.TRAINEE)


class TrainerFactory(TraineeFactory):
    """A person who manages machines."""

    username = factory.Sequence(lambda n: f"trainer{n}")

    @factory.post_generation
    def role(self, create: bool, extracted: Role | None, **kwargs: object) -> None:
        give_role(self, Role.TRAINER)


class QualificationFactory(DjangoModelFactory):
    class Meta:
        model = Qualification

    name = factory.Sequence(lambda n: f"Qualification {n}")


class GrantFactory(DjangoModelFactory):
    class Meta:
        model = Grant


class PlugFactory(DjangoModelFactory):
    """A plug with a state row, not contacted yet."""

    class Meta:
        model = SmartPlug
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Plug {n}")
    driver = "simulated"
    address = factory.Sequence(lambda n: f"sim-{n}")

    @factory.post_generation
    def state(self, create: bool, extracted: dict[str, object] | None, **kwargs: object) -> None:
        PlugState.objects.create(plug=self, **kwargs)


class LocationFactory(DjangoModelFactory):
    class Meta:
        model = Location

    name = factory.Sequence(lambda n: f"Room {n}")


class OpeningHoursFactory(DjangoModelFactory):
    class Meta:
        model = OpeningHours


class PrinterFactory(DjangoModelFactory):
    """A machine with a plug and the default rules."""

    class Meta:
        model = Printer

    name = factory.Sequence(lambda n: f"Printer {n}")
    plug = factory.SubFactory(PlugFactory)


class OutageFactory(DjangoModelFactory):
    class Meta:
        model = Outage

    reason = "Repair"
