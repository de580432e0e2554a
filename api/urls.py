"""The addresses of the API. A slash at the end may be there or not: see ``api.middleware``."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from api.views import calendar, docs, entering, fallback, jobs

router = SimpleRouter(trailing_slash=False)
router.register("jobs", jobs.Jobs, basename="api-job")

auth = [
    path("login", entering.Login.as_view(), name="api-login"),
    path("logout", entering.Logout.as_view(), name="api-logout"),
    path("session", entering.Session.as_view(), name="api-session"),
    path("token", entering.Token.as_view(), name="api-token"),
    path("token/refresh", entering.TokenRefresh.as_view(), name="api-token-refresh"),
]

urlpatterns = [
    path("auth/login", entering.Login.as_view()),
    path("auth/logout", entering.Logout.as_view()),
    path("api/auth/", include(auth)),
    path("api/calendar/jobs.ics", calendar.OwnJobs.as_view(), name="api-calendar"),
    path("api/calendar/printers/<int:id>.ics", calendar.PrinterJobs.as_view(), name="api-calendar-printer"),
    path("api/schema", docs.Schema.as_view(), name="api-schema"),
    path("api/docs", docs.docs, name="api-docs"),
    path("api/", include(router.urls)),
    re_path(r"^(?:api|auth)(?:/.*)?$", fallback.Nothing.as_view()),
]
