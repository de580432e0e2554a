"""One's own password, sessions and tokens."""

from typing import Any

from allauth.usersessions.models import UserSession
from rest_framework import serializers

from accounts.choices import Scope
from accounts.models import PersonalToken
from api.serializers.fields import InstantField


class PasswordChangeSerializer(serializers.Serializer[Any]):
    """The present password, and the next."""

    old_password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    new_password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class OwnSessionSerializer(serializers.ModelSerializer[UserSession]):
    """Where one is signed in."""

    device = serializers.CharField(
        source="user_agent", read_only=True, help_text="As the program calls itself."
    )
    address = serializers.CharField(source="ip", read_only=True)
    since = serializers.DateTimeField(source="created_at", read_only=True)
    current = serializers.SerializerMethodField(help_text="Whether this request came through it.")

    class Meta:
        model = UserSession
        fields = ["id", "device", "address", "since", "current"]
        read_only_fields = fields

    def get_current(self, row: UserSession) -> bool:
        """The key itself is nobody's to see."""
        key: str | None = self.context.get("own_key")
        return key is not None and row.session_key == key


class EndedSerializer(serializers.Serializer[Any]):
    """How many sessions were ended."""

    ended = serializers.IntegerField(read_only=True)


class TokenSerializer(serializers.ModelSerializer[PersonalToken]):
    """A personal token; its key is not kept and cannot be shown again."""

    class Meta:
        model = PersonalToken
        fields = ["id", "name", "scope", "hint", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


class NewTokenSerializer(serializers.Serializer[Any]):
    """What the token is for, what it may do and how long."""

    name = serializers.CharField(max_length=100)
    scope = serializers.ChoiceField(
        choices=Scope.choices, default=Scope.READ.value, help_text="`read`, or `write` for both."
    )
    expires_at = InstantField(required=False, allow_null=True, default=None, help_text="Left out: no end.")


class MadeTokenSerializer(TokenSerializer):
    """A new token with its key, which is shown here and nowhere else."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields
