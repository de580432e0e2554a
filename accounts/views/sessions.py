"""Where one is logged in."""

from dataclasses import dataclass

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.domain import sessions as door
from accounts.views.access import Request, about_oneself, actor_of
from core import clock
from core.words import moment

# The first that is found counts: Edge says Chrome too, and everybody says Safari.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One session in words."""

    pk: int
    device: str
    address: str
    since: str
    is_this: bool


@require_safe
@about_oneself
def sessions(request: Request) -> HttpResponse:
    """The list."""
    now = clock.now()
    lines = [
        Line(
            row.pk,
            device_words(row.user_agent),
            row.ip,
            moment(row.created_at, now),
            row.session_key == request.session.session_key,
        )
        for row in door.sessions_of(request.user.pk, now)
    ]
    return render(request, "accounts/sessions.html", {"lines": lines})


@require_POST
@about_oneself
def session_end(request: Request, pk: int) -> HttpResponse:
    """End one; the present one has the button to log out."""
    try:
        door.end_one(request.user, pk, actor=actor_of(request), now=clock.now())
    except UserSession.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, _("That session is ended."))
    return redirect("sessions")


@require_POST
@about_oneself
def sessions_end(request: Request) -> HttpResponse:
    """Log out everywhere else."""
    keep = request.session.session_key
    count = door.end_others(request.user, keep=keep, actor=actor_of(request), now=clock.now())
    said = ngettext("%(count)d other session is ended.", "%(count)d other sessions are ended.", count)
    messages.success(request, said % {"count": count})
    return redirect("sessions")


def device_words(user_agent: str) -> str:
    """ "Firefox, Windows"; what we do not know is shown as it came, cut short."""
    words = [next((word for sign, word in table if sign in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, words)) or user_agent[:60] or _("unknown device")
