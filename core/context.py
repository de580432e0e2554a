"""What every template knows."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """The site's name, whether this is the demo, and whether mail can be sent."""
    return {
        "site_name": settings.SITE_NAME,
        "is_demo": "simulation" in settings.INSTALLED_APPS,
        "has_mail": bool(settings.EMAIL_HOST),
    }
