"""Pictures of machines, for people who are signed in. A proxy may serve them in our place."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

# Only these are shown in the browser; whatever else may lie there is a file to be saved, never a page.
SHOWN = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


@require_safe
@login_required
def picture(request: HttpRequest, path: str) -> HttpResponse:
    """One file under the media directory, and nothing outside of it."""
    try:
        with default_storage.open(path) as file:
            content = file.read()
    except (OSError, ValueError, SuspiciousFileOperation) as error:
        raise Http404 from error
    shown = SHOWN.get(path.rpartition(".")[2].lower())
    answer = HttpResponse(content, content_type=shown or "application/octet-stream")
    if shown is None:
        answer["Content-Disposition"] = "attachment"
    answer["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    answer["Cache-Control"] = "private, max-age=86400"  # a new picture has a new name
    return answer
