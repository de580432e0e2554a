from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        """Listen, and settle the roles after each migration."""
        from accounts.receivers import make_roles  # noqa: PLC0415 - models exist only from here on

        post_migrate.connect(make_roles, dispatch_uid="accounts.make_roles")
