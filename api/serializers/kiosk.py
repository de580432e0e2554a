"""The workshop's display as the API shows it."""

from typing import Any

from rest_framework import serializers


class DisplaySerializer(serializers.Serializer[Any]):
    """Whether the display shows the machines, and where its page is."""

    active = serializers.BooleanField(source="is_active", read_only=True)
    changed_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Null: nobody has ever switched it."
    )
    changed_by = serializers.IntegerField(
        source="changed_by_id", read_only=True, allow_null=True, help_text="A user's id."
    )
    page = serializers.SerializerMethodField()

    def get_page(self, display: Any) -> str:
        """Where the display looks."""
        return "/kiosk"
