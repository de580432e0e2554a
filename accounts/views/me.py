"""One's own page: name, address, and the ways to password, second factor, sessions and tokens."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.domain import people
from accounts.forms import AddressForm
from accounts.views.access import Request, about_oneself, actor_of, password_again
from core.errors import Refused
from core.forms import show_violations


@require_http_methods(["GET", "HEAD", "POST"])
@about_oneself
@password_again
def me(request: Request) -> HttpResponse:
    """Show it; a new address is taken after the password was given again."""
    form = AddressForm(request.POST or None, initial={"email": request.user.email})
    if request.method == "POST" and form.is_valid():
        try:
            people.change_person(
                request.user.pk, {"email": form.cleaned_data["email"]}, actor=actor_of(request)
            )
        except Refused as no:
            show_violations(form, no.violations)
        else:
            messages.success(request, _("Your e-mail address is saved."))
            return redirect("me")
    return render(request, "accounts/me.html", {"form": form})
