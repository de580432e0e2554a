"""What is not there is a problem document, too."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from api.views.base import Endpoint


class Nothing(Endpoint):
    """Every other address under /api/ and /auth/."""

    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the method, 404."""
        super().initial(request, *args, **kwargs)
        raise NotFound
