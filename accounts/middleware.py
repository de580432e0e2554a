"""What a person has to settle before anything else."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from accounts import second_factor

# Where everybody may go all the same: out, to another language, and where the answer is asked for.
ALWAYS_OPEN = {"account_logout", "set_language", "healthz"}
PASSWORD_PAGE = "account_change_password"  # noqa: S105 - the name of a page
FACTOR_PAGE = "mfa_index"
API = ("/api/", "/auth/")
API_OPEN = (
    "/auth/login",
    "/auth/logout",
    "/auth/session",
    "/api/auth/logout",
    "/api/auth/session",
    "/api/me/password",
)


class UnfinishedBusiness:
    """Leads to the form for a new password, or to the second factor, until that is done.

    It reads the person that the page needs anyway, and asks the database nothing else.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """Stop at everything else."""
        name = (request.resolver_match and request.resolver_match.url_name) or ""
        if name in ALWAYS_OPEN or request.path.rstrip("/") in API_OPEN or not request.user.is_authenticated:
            return None
        if request.user.must_change_password:
            if name == PASSWORD_PAGE:
                return None
            message = _("Choose a password of your own first; the one you have was set by somebody else.")
            return _send(request, PASSWORD_PAGE, "password_change_needed", message)
        if settings.TWO_FACTOR_ROLES and not _leads_to_factor(name) and second_factor.is_missing(request):
            message = _("Your role needs a second factor. Set one up first.")
            return _send(request, FACTOR_PAGE, "second_factor_missing", message)
        return None


def _leads_to_factor(name: str) -> bool:
    return name.startswith("mfa_") or name in {"account_reauthenticate", PASSWORD_PAGE}


def _send(request: HttpRequest, page: str, code: str, message: str) -> HttpResponse:
    """Programs are told in their own way; a part of a page that loads itself takes the whole page along."""
    if request.path.startswith(API):
        error = {"code": code, "field": "", "message": message, "overridable": False}
        problem = {
            "type": "urn:myp:refused", "title": "Forbidden", "status": 403, "detail": message, "errors": [error],
        }  # fmt: skip
        return JsonResponse(problem, status=403, content_type="application/problem+json")
    if "HX-Request" in request.headers:
        return HttpResponseClientRedirect(reverse(page))
    return HttpResponseRedirect(reverse(page))
