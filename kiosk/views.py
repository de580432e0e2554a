"""The wall page of the workshop's display."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from kiosk.domain import displaying
from kiosk.presenting import wall
from reservations.presenting import words
from reservations.views.access import Request, leave_session_alone, signed_in


@require_safe
@signed_in
def wall_page(request: Request) -> HttpResponse:
    """Every machine, large; the page asks for news by itself."""
    now = clock.now()
    context = {
        "wall": wall(displaying.status().is_active, now),
        "as_of": words.seconds(now, now),
        "time": words.clock(now),
        "stamp": int(now.timestamp() * 1000),
        "zone": settings.TIME_ZONE,
    }
    return render(request, "kiosk/wall.html", context)


@require_safe
@signed_in
def wall_live(request: Request) -> HttpResponse:
    """The part that changes; 204 while the display's version is still true."""
    now = clock.now()
    shown = wall(displaying.status().is_active, now)
    leave_session_alone(request)
    if request.GET.get("seen") == shown.version:
        response = HttpResponse(status=204)
    else:
        response = render(request, "kiosk/_live.html", {"wall": shown})
    response["X-As-Of"] = words.seconds(now, now)
    response["X-Now"] = str(int(now.timestamp() * 1000))
    return response
