"""An example workshop: people, six machines with their plugs, and two months of bookings around now.

Every booking goes through the door and every start and end through the clock's own pass, only with other
instants than the present one.
"""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F
from PIL import Image, ImageDraw

from accounts.choices import Role
from accounts.domain.roles import give_role
from accounts.models import Grant, Qualification, User
from core.actor import SYSTEM, Actor, Channel
from core.errors import Refused
from plugs.choices import CommandResult
from plugs.domain.registering import save_plug
from plugs.models import PlugCommand, SmartPlug
from printers.choices import Service
from printers.domain.keeping import save_printer, set_service
from printers.models import Location, Printer
from reservations.domain import booking, lifecycle
from reservations.domain.booking import Wish
from simulation.plug import SimulatedPlug
from simulation.spec import PlugSpec

PASSWORD = "demo"  # noqa: S105 - for the demo alone
RUNNING_SINCE = timedelta(minutes=50)
PLUG_USER, PLUG_PASSWORD = "workshop@example.org", "workshop"

TRAINERS = [("trainer", "Thea", "Brandt"), ("tobias", "Tobias", "Winkler")]
TRAINEES = [
    ("alice", "Alice", "Neumann"),
    ("ben", "Ben", "Acar"),
    ("clara", "Clara", "Vogt"),
    ("david", "David", "Rossi"),
    ("elif", "Elif", "Yilmaz"),
    ("finn", "Finn", "Hansen"),
    ("greta", "Greta", "Lindner"),
    ("hannes", "Hannes", "Moser"),
]
PURPOSES = [
    "Gehäuse v2",
    "Halterung",
    "Zahnrad",
    "Prüfkörper",
    "Gabelkopf",
    "Lüfterdüse",
    "Namensschild",
    "Spannbacke",
]


@dataclass(frozen=True, slots=True)
class Example:
    """One machine of the example workshop."""

    name: str
    maker: str
    model: str
    room: str
    colour: str
    rules: dict[str, object]


EXAMPLES = [
    Example("Drucker 1", "Prusa", "MK3S+", "Werkstatt", "#f97316", {"lead_minutes": 0}),
    Example("Drucker 2", "Prusa", "MINI+", "Werkstatt", "#f97316", {}),
    Example("Drucker 3", "Creality", "Ender-3 V2", "Werkstatt", "#2563eb", {}),
    Example("Drucker 4", "Anycubic", "Kobra 2", "Werkstatt", "#0ea5e9", {"buffer_minutes": 15}),
    Example("Drucker 5", "Ultimaker", "2+ Connect", "Werkstatt", "#64748b", {"needs_approval": True}),
    Example("Drucker 6", "Artillery", "Sidewinder X2", "Labor", "#dc2626", {"max_minutes": 24 * 60}),
]


def plug_specs(ports: list[int]) -> list[PlugSpec]:
    """The simulated plugs, three of each older generation; they print three minutes after they get power."""
    return [
        PlugSpec(
            name=f"plug-{number}",
            port=port,
            generation="passthrough" if number <= 3 else "klap",
            username=PLUG_USER,
            password=PLUG_PASSWORD,
            auto_print_after=180,
            print_for=2400,
            seed=number,
        )
        for number, port in enumerate(ports, start=1)
    ]


@transaction.atomic
def seed(ports: list[int], now: datetime) -> None:
    """Fill an empty database; the same every time but for the dates."""
    people = _people(now)
    printers = _machines(ports, people, now)
    chance = random.Random(2026)  # noqa: S311 - an example, not a secret
    wishes = [wish for printer in printers for wish in _bookings(printer, people, now, chance)]
    for at, wish in sorted(wishes, key=_moment):
        _live_until(at, now)
        try:
            booking.book(wish, actor=Actor(wish.owner_id, Channel.WEB), now=at)
        except Refused:
            continue  # two people wanted the same hour; that happens
    _live_until(now, now)
    _run_now(printers, people, now)
    _tell_the_past(now)
    set_service(
        printers[5:],
        Service.MAINTENANCE,
        note="Düse wird getauscht",
        actor=Actor(people[0].pk, Channel.ADMIN),
        now=now,
    )


def follow_ports(ports: list[int], now: datetime) -> None:
    """The simulated plugs listen elsewhere this time, as after a new address from the router."""
    for number, port in enumerate(ports, start=1):
        plug = SmartPlug.objects.filter(name=f"Steckdose {number}").first()
        if plug is not None and plug.address != f"127.0.0.1:{port}":
            plug.address = f"127.0.0.1:{port}"
            save_plug(plug, changed=["address"], actor=SYSTEM, now=now)


def _people(now: datetime) -> list[User]:
    """Two trainers first, then the trainees; and an administrator."""
    admin = User.objects.create_superuser("admin", "admin@workshop.test", PASSWORD, first_name="Ada")
    give_role(admin, Role.ADMINISTRATOR)
    people = []
    for username, first, last in TRAINERS + TRAINEES:
        user = User(username=username, first_name=first, last_name=last, email=f"{username}@workshop.test")
        user.password = admin.password  # one hash for all: bcrypt is slow on purpose
        user.save()
        give_role(user, Role.TRAINER if (username, first, last) in TRAINERS else Role.TRAINEE)
        people.append(user)
    return people


def _machines(ports: list[int], people: list[User], now: datetime) -> list[Printer]:
    training = Qualification.objects.create(
        name="Ultimaker-Einweisung", description="Eine Stunde bei Thea Brandt."
    )
    for user in people[:5]:
        Grant.objects.create(
            user=user, qualification=training, granted_at=now - timedelta(days=90), granted_by=people[0]
        )
    printers = []
    for number, (example, port) in enumerate(zip(EXAMPLES, ports, strict=True), start=1):
        plug = SmartPlug(
            name=f"Steckdose {number}",
            address=f"127.0.0.1:{port}",
            username=PLUG_USER,
            password=PLUG_PASSWORD,
        )
        save_plug(plug, changed=[], actor=SYSTEM, now=now)
        room, _made = Location.objects.get_or_create(name=example.room)
        printer = Printer(
            name=example.name,
            maker=example.maker,
            model=example.model,
            location=room,
            plug=plug,
            **example.rules,
        )
        printer.picture.save(f"drucker-{number}.png", ContentFile(_picture(example.colour)), save=False)
        printers.append(save_printer(printer, changed=[], actor=SYSTEM, now=now))
    printers[4].qualifications.add(training)
    return printers


def _picture(colour: str) -> bytes:
    """A drawing of a printer as PNG: a stand-in for the photograph a workshop would upload."""
    image = Image.new("RGB", (640, 480), "#e2e8f0")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((140, 60, 500, 430), radius=18, outline=colour, width=22)
    draw.line((140, 140, 500, 140), fill=colour, width=18)
    draw.polygon([(280, 150), (360, 150), (340, 210), (300, 210)], fill="#334155")
    draw.polygon([(230, 400), (410, 400), (380, 270), (260, 270)], fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _moment(planned: tuple[datetime, Wish]) -> datetime:
    return planned[0]


def _bookings(
    printer: Printer, people: list[User], now: datetime, chance: random.Random
) -> Iterator[tuple[datetime, Wish]]:
    """Who booked this machine when: a day or more ahead, for working days, 30 days back to 10 days ahead."""
    qualified = people[2:5] if printer.needs_approval else people[2:]
    for day in range(-30, 10):
        noon = (now + timedelta(days=day)).replace(hour=11, minute=0, second=0, microsecond=0)
        if noon.weekday() >= 5:
            continue
        ahead = timedelta(days=1, hours=chance.randrange(1, 5))
        booked_at = min(noon - ahead, now - timedelta(hours=chance.randrange(1, 40)))
        for hour in chance.sample(range(-4, 6), k=chance.randrange(0, 3)):
            start = noon + timedelta(hours=hour)
            if abs(start - now) < timedelta(hours=5):
                continue  # the hours around now are set by hand
            wish = Wish(
                printer.pk,
                chance.choice(qualified).pk,
                start + timedelta(minutes=15 * chance.randrange(4, 17)),
                start,
                title=chance.choice(PURPOSES),
            )
            yield booked_at, wish


def _live_until(at: datetime, now: datetime) -> None:
    """Let the clock's own pass do everything that was due before ``at``."""
    while (due := lifecycle.next_due(now)) is not None and due <= at:
        lifecycle.advance_due(due)


def _run_now(printers: list[Printer], people: list[User], now: datetime) -> None:
    """Two jobs are running, one comes up within the hour, one waits for approval."""
    began = now - RUNNING_SINCE
    for printer, owner, hours in ((printers[0], people[3], 3), (printers[1], people[4], 2)):
        wish = Wish(printer.pk, owner.pk, _quarter(now) + timedelta(hours=hours), title="Gehäuse v2")
        booking.book(wish, actor=Actor(owner.pk, Channel.WEB), now=began)
    soon = _quarter(now) + timedelta(minutes=45)
    for printer, owner, start in (
        (printers[3], people[6], soon),
        (printers[4], people[3], soon + timedelta(hours=20)),
        (printers[2], people[2], soon + timedelta(hours=3)),
    ):
        wish = Wish(printer.pk, owner.pk, start + timedelta(hours=2), start, title="Prüfkörper")
        try:
            booking.book(wish, actor=Actor(owner.pk, Channel.WEB), now=now)
        except Refused:
            continue


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _tell_the_past(now: datetime) -> None:
    """The plugs did what they were told; the simulator is told the same (:func:`first_states`)."""
    PlugCommand.objects.update(
        result=CommandResult.CONFIRMED,
        attempts=1,
        sent_at=F("planned_at") + timedelta(milliseconds=110),
        confirmed_at=F("planned_at") + timedelta(milliseconds=120),
    )


def first_states(specs: list[PlugSpec], now: datetime) -> dict[str, dict[str, object]]:
    """How the simulated plugs stand when the demo begins: the two running jobs print."""
    began = now - RUNNING_SINCE
    states = {}
    for spec in specs[:2]:
        plug = SimulatedPlug(spec, clock=lambda: began)
        plug.switch(True)
        plug.start_print(3 * 3600)
        states[spec.name] = plug.state()
    return states
