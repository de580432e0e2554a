"""The addresses of the API. A slash at the end may be there or not: see ``api.middleware``."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from api.views import (
    calendar,
    docs,
    entering,
    fallback,
    jobs,
    kiosk,
    me,
    people,
    places,
    plugs,
    printers,
    records,
    scheduler,
    stats,
)

router = SimpleRouter(trailing_slash=False)
router.register("jobs", jobs.Jobs, basename="api-job")
router.register("printers", printers.Printers, basename="api-printer")
router.register("locations", places.Locations, basename="api-location")
router.register("outages", places.Outages, basename="api-outage")
router.register("qualifications", places.Qualifications, basename="api-qualification")
router.register("grants", places.Grants, basename="api-grant")
router.register("plugs", plugs.Plugs, basename="api-plug")
router.register("plugs/(?P<plug>[0-9]{1,18})/commands", plugs.Commands, basename="api-plug-command")
router.register("plugs/(?P<plug>[0-9]{1,18})/readings", plugs.Readings, basename="api-plug-reading")
router.register("commands", plugs.Commands, basename="api-command")
router.register("readings", plugs.Readings, basename="api-reading")
router.register("users", people.People, basename="api-user")
router.register("journal", records.Journal, basename="api-entry")
router.register("auth/sessions", me.Sessions, basename="api-own-session")
router.register("auth/tokens", me.Tokens, basename="api-own-token")

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
    path("api/me", me.Me.as_view({"get": "retrieve", "patch": "partial_update"}, detail=True), name="api-me"),
    path("api/me/password", me.Password.as_view(), name="api-me-password"),
    path("api/stats", stats.Stats.as_view(), name="api-stats"),
    path("api/scheduler/status", scheduler.SchedulerStatus.as_view(), name="api-scheduler"),
    path("api/scheduler/start", scheduler.SchedulerStart.as_view(), name="api-scheduler-start"),
    path("api/scheduler/stop", scheduler.SchedulerStop.as_view(), name="api-scheduler-stop"),
    path("api/kiosk/status", kiosk.KioskStatus.as_view(), name="api-kiosk"),
    path("api/kiosk/activate", kiosk.KioskActivate.as_view(), name="api-kiosk-activate"),
    path("api/kiosk/deactivate", kiosk.KioskDeactivate.as_view(), name="api-kiosk-deactivate"),
    path("api/", include(router.urls)),
    re_path(r"^(?:api|auth)(?:/[\s\S]*)?\Z", fallback.Nothing.as_view()),
]
