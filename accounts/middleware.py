"""What a person has to settle before anything else."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.domain.unfinished import FACTOR, PASSWORD, unfinished
from core.errors import Violation

# Where everybody may go all the same: out, to another language, and where the answer is asked for.
ALWAYS_OPEN = {"account_logout", "set_language", "healthz"}
PAGES = {PASSWORD: "account_change_password", FACTOR: "mfa_index"}
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
        missing = unfinished(request.user)
        return None if missing is None or _leads_to(missing.code, name) else _send(request, missing)


def _leads_to(code: str, name: str) -> bool:
    """Whether the page is one on which the thing is settled."""
    if code == PASSWORD:
        return name == PAGES[PASSWORD]
    return name.startswith("mfa_") or name in {"account_reauthenticate", PAGES[PASSWORD]}


def _send(request: HttpRequest, missing: Violation) -> HttpResponse:
    """Programs are told in their own way; a part of a page that loads itself takes the whole page along."""
    if request.path.startswith(API):
        told = str(missing.message)
        error = {"code": missing.code, "field": "", "message": told, "overridable": False}
        problem = {
            "type": "urn:myp:refused", "title": "Forbidden", "status": 403, "detail": told, "errors": [error],
        }  # fmt: skip
        return JsonResponse(problem, status=403, content_type="application/problem+json")
    page = reverse(PAGES[missing.code])
    if "HX-Request" in request.headers:
        return HttpResponseClientRedirect(page)
    return HttpResponseRedirect(page)
