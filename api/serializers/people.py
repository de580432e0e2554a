"""People as the API shows and takes them."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.choices import Role
from accounts.models import User


class UserSerializer(serializers.ModelSerializer[User]):
    """A person; passwords are never shown."""

    role = serializers.ChoiceField(choices=Role.choices, read_only=True)

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "first_name",
            "last_name",
            "email",
            "role",
            "is_active",
            "must_change_password",
            "last_login",
            "date_joined",
        ]
        read_only_fields = fields


class PersonSerializer(serializers.Serializer[Any]):
    """A new person."""

    username = serializers.CharField(
        max_length=150, validators=[UnicodeUsernameValidator()], help_text="Nobody else's name or address."
    )
    first_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    last_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    email = serializers.EmailField(
        required=False, max_length=254, allow_blank=True, help_text="Everybody's own, or none."
    )
    role = serializers.ChoiceField(
        choices=Role.choices, required=False, help_text="Administrators only; left out: `trainee`."
    )
    password = serializers.CharField(
        required=False,
        max_length=1000,
        trim_whitespace=False,
        write_only=True,
        help_text="Left out: the person needs a one-time link (`POST /api/users/{id}/password-link`).",
    )
    must_change_password = serializers.BooleanField(
        required=False,
        help_text="Whether the person has to choose a password of their own at the next log-in.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A password has to be a good one for this person."""
        if "password" in attrs:
            texts = {
                name: attrs[name]
                for name in ("username", "first_name", "last_name", "email")
                if name in attrs
            }
            demand_good_password(attrs["password"], User(**texts), field="password")
        return attrs


class PersonChangeSerializer(PersonSerializer):
    """What of a person can be changed; what is left out stays."""

    is_active = serializers.BooleanField(
        required=False,
        help_text="False ends the person's sessions and tokens and cancels their bookings, at once.",
    )


class OwnSerializer(serializers.Serializer[Any]):
    """What of oneself can be changed; the workshop may keep the names to itself."""

    first_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    last_name = serializers.CharField(required=False, max_length=150, allow_blank=True)
    email = serializers.EmailField(required=False, max_length=254, allow_blank=True)


class PasswordLinkSerializer(serializers.Serializer[Any]):
    """A link with which a person chooses a password; it works once."""

    link = serializers.URLField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)


def demand_good_password(password: str, person: User, *, field: str) -> None:
    """Raise ValidationError at the field with everything that is wrong with the password."""
    try:
        validate_password(password, person)
    except DjangoValidationError as error:
        found = [
            serializers.ErrorDetail(" ".join(one.messages), code=str(one.code)) for one in error.error_list
        ]
        raise serializers.ValidationError({field: found}) from error
