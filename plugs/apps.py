from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PlugsConfig(AppConfig):
    name = "plugs"
    verbose_name = _("Smart plugs")
