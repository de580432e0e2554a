"""A whole class at once, from a table; and the page that shows one-time links, once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.domain import importing, inviting, letters
from accounts.forms import ClassForm
from accounts.models import User
from core.errors import Refused
from core.theme import actor_of

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[User]
else:
    _Base = object


def links_page(
    page: "admin.ModelAdmin[User]",
    request: HttpRequest,
    links: Sequence[tuple[User, str]],
    invited: Sequence[User] = (),
) -> HttpResponse:
    """The links, to copy or to print. Nobody keeps this page: not the browser, not a proxy."""
    context = {
        **page.admin_site.each_context(request),
        "title": _("One-time links"),
        "opts": page.opts,
        "links": links,
        "invited": invited,
        "days": inviting.valid_for().days,
        "back": reverse("admin:accounts_user_changelist"),
    }
    response = TemplateResponse(request, "accounts/admin/links.html", context)
    add_never_cache_headers(response)
    response["Referrer-Policy"] = "no-referrer"
    return response


class ClassImport(_Base):
    """Upload, look, confirm. Nothing is written before the last step, and then what was shown."""

    list_before_template = "accounts/admin/_import_link.html"

    def get_urls(self) -> list[URLPattern]:
        """One address for all steps."""
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="accounts_user_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """The form on GET; the preview of a file; the people when the preview is confirmed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        actor = actor_of(request)
        form = ClassForm(request.POST or None, request.FILES or None)
        rows: list[importing.Row] = []
        try:
            if "sealed" in request.POST:
                form = ClassForm()
                rows = importing.unseal(request.POST["sealed"], actor)
                if not any(row.problems for row in rows):
                    return self._add(request, rows)
            elif form.is_valid():
                rows = importing.read(form.cleaned_data["file"])
        except Refused as no:
            return self._preview(request, form, rows, no)
        return self._preview(request, form, rows)

    def _preview(
        self, request: HttpRequest, form: ClassForm, rows: list[importing.Row], no: Refused | None = None
    ) -> HttpResponse:
        wrong = sum(bool(row.problems) for row in rows)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("Import a class"),
            "opts": self.opts,
            "form": form,
            "rows": rows,
            "wrong": wrong,
            "refused": [str(violation.message) for violation in no.violations] if no else [],
            "sealed": importing.seal(rows, actor_of(request)) if rows and not wrong else "",
            "may_mail": letters.can_send() and any(row.email for row in rows),
            "most": importing.MOST_ROWS,
            "back": reverse("admin:accounts_user_changelist"),
        }
        return TemplateResponse(request, "accounts/admin/import.html", context)

    def _add(self, request: HttpRequest, rows: list[importing.Row]) -> HttpResponse:
        """The people, all or none; then for each the way to a password."""
        actor, origin = actor_of(request), request.build_absolute_uri("/")
        people = importing.add_class(rows, actor=actor)
        by_mail = "by_mail" in request.POST and letters.can_send()
        invited = [person for person in people if by_mail and person.email]
        letters.invite(invited, actor=actor, origin=origin, language=get_language() or "")
        others = [person for person in people if person not in invited]
        links = inviting.password_links(others, actor=actor, origin=origin)
        return links_page(self, request, links, invited)
