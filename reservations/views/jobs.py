"""My jobs, one job, and what can be done with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core import clock
from core.errors import Refused
from reservations.domain import booking, lifecycle
from reservations.forms import ExtendForm, ReasonForm
from reservations.models import Job
from reservations.presenting import pages, words
from reservations.presenting.jobs import job_card, job_cards, power_story
from reservations.views.access import Request, actor_of, signed_in

PER_PAGE = 20


@dataclass(frozen=True, slots=True)
class Verb:
    """A door that takes a job, and what is said when it has done its work."""

    door: Callable[..., Job]
    said: Promise | str
    takes_reason: bool = False


VERBS: dict[str, Verb] = {
    "start": Verb(lifecycle.start, gettext_lazy("Started: %(printer)s.")),
    "finish": Verb(
        lifecycle.finish, gettext_lazy("Finished: %(printer)s. The rest of the time is free for others.")
    ),
    "cancel": Verb(booking.cancel, gettext_lazy("Cancelled: %(printer)s, %(window)s."), takes_reason=True),
    "approve": Verb(lifecycle.approve, gettext_lazy("Approved: %(printer)s, %(window)s.")),
    "refuse": Verb(lifecycle.refuse, gettext_lazy("Refused: %(printer)s, %(window)s."), takes_reason=True),
    "abort": Verb(lifecycle.abort, gettext_lazy("Aborted: %(printer)s."), takes_reason=True),
}


@signed_in
@require_safe
def jobs(request: Request) -> HttpResponse:
    """Running and coming jobs, then the past ones, page by page."""
    now = clock.now()
    page = Paginator(pages.past_jobs(request.user), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "open": job_cards(pages.open_jobs(request.user), request.user, now),
        "page": page,
        "past": job_cards(page.object_list, request.user, now),
    }
    return render(request, "reservations/jobs.html", context)


@signed_in
@require_safe
def job(request: Request, pk: int) -> HttpResponse:
    """One job with the story of its power."""
    return _page(request, _mine_or_404(request, pk), clock.now())


@signed_in
def extend(request: Request, pk: int) -> HttpResponse:
    """Ask the door for a later end."""
    found = _mine_or_404(request, pk)
    if request.method != "POST":
        return redirect("job", pk)
    now = clock.now()
    form = ExtendForm(request.POST)
    if not form.is_valid():
        return _page(request, found, now, extending=form)
    try:
        changed = booking.extend(pk, **form.order(), actor=actor_of(request), now=now)
    except Refused as no:
        form.refuse(no.violations)
        return _page(request, found, now, extending=form, status=409)
    said = {"printer": found.printer.name, "time": words.moment(changed.ends_at, now)}
    messages.success(request, _("Extended: %(printer)s until %(time)s.") % said)
    return _back(request)


@signed_in
def act(request: Request, pk: int, verb: str) -> HttpResponse:
    """Walk the job through one of the doors."""
    if verb not in VERBS:
        raise Http404
    found = _mine_or_404(request, pk)
    if request.method != "POST":
        return redirect("job", pk)
    now = clock.now()
    form = ReasonForm(request.POST)
    given = {"reason": form.cleaned_data["reason"]} if form.is_valid() and VERBS[verb].takes_reason else {}
    try:
        VERBS[verb].door(pk, **given, actor=actor_of(request), now=now)
    except Refused as no:
        form.refuse(no.violations)
        return _page(request, found, now, reasoning=form, status=409)
    said = {"printer": found.printer.name, "window": words.window(found.starts_at, found.ends_at, now)}
    messages.success(request, str(VERBS[verb].said) % said)
    return _back(request)


def _mine_or_404(request: Request, pk: int) -> Job:
    """The job, if the person owns it or trains; for everybody else there is none."""
    found = get_object_or_404(pages.with_machines(Job.objects.all()), pk=pk)
    if found.owner_id != request.user.pk and not request.user.is_trainer:
        raise Http404
    return found


def _back(request: Request) -> HttpResponse:
    """Where the person came from, if that is a page of ours."""
    came_from = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        came_from, {request.get_host()}, require_https=request.is_secure()
    )
    return redirect(came_from if is_ours else "jobs")


def _page(
    request: Request,
    found: Job,
    now: datetime,
    *,
    extending: ExtendForm | None = None,
    reasoning: ReasonForm | None = None,
    status: int = 200,
) -> HttpResponse:
    if status == 409:
        found.refresh_from_db(
            fields=["state", "starts_at", "ends_at", "started_at", "finished_at", "closed_reason"]
        )
    context = {
        "card": job_card(found, request.user, now),
        "job": found,
        "steps": power_story(found, now),
        "extending": extending or ExtendForm(initial={"ends_at": found.ends_at}),
        "reasoning": reasoning or ReasonForm(),
    }
    return render(request, "reservations/job.html", context, status=status)
