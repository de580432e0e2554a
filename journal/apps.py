from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JournalConfig(AppConfig):
    name = "journal"
    verbose_name = _("Journal")

    def ready(self) -> None:
        """Listen below."""
        from journal import receivers  # noqa: F401, PLC0415 - models exist only from here on
