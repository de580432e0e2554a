from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ReservationsConfig(AppConfig):
    name = "reservations"
    verbose_name = _("Bookings")

    def ready(self) -> None:
        """Listen below, and see to it that the database goes on refusing overlaps."""
        from reservations import checks, receivers  # noqa: F401, PLC0415 - models exist only from here on
        from reservations.constraints import reinstall_when_missing  # noqa: PLC0415 - likewise

        post_migrate.connect(reinstall_when_missing, sender=self, dispatch_uid="reservations.no_overlap")
