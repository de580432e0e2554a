"""The ASGI application that uvicorn serves."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myp_project.settings")

pages = get_asgi_application()

from core.asgi import BodyLimits  # noqa: E402 - reads the settings

application = BodyLimits(pages)
