"""Uses and hours of use, from what is recorded."""

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ErrorDetail, ValidationError

from api.serializers.stats import StatsQuerySerializer, StatsSerializer
from api.views.base import Endpoint
from core import clock
from insights.domain import usage
from insights.domain.usage import Period, Span

USUAL = timedelta(days=30)
MOST_PERIODS = 1000


class Stats(Endpoint):
    """How much the machines are used."""

    serializer_class = StatsSerializer

    @extend_schema(parameters=[StatsQuerySerializer], responses=StatsSerializer)
    def get(self, request: Request) -> Response:
        """Uses and hours of a period. Trainers see everybody, trainees themselves; what machines were used, all see.

        Days, weeks and months are the workshop's. A use that reaches over midnight counts on both days.
        """
        question = StatsQuerySerializer(data=request.query_params)
        question.is_valid(raise_exception=True)
        given, now = question.validated_data, clock.now()
        period = _period(given, now)
        one = {"printer_id": given["printer"].pk if "printer" in given else None}
        group, own = given.get("group_by"), None if self.person.is_trainer else self.person.pk
        answer: dict[str, Any] = {
            "period": period,
            "usage": usage.total(period, now, **one),
            "printers": usage.by_printer(period, now, **one) if group in {None, "printer"} else [],
            "users": usage.by_user(period, now, **one, user_id=own) if group in {None, "user"} else [],
            "periods": usage.over_time(period, now, Span(group), **one) if group in list(Span) else [],
        }
        return Response(StatsSerializer(answer).data)


def _period(given: dict[str, Any], now: datetime) -> Period:
    """As asked. Raises ValidationError when it is empty, or falls into too many parts."""
    ends_at = given.get("to", now)
    try:
        period = Period(given.get("from", ends_at - USUAL), ends_at)
    except ValueError as error:
        raise _wrong(_("The start has to lie before the end."), "period_empty") from error
    if given.get("group_by") in list(Span):
        parts = usage.stretches(period, Span(given["group_by"]), timezone.get_default_timezone())
        if next(islice(parts, MOST_PERIODS, None), None) is not None:
            raise _wrong(_("That falls into too many parts; choose a shorter period."), "period_too_long")
    return period


def _wrong(message: str, code: str) -> ValidationError:
    return ValidationError({"from": [ErrorDetail(message, code=code)]})
