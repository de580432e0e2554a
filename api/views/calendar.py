"""Calendars to subscribe to. Programs show a personal token in place of the password: nothing secret is in the address."""

from typing import Any

from django.http import Http404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api import calendars
from api.authentication import BearerAuthentication, CalendarAuthentication, CookieAuthentication
from api.views.base import Endpoint
from core import clock
from printers.models import Printer
from reservations.models import Job


class CalendarRenderer(BaseRenderer):
    """The calendar is text already."""

    media_type = "text/calendar"
    format = "ics"

    def render(self, data: bytes, *about: Any) -> bytes:
        """As it is."""
        return data


AS_TEXT = {(200, "text/calendar"): OpenApiTypes.STR}


class Feed(Endpoint):
    """Jobs of the last 90 and the next 180 days. What did not take place is told as `CANCELLED` for 30 days."""

    authentication_classes = [CalendarAuthentication, BearerAuthentication, CookieAuthentication]
    renderer_classes = [CalendarRenderer]

    def link(self, job: Job) -> str:
        """The address of the job's page."""
        return self.request.build_absolute_uri(reverse("job", args=[job.pk]))


class OwnJobs(Feed):
    __doc__ = Feed.__doc__

    @extend_schema(responses=AS_TEXT)
    def get(self, request: Request) -> Response:
        """Your own jobs as a calendar."""
        return Response(calendars.of_person(self.person, now=clock.now(), link=self.link))


class PrinterJobs(Feed):
    __doc__ = Feed.__doc__

    @extend_schema(responses=AS_TEXT, parameters=[OpenApiParameter("id", int, "path")])
    def get(self, request: Request, id: int) -> Response:
        """A machine's jobs as a calendar. Trainees see of others only that it is taken."""
        printer = Printer.objects.filter(pk=id).first()
        if printer is None:
            raise Http404
        feed = calendars.of_printer(printer, reader=self.person, now=clock.now(), link=self.link)
        return Response(feed)
