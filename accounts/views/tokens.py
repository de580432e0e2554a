"""One's own personal tokens."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.choices import Scope
from accounts.domain import tokens as door
from accounts.forms import TokenForm
from accounts.models import PersonalToken
from accounts.views.access import Request, about_oneself, actor_of, password_again
from core import clock
from core.errors import Refused
from core.forms import show_violations


@require_http_methods(["GET", "HEAD", "POST"])
@about_oneself
@password_again
def tokens(request: Request) -> HttpResponse:
    """The list; a new token is shown in the answer to its making, and never again."""
    now, plain = clock.now(), ""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        ends = None if form.lives is None else now + form.lives
        name, scope = form.cleaned_data["name"], Scope(form.cleaned_data["scope"])
        try:
            _token, plain = door.issue(request.user.pk, name, scope, ends, actor=actor_of(request), now=now)
            form = TokenForm()
        except Refused as no:
            show_violations(form, no.violations)
    rows = PersonalToken.objects.filter(user=request.user)
    context = {"form": form, "tokens": rows, "plain": plain, "now": now}
    return render(request, "accounts/tokens.html", context)


@require_POST
@about_oneself
def token_delete(request: Request, pk: int) -> HttpResponse:
    """Make one worthless."""
    try:
        door.revoke(pk, actor=actor_of(request))
    except PersonalToken.DoesNotExist as error:
        raise Http404 from error
    messages.success(request, _("The token is deleted. What used it no longer gets in."))
    return redirect("tokens")
