"""All machines at a glance, one machine, and booking it."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core import clock
from core.errors import Refused
from printers.models import Printer
from reservations.choices import State
from reservations.domain import booking
from reservations.domain.queries import standing_of
from reservations.forms import BookingForm, suggestion
from reservations.models import Job
from reservations.presenting import pages, slots, words
from reservations.presenting.machines import machine_card
from reservations.views.access import Request, actor_of, leave_session_alone, signed_in


@signed_in
@require_safe
def overview(request: Request) -> HttpResponse:
    """My next step, then every machine."""
    now = clock.now()
    context = {"live": pages.live(request.user, now), "as_of": words.seconds(now, now)}
    return render(request, "reservations/overview.html", context)


@signed_in
@require_safe
def live_machines(request: Request) -> HttpResponse:
    """The part that changes; 204 while the client's version is still true."""
    now = clock.now()
    live = pages.live(request.user, now)
    leave_session_alone(request)
    if request.GET.get("seen") == live.version:
        response = HttpResponse(status=204)
    else:
        response = render(request, "reservations/_live.html", {"live": live})
    response["X-As-Of"] = words.seconds(now, now)
    return response


@signed_in
@require_safe
def printer(request: Request, pk: int) -> HttpResponse:
    """One machine: how it stands, its rules and free slots, and the form."""
    return _page(request, pk, clock.now())


@signed_in
def book(request: Request, pk: int) -> HttpResponse:
    """Ask the door; a refusal shows the page again, with every reason at its field."""
    if request.method != "POST":
        return redirect("printer", pk)
    now = clock.now()
    machine = get_object_or_404(Printer, pk=pk)
    form = BookingForm(request.POST, printer=machine, person=request.user)
    _demand_own(request, form)
    if not form.is_valid():
        return _page(request, pk, now, form)
    reason = form.cleaned_data.get("waive_reason", "")
    try:
        job = booking.book(form.wish(now), actor=actor_of(request), now=now, waive_reason=reason)
    except Refused as no:
        form.refuse(no.violations)
        return _page(request, pk, now, form, status=409)
    _say_booked(request, job, now)
    return redirect("jobs")


def _demand_own(request: Request, form: BookingForm) -> None:
    """A form without the field was never asked for whom: somebody else there means a forged form."""
    asked = request.POST.get("owner", "")
    if "owner" not in form.fields and asked not in {"", str(request.user.pk)}:
        raise PermissionDenied(_("Only trainers book for others."))


def _say_booked(request: Request, job: Job, now: datetime) -> None:
    said = {"printer": job.printer.name, "window": words.window(job.starts_at, job.ends_at, now)}
    if job.state == State.PENDING:
        messages.success(request, _("Asked for: %(printer)s, %(window)s. A trainer will decide.") % said)
    else:
        messages.success(request, _("Booked: %(printer)s, %(window)s.") % said)


def _page(
    request: Request, pk: int, now: datetime, form: BookingForm | None = None, *, status: int = 200
) -> HttpResponse:
    try:
        standing = standing_of(pk, now)
    except Printer.DoesNotExist as error:
        raise Http404 from error
    machine = standing.printer
    hours = slots.hours_at(machine)
    card = machine_card(standing, request.user, now)
    days = slots.slot_days(machine, hours, now) if card.is_bookable else []
    if form is None:
        soonest = slots.soonest(days, machine, now)
        initial = suggestion(request.GET, machine, soonest=soonest.starts_at, is_now=soonest.is_now)
        form = BookingForm(initial=initial, printer=machine, person=request.user)
    context: dict[str, Any] = {
        "card": card,
        "note": machine.note,
        "days": days,
        "rules": slots.rules_in_words(machine, hours),
        "needs": slots.needs(machine, request.user, now),
        "taken": slots.taken_rows(machine, request.user, now),
        "form": form,
    }
    return render(request, "reservations/printer.html", context, status=status)
