"""Every address of the product."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.i18n import set_language

from core.views import healthz
from printers.views import picture

# One way in. Django's own form would take a password from whoever is in already, and ask for no second factor.
admin.site.login = secure_admin_login(require_safe(admin.site.login))  # type: ignore[method-assign]

urlpatterns = [
    path("", include("reservations.urls")),
    path("", include("kiosk.urls")),
    path("", include("api.urls")),
    path("", include("accounts.urls")),  # before the libraries' own, which some of it replaces
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("language", set_language, name="set_language"),
    path("media/<path:path>", picture, name="media"),
]
