"""Every address of the product."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.i18n import set_language
from django.views.static import serve

from core.views import healthz

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", include("reservations.urls")),
    path("", include("api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("language", set_language, name="set_language"),
    # Pictures of machines, for people who are logged in. A proxy may serve them in our place.
    path("media/<path:path>", login_required(serve), {"document_root": settings.MEDIA_ROOT}, name="media"),
]
