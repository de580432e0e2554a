"""Writes docs/openapi.yaml anew: ``.venv/bin/python -m tests.api.describe``."""

import os
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
HEADER = "# Made by `.venv/bin/python -m tests.api.describe`. Do not edit.\n"


def text() -> str:
    """The schema as the file holds it."""
    from drf_spectacular.renderers import OpenApiYamlRenderer  # noqa: PLC0415 - wants Django set up

    from api.views.docs import described  # noqa: PLC0415

    return HEADER + OpenApiYamlRenderer().render(described(), renderer_context={}).decode()


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "myp_project.settings_test"
    django.setup()
    FILE.write_text(text(), encoding="utf-8")
