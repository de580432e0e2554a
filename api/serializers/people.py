"""People as the API shows them."""

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
