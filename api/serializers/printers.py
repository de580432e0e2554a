"""Machines as the API shows and takes them, and when they can be had."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from api.serializers.fields import InstantField
from api.serializers.keeping import KeptSerializer
from plugs.models import SmartPlug
from printers.choices import Activity, Service
from printers.models import LONGEST_MINUTES, Location, Outage, Printer
from reservations.choices import MachineState
from reservations.domain.queries import Standing
from reservations.models import Job

LONGEST_LOOK = timedelta(days=62)
USUAL_LOOK = timedelta(days=7)


class LocationNameField(serializers.SlugRelatedField[Location]):
    """A location by its name."""

    default_error_messages = {
        "does_not_exist": gettext_lazy(
            "There is no location “{value}”. GET /api/locations lists those there are."
        ),
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "The location's name, as in `/api/locations`; null: none.")
        super().__init__(slug_field="name", queryset=Location.objects.all(), **kwargs)


class RulesSerializer(KeptSerializer[Printer]):
    """What booking the machine asks for, and how its power is handled."""

    class Meta:
        model = Printer
        fields = [
            "step_minutes",
            "min_minutes",
            "max_minutes",
            "horizon_days",
            "notice_minutes",
            "buffer_minutes",
            "is_open_at_night",
            "needs_approval",
            "qualifications",
            "lead_minutes",
            "cool_down_minutes",
            "idle_below_w",
            "busy_above_w",
            "hard_limit_minutes",
        ]
        extra_kwargs = {
            "step_minutes": {"help_text": "Starts and ends lie on this grid, counted from local midnight."},
            "buffer_minutes": {"help_text": "Stay free after each booking."},
            "qualifications": {"help_text": "Ids of the qualifications a person needs, all of them."},
            "lead_minutes": {"help_text": "The power comes on so long before the start."},
            "cool_down_minutes": {"help_text": "The power stays on so long after the end."},
            "idle_below_w": {"help_text": "Power is never cut while more is drawn, in watts."},
            "busy_above_w": {"help_text": "The machine counts as working above, in watts."},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Nothing yet: the rules are judged with the rest of the machine."""
        return attrs


class PrinterSerializer(KeptSerializer[Printer]):
    """A machine. Only `name` is needed: then it can be booked at any hour, 60 days ahead."""

    location = LocationNameField(required=False, allow_null=True)
    state = serializers.SerializerMethodField(help_text="How it stands right now.")
    plug = serializers.PrimaryKeyRelatedField(
        queryset=SmartPlug.objects.all(),
        required=False,
        allow_null=True,
        help_text="Id of its smart plug; null: its power is not switched.",
    )
    rules = RulesSerializer(
        source="*", required=False, help_text="What is left out stays as it is, or gets the usual value."
    )

    class Meta:
        model = Printer
        fields = [
            "id",
            "name",
            "kind",
            "maker",
            "model",
            "location",
            "state",
            "plug",
            "rules",
            "service",
            "service_note",
            "note",
            "network_address",
            "picture",
        ]
        read_only_fields = ["service", "service_note", "picture"]
        extra_kwargs = {
            "service": {"help_text": "Whether it may be used; changed through `/api/printers/{id}/service`."},
            "note": {"max_length": 2000},
        }

    @extend_schema_field(serializers.ChoiceField(choices=MachineState.choices))
    def get_state(self, printer: Printer) -> str:
        """From the overview of all that are shown, not asked for each."""
        states: dict[int, MachineState] = self.context["states"]
        return states[printer.pk].value

    def validate_plug(self, plug: SmartPlug | None) -> SmartPlug | None:
        """One plug serves one machine."""
        users = Printer.objects.filter(plug=plug)
        if isinstance(self.instance, Printer):
            users = users.exclude(pk=self.instance.pk)
        if plug is not None and (user := users.first()) is not None:
            message = _("The plug already belongs to the machine “%(name)s”.") % {"name": user.name}
            raise serializers.ValidationError(message, code="unique")
        return plug


class ServiceSerializer(serializers.Serializer[Any]):
    """Whether the machine may be used, and why not."""

    service = serializers.ChoiceField(choices=Service.choices)
    note = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=200, help_text="Everybody sees it."
    )


# ------------------------------------------------------------------ how it stands


class CurrentJobSerializer(serializers.Serializer[Job]):
    """The job that has the machine now; whose it is, only for its owner and trainers."""

    id = serializers.SerializerMethodField(help_text="Null where the asker may not know.")
    owner = serializers.SerializerMethodField(
        help_text="The owner's name; null where the asker may not know."
    )
    until = serializers.SerializerMethodField(help_text="The machine is taken until then.")

    def get_id(self, job: Job) -> int | None:
        """The job's id."""
        return job.pk if self._may_know(job) else None

    def get_owner(self, job: Job) -> str | None:
        """The owner's name."""
        return str(job.owner) if self._may_know(job) else None

    @extend_schema_field(InstantField())
    def get_until(self, job: Job) -> Any:
        """With the buffer after it."""
        return InstantField().to_representation(max(job.ends_at, job.occupied_until))

    def _may_know(self, job: Job) -> bool:
        return may_know(self.context["viewer"], job)


def may_know(viewer: User, job: Job) -> bool:
    """Whose a job is, only its owner and trainers know."""
    return viewer.is_trainer or job.owner_id == viewer.pk


class NextJobSerializer(serializers.Serializer[Job]):
    """The booking that comes next within a week."""

    starts_at = InstantField()


class ClosureSerializer(serializers.Serializer[Outage]):
    """Why nobody can use the machine, and until when."""

    id = serializers.IntegerField()
    reason = serializers.CharField()
    starts_at = InstantField()
    ends_at = InstantField()


class StatusSerializer(serializers.Serializer[Standing]):
    """A machine as it stands right now."""

    id = serializers.IntegerField(source="printer.pk")
    name = serializers.CharField(source="printer.name")
    state = serializers.ChoiceField(choices=MachineState.choices)
    activity = serializers.ChoiceField(choices=Activity.choices, help_text="Judged by what it draws.")
    power_w = serializers.FloatField(
        source="plug_state.power_w", default=None, allow_null=True, help_text="Watts; null: not known."
    )
    wanted = serializers.BooleanField(
        source="plug_state.wanted",
        default=None,
        allow_null=True,
        help_text="Whether its power shall be on; null: nobody decides.",
    )
    observed = serializers.BooleanField(
        source="plug_state.observed",
        default=None,
        allow_null=True,
        help_text="Whether it was last seen on; null: not known.",
    )
    job = CurrentJobSerializer(source="current", allow_null=True)
    next = NextJobSerializer(allow_null=True)
    free_until = InstantField(allow_null=True, help_text="Null: not free, or nothing booked within a week.")
    outage = ClosureSerializer(allow_null=True)
    last_contact_at = InstantField(source="plug_state.last_contact_at", default=None, allow_null=True)


class StatusListSerializer(serializers.Serializer[Any]):
    """Every machine."""

    results = StatusSerializer(many=True)


# ------------------------------------------------------------------ when it can be had


class LookSerializer(serializers.Serializer[Any]):
    """From when until when to look."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """``from`` is a word of the language."""
        begin = InstantField(required=False, help_text="Left out: now.")
        end = InstantField(required=False, help_text="Left out: 7 days later; at most 62 days later.")
        return {"from": begin, "to": end}

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """What was asked for. Raises ValidationError where it runs backwards, or too far."""
        start = self.validated_data.get("from", now)
        end = self.validated_data.get("to", start + USUAL_LOOK)
        if end <= start:
            raise serializers.ValidationError({"to": [_("The end must come after the start.")]})
        if end - start > LONGEST_LOOK:
            raise serializers.ValidationError({"to": [_("At most 62 days at once.")]})
        return start, end


class SpanSerializer(serializers.Serializer[Any]):
    """A span of time, its end not included."""

    starts_at = InstantField()
    ends_at = InstantField()


class TakenSerializer(serializers.Serializer[Job]):
    """A booking that stands; until the machine can be had again."""

    starts_at = InstantField()
    ends_at = InstantField(source="occupied_until")
    job = serializers.SerializerMethodField(help_text="Its id; null where the asker may not know.")

    def get_job(self, job: Job) -> int | None:
        """The job's id."""
        return job.pk if may_know(self.context["viewer"], job) else None


class AvailabilitySerializer(serializers.Serializer[Any]):
    """One machine over some days."""

    printer = serializers.IntegerField()
    free = SpanSerializer(
        many=True,
        help_text="Where a booking can begin, the opening hours and the machine's rules applied. If the machine may "
        "run on after closing time, the booking's end may lie behind the span, up to what is taken or closed.",
    )
    taken = TakenSerializer(many=True)
    closed = ClosureSerializer(many=True, help_text="Outages and closures.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """``from`` is a word of the language."""
        fields = super().get_fields()
        return {"printer": fields.pop("printer"), "from": InstantField(), "to": InstantField(), **fields}


class NextFreeSerializer(serializers.Serializer[Any]):
    """How long, and from when on."""

    minutes = serializers.IntegerField(
        required=False,
        default=60,
        min_value=1,
        max_value=LONGEST_MINUTES,
        help_text="A length between two steps of a machine is rounded up.",
    )
    after = InstantField(required=False, help_text="Left out: now.")


class NextFreeOfOneSerializer(NextFreeSerializer):
    """And how many windows."""

    count = serializers.IntegerField(required=False, default=3, min_value=1, max_value=50)


class OfferSerializer(serializers.Serializer[Any]):
    """A window that can be booked."""

    printer = serializers.IntegerField(source="printer.pk")
    name = serializers.CharField(source="printer.name", help_text="The machine's name.")
    starts_at = InstantField(source="window.starts_at")
    ends_at = InstantField(source="window.ends_at")
    is_qualified = serializers.BooleanField(help_text="Whether the asker holds what the machine asks for.")


class OffersSerializer(serializers.Serializer[Any]):
    """The soonest first; none: nothing fits."""

    results = OfferSerializer(many=True)
