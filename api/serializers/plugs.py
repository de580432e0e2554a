"""Plugs as the API shows and takes them, what they were told, and what they said."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.serializers.fields import InstantField
from api.serializers.keeping import KeptSerializer
from plugs.choices import Health
from plugs.drivers.registry import driver_names
from plugs.models import PlugCommand, PlugReading, PlugState, SmartPlug
from plugs.wording import fault_words

LONGEST_BY_HAND = 31 * 24 * 60


class FaultSerializer(serializers.Serializer[PlugState]):
    """What went wrong at the last contact."""

    code = serializers.CharField(source="error_code")
    message = serializers.SerializerMethodField(help_text="What happened, and what to do.")
    at = InstantField(source="error_at", allow_null=True)

    def get_message(self, state: PlugState) -> str:
        """In words."""
        return fault_words(state.error_code)


class PlugSerializer(KeptSerializer[SmartPlug]):
    """A smart plug: how to reach it, what is wanted of it, and what it was last seen doing.

    Only `name`, `driver` and `address` are needed. What the machine writes by itself (from `observed` on) does not
    count for `If-Match`.
    """

    driver = serializers.ChoiceField(choices=driver_names())
    password = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=1000,
        trim_whitespace=False,
        help_text="Of the plug's account. It is stored encrypted, and nobody can read it again.",
    )
    wanted = serializers.BooleanField(
        source="state.wanted", read_only=True, allow_null=True, help_text="Null: nobody decides, hands off."
    )
    observed = serializers.BooleanField(
        source="state.observed", read_only=True, allow_null=True, help_text="Null: not known."
    )
    power_w = serializers.FloatField(source="state.power_w", read_only=True, allow_null=True)
    last_contact_at = InstantField(source="state.last_contact_at", read_only=True, allow_null=True)
    health = serializers.ChoiceField(
        source="state.health", choices=Health.choices, read_only=True, help_text="How well it is reached."
    )
    energy_today_wh = serializers.FloatField(source="state.energy_today_wh", read_only=True, allow_null=True)
    energy_total_wh = serializers.FloatField(source="state.energy_total_wh", read_only=True, allow_null=True)
    device_id = serializers.CharField(
        source="state.device_id",
        read_only=True,
        help_text="By which the plug is known; empty: not asked yet.",
    )
    generation = serializers.CharField(
        source="state.generation", read_only=True, help_text="The protocol it was found to speak."
    )
    firmware = serializers.CharField(source="state.firmware", read_only=True)
    rssi = serializers.IntegerField(
        source="state.rssi", read_only=True, allow_null=True, help_text="Signal strength in dBm."
    )
    wanted_reason = serializers.CharField(source="state.wanted_reason", read_only=True)
    override_until = InstantField(
        source="state.override_until",
        read_only=True,
        allow_null=True,
        help_text="Until when somebody's word goes before the plan.",
    )
    override_reason = serializers.CharField(source="state.override_reason", read_only=True)
    last_error = serializers.SerializerMethodField(help_text="Null: the last contact went well.")

    class Meta:
        model = SmartPlug
        fields = [
            "id",
            "name",
            "driver",
            "address",
            "username",
            "password",
            "wanted",
            "observed",
            "power_w",
            "last_contact_at",
            "health",
            "energy_today_wh",
            "energy_total_wh",
            "device_id",
            "generation",
            "firmware",
            "rssi",
            "wanted_reason",
            "override_until",
            "override_reason",
            "last_error",
        ]

    @extend_schema_field(FaultSerializer(allow_null=True))
    def get_last_error(self, plug: SmartPlug) -> dict[str, Any] | None:
        """The fault of the last contact."""
        return FaultSerializer(plug.state).data if plug.state.error_code else None


class SwitchSerializer(serializers.Serializer[Any]):
    """Your word goes before the plan for a while."""

    on = serializers.BooleanField()
    minutes = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=60,
        min_value=1,
        max_value=LONGEST_BY_HAND,
        help_text="For so long; null: until it is released.",
    )
    reason = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=200,
        help_text="Needed; everybody sees it, and the journal keeps it.",
    )
    cut = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Switch off even under load: a print that is running is lost. Without this, switching off waits "
        "until the machine draws next to nothing.",
    )


class CommandSerializer(serializers.ModelSerializer[PlugCommand]):
    """One change that was wanted of a plug, and what became of it."""

    class Meta:
        model = PlugCommand
        fields = [
            "id",
            "plug",
            "on",
            "reason",
            "actor",
            "planned_at",
            "created_at",
            "sent_at",
            "confirmed_at",
            "attempts",
            "result",
            "error_code",
        ]
        read_only_fields = fields


class ReadingSerializer(serializers.ModelSerializer[PlugReading]):
    """What a plug said; kept when it changed, and at least once a minute, for 90 days."""

    class Meta:
        model = PlugReading
        fields = ["id", "plug", "at", "on", "power_w", "energy_today_wh", "energy_month_wh"]
        read_only_fields = fields
