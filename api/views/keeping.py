"""What resources have in common that people keep: added, changed and removed through doors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import once
from api.permissions import IsTrainerOrReads
from api.serializers.keeping import KeptSerializer
from api.views.base import Resource
from core import clock


class Kept(Resource, ABC):
    """Everybody who is signed in reads, trainers change."""

    permission_classes = [IsTrainerOrReads]
    lookup_value_regex = "[0-9]{1,18}"

    @abstractmethod
    def keep(self, row: Any, changed: Sequence[str], given: dict[str, Any], now: datetime) -> None:
        """Through the door that adds or changes the row; ``given`` is all that was asked for."""

    @abstractmethod
    def drop(self, row: Any, now: datetime) -> None:
        """Through the door that removes the row."""

    @once
    def create(self, request: Request) -> Response:
        """Add one."""
        order = self._order(data=request.data)
        row = order.new_row()
        self.keep(row, order.put_on(row), order.validated_data, clock.now())
        response = self.represent(self.get_queryset().get(pk=row.pk), status=201)
        response["Location"] = self.reverse_action("detail", args=[row.pk])
        return response

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove one."""
        with transaction.atomic():
            self.drop(self.taken(pk), clock.now())
        return Response(status=204)

    def taken(self, pk: str) -> Any:
        """The row, locked; 404 where there is none, 412 for a version that has passed."""
        row = get_object_or_404(self.get_queryset().select_for_update(of=("self",)), pk=pk)
        self.demand_match(row)
        return row

    def _order(self, *args: Any, **kwargs: Any) -> KeptSerializer[Any]:
        order = cast(KeptSerializer[Any], self.get_serializer(*args, **kwargs))
        order.is_valid(raise_exception=True)
        return order


class Changeable(Kept):
    """What can be changed after it was added."""

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is named; what is left out stays."""
        with transaction.atomic():
            row = self.taken(pk)
            order = self._order(row, data=request.data, partial=True)
            self.keep(row, order.put_on(row), order.validated_data, clock.now())
            return self.represent(self.get_queryset().get(pk=pk))
