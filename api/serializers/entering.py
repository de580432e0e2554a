"""What one shows to come in, and what one gets."""

from typing import Any

from rest_framework import serializers

from api.serializers.people import UserSerializer


class CredentialsSerializer(serializers.Serializer[Any]):
    """Name and password, and the code of the second factor where there is one."""

    username = serializers.CharField(max_length=254, help_text="User name or e-mail address.")
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        required=False,
        max_length=20,
        default="",
        allow_blank=True,
        write_only=True,
        help_text="Of the authenticator app, or a recovery code.",
    )


class SessionSerializer(serializers.Serializer[Any]):
    """Who is signed in; the CSRF token goes into the header ``X-CSRFToken`` of every change."""

    user = UserSerializer()
    csrf_token = serializers.CharField()


class TokenPairSerializer(serializers.Serializer[Any]):
    """``Authorization: Bearer <access>``; when it has expired, ``refresh`` buys the next pair, once."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds the access token is valid.")


class RefreshSerializer(serializers.Serializer[Any]):
    """The refresh token of the last pair."""

    refresh = serializers.CharField(max_length=4000, write_only=True)
