"""Pictures of machines, for people who are signed in. A proxy may serve them in our place."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

# Only these are shown in the browser; whatever else may lie there is a file to be saved, never a page.
SHOWN = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


@require_safe
@login_required
def picture(request: HttpRequest, path: str) -> FileResponse:
    """One file under the media directory, and nothing outside of it."""
    try:
        file = default_storage.open(path)
    except (OSError, ValueError, SuspiciousFileOperation) as error:
        raise Http404 from error
    shown = SHOWN.get(path.rpartition(".")[2].lower())
    answer = FileResponse(file, as_attachment=shown is None, content_type=shown or "application/octet-stream")
    answer["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    answer["Cache-Control"] = "private, max-age=86400"  # a new picture has a new name
    return answer
