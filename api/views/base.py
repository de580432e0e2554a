"""What every resource of the API has in common."""

from collections.abc import Collection
from functools import partial
from typing import Any, cast

from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.models import User
from api import conditional, problems, throttling
from core.actor import Actor, Channel


class Endpoint(APIView):
    """Answers carry their ETag and the state of the limits, and no cache in between keeps them."""

    @property
    def person(self) -> User:
        """Who asks; only where strangers have been turned away."""
        return cast(User, self.request.user)

    @property
    def actor(self) -> Actor:
        """The person, through the API."""
        return Actor(self.request.user.pk, Channel.API)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the address first: whoever tries tokens that there are not never gets as far as a person."""
        address = throttling.AddressThrottle()
        if not address.allow_request(request, self):
            self.throttled(request, address.wait())
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the headers."""
        if getattr(response, "content_type", None) == problems.CONTENT_TYPE:
            # Also where the answer would have been a calendar.
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in throttling.headers(request._request).items():
            response[name] = value
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Authorization", "Cookie"])
        if response.status_code in {200, 201} and hasattr(response, "add_post_render_callback"):
            response.add_post_render_callback(partial(conditional.settle, request._request))
        return response


class Resource(Endpoint, GenericViewSet[Any]):
    """A set of rows: lists in pages with sparse fields, one row with its version.

    ``volatile`` names what of the representation machines keep changing: ``If-Match`` does not look at it.
    """

    volatile: Collection[str] = ()

    def list(self, request: Request) -> Response:
        """One page, filtered and ordered."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        serializer = self.get_serializer(page, many=True)
        row = cast(Any, serializer).child
        if wanted := self._wanted(row):
            for name in set(row.fields) - wanted:
                row.fields.pop(name)
        return self.get_paginated_response(serializer.data)

    def filter_queryset(self, queryset: Any) -> Any:
        """Lists are filtered; a row that is named is that row."""
        return queryset if self.detail else super().filter_queryset(queryset)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row."""
        return self.represent(self.get_object())

    def represent(self, row: Any, *, status: int = 200, serializer: Any = None) -> Response:
        """The row as its answer, with its version, as far as it was asked for."""
        serializer = serializer or self.get_serializer(row)
        data = serializer.data
        version = conditional.version_of(data, self.volatile)
        if wanted := self._wanted(serializer):
            data = {name: value for name, value in data.items() if name in wanted}
        response = Response(data, status=status)
        response.version = version  # type: ignore[attr-defined] # for the ETag
        return response

    def demand_match(self, row: Any) -> None:
        """Raise 412 where the asker knows another version; call it under the row's lock."""
        version = conditional.version_of(self.get_serializer(row).data, self.volatile)
        conditional.demand_match(self.request, version)

    def _wanted(self, serializer: serializers.Serializer[Any]) -> set[str]:
        """The names in ``?fields=id,title``; empty: all. Raises ValidationError for a name there is not."""
        asked = self.request.query_params.get("fields", "")
        wanted = {name.strip() for name in asked.split(",") if name.strip()}
        if not wanted:
            return wanted  # a serializer's fields cost more than a row: they are not made for nothing
        readable = {name for name, field in serializer.fields.items() if not field.write_only}
        if unknown := sorted(wanted - readable):
            said = _("There is no field “%(name)s”; choose from: %(names)s.")
            raise ValidationError(
                {"fields": [said % {"name": unknown[0], "names": ", ".join(sorted(readable))}]}
            )
        return wanted
