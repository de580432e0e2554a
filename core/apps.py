"""The core's start: finds what every app wants done by the clock."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Scheduler")

    def ready(self) -> None:
        """Register the system checks, and every app's ``periodic.py``."""
        from core import checks  # noqa: F401, PLC0415 - checks register themselves once the apps are loaded

        autodiscover_modules("periodic")
