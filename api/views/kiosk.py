"""The display in the workshop."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.permissions import IsTrainer
from api.serializers.kiosk import DisplaySerializer
from api.views.base import Endpoint
from core import clock
from kiosk.domain import displaying


class KioskStatus(Endpoint):
    """For everybody who is signed in."""

    serializer_class = DisplaySerializer

    def get(self, request: Request) -> Response:
        """Whether the display shows the machines."""
        return Response(DisplaySerializer(displaying.status()).data)


class KioskActivate(Endpoint):
    """Trainers only."""

    permission_classes = [IsTrainer]
    serializer_class = DisplaySerializer

    @extend_schema(request=None, responses=DisplaySerializer)
    def post(self, request: Request) -> Response:
        """Let the display show the machines. Nothing happens where it does already."""
        return Response(DisplaySerializer(displaying.activate(actor=self.actor, now=clock.now())).data)


class KioskDeactivate(Endpoint):
    """Trainers only."""

    permission_classes = [IsTrainer]
    serializer_class = DisplaySerializer

    @extend_schema(request=None, responses=DisplaySerializer)
    def post(self, request: Request) -> Response:
        """Let the display show that it is switched off. Nothing happens where it does already."""
        return Response(DisplaySerializer(displaying.deactivate(actor=self.actor, now=clock.now())).data)
