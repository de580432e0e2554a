"""Who may do what at which address: every address of the product, every role, every method it knows.

The addresses come from the URL configuration, so that a new one without a line here fails. What is asked for exists
and belongs to the trainee, so that "ok" means a page that was really made.
"""

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from accounts.choices import GuardKind, Role, Scope
from accounts.domain import tokens
from accounts.domain.roles import TRAINER_MAY
from accounts.models import LoginGuard, PersonalToken, User
from core.actor import Actor, Channel
from core.clock import now
from core.models import Heartbeat, PeriodicTask, SchedulerState
from journal.models import Entry
from kiosk.models import Display
from plugs.models import PlugCommand, PlugReading
from reservations.domain import booking
from reservations.domain.booking import Wish
from reservations.models import BookingLimits
from tests import factories
from tests.routes import Route, routes

ROLES = ("anonymous", "trainee", "trainer", "administrator")
API = ("api/", "auth/", "<var>")
PLANTED = "planted-secret-4711"
TOTP_SECRET = "PLANTEDJBSWY3DPEHPK3PXP"

# Method and address: what a stranger, a trainee, a trainer and an administrator get.
#   ok     it is done or shown        go   on to another page of ours      login  to the log-in
#   no     403                        none 404, as if it were not there    bad    400, 409 or 422: understood, refused
#   401, 405, 410, 429, 500           as they are
TABLE = """
GET    /                                                 login  ok     ok     ok
POST   /                                                 login  405    405    405
GET    /<var>                                            none   none   none   none
POST   /<var>                                            none   none   none   none
GET    /_machines                                        login  ok     ok     ok
POST   /_machines                                        login  405    405    405
GET    /accounts/2fa/                                    login  ok     ok     ok
POST   /accounts/2fa/                                    login  405    405    405
GET    /accounts/2fa/authenticate/                       login  go     go     go
POST   /accounts/2fa/authenticate/                       login  go     go     go
GET    /accounts/2fa/reauthenticate/                     login  go     ok     go
POST   /accounts/2fa/reauthenticate/                     login  go     ok     go
GET    /accounts/2fa/recovery-codes/                     login  none   none   none
POST   /accounts/2fa/recovery-codes/                     login  405    405    405
GET    /accounts/2fa/recovery-codes/download/            login  none   none   none
POST   /accounts/2fa/recovery-codes/download/            login  none   none   none
GET    /accounts/2fa/recovery-codes/generate/            login  go     go     go
POST   /accounts/2fa/recovery-codes/generate/            login  go     go     go
GET    /accounts/2fa/totp/activate/                      login  go     go     go
POST   /accounts/2fa/totp/activate/                      login  go     go     go
GET    /accounts/2fa/totp/deactivate/                    login  none   go     none
POST   /accounts/2fa/totp/deactivate/                    login  none   go     none
GET    /accounts/2fa/webauthn/                           login  ok     ok     ok
POST   /accounts/2fa/webauthn/                           login  405    405    405
GET    /accounts/2fa/webauthn/add/                       login  go     go     go
POST   /accounts/2fa/webauthn/add/                       login  go     go     go
GET    /accounts/2fa/webauthn/keys/<int:pk>/edit/        login  go     go     go
POST   /accounts/2fa/webauthn/keys/<int:pk>/edit/        login  go     go     go
GET    /accounts/2fa/webauthn/keys/<int:pk>/remove/      login  go     go     go
POST   /accounts/2fa/webauthn/keys/<int:pk>/remove/      login  go     go     go
GET    /accounts/2fa/webauthn/login/                     login  go     go     go
POST   /accounts/2fa/webauthn/login/                     login  go     go     go
GET    /accounts/2fa/webauthn/reauthenticate/            login  go     go     go
POST   /accounts/2fa/webauthn/reauthenticate/            login  go     go     go
GET    /accounts/3rdparty/                               login  ok     ok     ok
POST   /accounts/3rdparty/                               login  ok     ok     ok
GET    /accounts/3rdparty/login/cancelled/               ok     ok     ok     ok
POST   /accounts/3rdparty/login/cancelled/               405    405    405    405
GET    /accounts/3rdparty/login/error/                   401    401    401    401
POST   /accounts/3rdparty/login/error/                   405    405    405    405
GET    /accounts/3rdparty/signup/                        login  login  login  login
POST   /accounts/3rdparty/signup/                        login  login  login  login
GET    /accounts/confirm-email/                          ok     ok     ok     ok
POST   /accounts/confirm-email/                          405    405    405    405
GET    /accounts/confirm-email/<key>/                    ok     ok     ok     ok
POST   /accounts/confirm-email/<key>/                    none   none   none   none
GET    /accounts/email/                                  go     go     go     go
POST   /accounts/email/                                  go     go     go     go
GET    /accounts/inactive/                               ok     ok     ok     ok
POST   /accounts/inactive/                               405    405    405    405
GET    /accounts/login/                                  ok     go     go     go
POST   /accounts/login/                                  ok     go     go     go
GET    /accounts/login/code/confirm/                     login  go     go     go
POST   /accounts/login/code/confirm/                     login  go     go     go
GET    /accounts/logout/                                 login  ok     ok     ok
POST   /accounts/logout/                                 login  login  login  login
GET    /accounts/oidc/<provider_id>/login/               none   none   none   none
POST   /accounts/oidc/<provider_id>/login/               none   none   none   none
GET    /accounts/oidc/<provider_id>/login/callback/      none   none   none   none
POST   /accounts/oidc/<provider_id>/login/callback/      none   none   none   none
GET    /accounts/password/change/                        login  ok     ok     ok
POST   /accounts/password/change/                        login  ok     ok     ok
GET    /accounts/password/reset/                         ok     ok     ok     ok
POST   /accounts/password/reset/                         ok     ok     ok     ok
GET    /accounts/password/reset/done/                    ok     ok     ok     ok
POST   /accounts/password/reset/done/                    405    405    405    405
GET    /accounts/password/reset/key/<uidb36>-<key>/      ok     ok     ok     ok
POST   /accounts/password/reset/key/<uidb36>-<key>/      ok     ok     ok     ok
GET    /accounts/password/reset/key/done/                ok     ok     ok     ok
POST   /accounts/password/reset/key/done/                405    405    405    405
GET    /accounts/password/set/                           login  go     go     go
POST   /accounts/password/set/                           login  go     go     go
GET    /accounts/reauthenticate/                         login  ok     ok     ok
POST   /accounts/reauthenticate/                         login  ok     ok     ok
GET    /accounts/sessions/                               go     go     go     go
POST   /accounts/sessions/                               go     go     go     go
GET    /accounts/signup/                                 ok     go     go     go
POST   /accounts/signup/                                 ok     go     go     go
GET    /accounts/social/connections/                     go     go     go     go
POST   /accounts/social/connections/                     go     go     go     go
GET    /accounts/social/login/cancelled/                 go     go     go     go
POST   /accounts/social/login/cancelled/                 go     go     go     go
GET    /accounts/social/login/error/                     go     go     go     go
POST   /accounts/social/login/error/                     go     go     go     go
GET    /accounts/social/signup/                          go     go     go     go
POST   /accounts/social/signup/                          go     go     go     go
GET    /admin/                                           login  login  ok     ok
POST   /admin/                                           login  login  ok     ok
GET    /admin/<app_label>/                               login  login  ok     ok
POST   /admin/<app_label>/                               login  login  ok     ok
GET    /admin/<url>                                      login  login  none   none
POST   /admin/<url>                                      login  login  none   none
GET    /admin/autocomplete/                              login  login  no     no
POST   /admin/autocomplete/                              login  login  405    405
GET    /admin/jsi18n/                                    login  login  ok     ok
POST   /admin/jsi18n/                                    login  login  405    405
GET    /admin/login/                                     login  no     go     go
POST   /admin/login/                                     login  no     405    405
GET    /admin/logout/                                    go     go     405    405
POST   /admin/logout/                                    go     go     login  login
GET    /admin/password_change/                           go     go     go     go
POST   /admin/password_change/                           go     go     go     go
GET    /admin/password_change/done/                      login  login  ok     ok
POST   /admin/password_change/done/                      login  login  405    405
GET    /admin/r/<path:content_type_id>/<path:object_id>/ login  login  none   none
POST   /admin/r/<path:content_type_id>/<path:object_id>/ login  login  none   none
GET    /admin/search/                                    login  login  ok     ok
POST   /admin/search/                                    login  login  ok     ok
POST   /api/auth/login                                   bad    bad    bad    bad
GET    /api/auth/logout                                  ok     ok     ok     ok
POST   /api/auth/logout                                  ok     ok     ok     ok
GET    /api/auth/session                                 401    ok     ok     ok
GET    /api/auth/sessions                                401    ok     ok     ok
DELETE /api/auth/sessions/<pk>                           401    ok     none   none
GET    /api/auth/sessions/<pk>                           401    ok     none   none
POST   /api/auth/sessions/end-others                     401    ok     ok     ok
POST   /api/auth/token                                   bad    bad    bad    bad
POST   /api/auth/token/refresh                           bad    bad    bad    bad
GET    /api/auth/tokens                                  401    ok     ok     ok
POST   /api/auth/tokens                                  401    no     no     no
DELETE /api/auth/tokens/<pk>                             401    ok     none   none
GET    /api/auth/tokens/<pk>                             401    ok     none   none
GET    /api/calendar/jobs.ics                            401    ok     ok     ok
GET    /api/calendar/printers/<int:id>.ics               401    ok     ok     ok
GET    /api/commands                                     401    no     ok     ok
GET    /api/commands/<pk>                                401    no     ok     ok
GET    /api/docs                                         login  ok     ok     ok
POST   /api/docs                                         405    405    405    405
GET    /api/grants                                       401    ok     ok     ok
POST   /api/grants                                       401    no     bad    bad
DELETE /api/grants/<pk>                                  401    no     ok     ok
GET    /api/grants/<pk>                                  401    ok     ok     ok
GET    /api/jobs                                         401    ok     ok     ok
POST   /api/jobs                                         401    bad    bad    bad
GET    /api/jobs/<pk>                                    401    ok     ok     ok
PATCH  /api/jobs/<pk>                                    401    ok     ok     ok
POST   /api/jobs/<pk>/abort                              401    bad    bad    bad
POST   /api/jobs/<pk>/approve                            401    no     bad    bad
POST   /api/jobs/<pk>/cancel                             401    ok     ok     ok
POST   /api/jobs/<pk>/extend                             401    bad    bad    bad
POST   /api/jobs/<pk>/finish                             401    bad    bad    bad
POST   /api/jobs/<pk>/move                               401    bad    bad    bad
POST   /api/jobs/<pk>/refuse                             401    bad    bad    bad
POST   /api/jobs/<pk>/start                              401    bad    bad    bad
GET    /api/journal                                      401    ok     ok     ok
GET    /api/journal/<pk>                                 401    ok     ok     ok
POST   /api/kiosk/activate                               401    no     ok     ok
POST   /api/kiosk/deactivate                             401    no     ok     ok
GET    /api/kiosk/status                                 401    ok     ok     ok
GET    /api/locations                                    401    ok     ok     ok
POST   /api/locations                                    401    no     bad    bad
DELETE /api/locations/<pk>                               401    no     ok     ok
GET    /api/locations/<pk>                               401    ok     ok     ok
PATCH  /api/locations/<pk>                               401    no     ok     ok
GET    /api/me                                           401    ok     ok     ok
PATCH  /api/me                                           401    no     no     no
POST   /api/me/password                                  401    bad    bad    bad
GET    /api/outages                                      401    ok     ok     ok
POST   /api/outages                                      401    no     bad    bad
DELETE /api/outages/<pk>                                 401    no     ok     ok
GET    /api/outages/<pk>                                 401    ok     ok     ok
PATCH  /api/outages/<pk>                                 401    no     ok     ok
GET    /api/plugs                                        401    no     ok     ok
POST   /api/plugs                                        401    no     bad    bad
DELETE /api/plugs/<pk>                                   401    no     bad    bad
GET    /api/plugs/<pk>                                   401    no     ok     ok
PATCH  /api/plugs/<pk>                                   401    no     ok     ok
POST   /api/plugs/<pk>/release                           401    no     ok     ok
POST   /api/plugs/<pk>/switch                            401    no     bad    bad
POST   /api/plugs/<pk>/test                              401    no     ok     ok
POST   /api/plugs/<pk>/trust                             401    no     ok     ok
GET    /api/plugs/<plug>/commands                        401    no     ok     ok
GET    /api/plugs/<plug>/commands/<pk>                   401    no     ok     ok
GET    /api/plugs/<plug>/readings                        401    no     ok     ok
GET    /api/plugs/<plug>/readings/<pk>                   401    no     ok     ok
GET    /api/printers                                     401    ok     ok     ok
POST   /api/printers                                     401    no     bad    bad
DELETE /api/printers/<pk>                                401    no     bad    bad
GET    /api/printers/<pk>                                401    ok     ok     ok
PATCH  /api/printers/<pk>                                401    no     ok     ok
GET    /api/printers/<pk>/availability                   401    ok     ok     ok
GET    /api/printers/<pk>/next-free                      401    ok     ok     ok
POST   /api/printers/<pk>/service                        401    no     bad    bad
GET    /api/printers/<pk>/status                         401    ok     ok     ok
GET    /api/printers/next-free                           401    ok     ok     ok
GET    /api/printers/status                              401    ok     ok     ok
GET    /api/qualifications                               401    ok     ok     ok
POST   /api/qualifications                               401    no     bad    bad
DELETE /api/qualifications/<pk>                          401    no     ok     ok
GET    /api/qualifications/<pk>                          401    ok     ok     ok
PATCH  /api/qualifications/<pk>                          401    no     ok     ok
GET    /api/readings                                     401    no     ok     ok
GET    /api/readings/<pk>                                401    no     ok     ok
POST   /api/scheduler/start                              401    no     ok     ok
GET    /api/scheduler/status                             401    ok     ok     ok
POST   /api/scheduler/stop                               401    no     ok     ok
GET    /api/schema                                       401    ok     ok     ok
GET    /api/stats                                        401    ok     ok     ok
GET    /api/users                                        401    no     ok     ok
POST   /api/users                                        401    no     bad    bad
GET    /api/users/<pk>                                   401    no     ok     ok
PATCH  /api/users/<pk>                                   401    no     ok     ok
POST   /api/users/<pk>/password-link                     401    no     ok     ok
POST   /api/users/<pk>/unlock                            401    no     ok     ok
POST   /auth/login                                       bad    bad    bad    bad
GET    /auth/logout                                      ok     ok     ok     ok
POST   /auth/logout                                      ok     ok     ok     ok
GET    /healthz                                          503    503    503    503
POST   /healthz                                          405    405    405    405
GET    /jobs                                             login  ok     ok     ok
POST   /jobs                                             login  405    405    405
GET    /jobs/<int:pk>                                    login  ok     ok     ok
POST   /jobs/<int:pk>                                    login  405    405    405
GET    /jobs/<int:pk>/<str:verb>                         login  go     go     go
POST   /jobs/<int:pk>/<str:verb>                         login  go     go     go
GET    /jobs/<int:pk>/extend                             login  go     go     go
POST   /jobs/<int:pk>/extend                             login  ok     ok     ok
GET    /kiosk                                            login  ok     ok     ok
POST   /kiosk                                            405    405    405    405
GET    /kiosk/_live                                      login  ok     ok     ok
POST   /kiosk/_live                                      405    405    405    405
GET    /language                                         go     go     go     go
POST   /language                                         go     go     go     go
GET    /me                                               login  ok     ok     ok
POST   /me                                               login  go     go     go
GET    /me/sessions                                      login  ok     ok     ok
POST   /me/sessions                                      405    405    405    405
GET    /me/sessions/<int:pk>/end                         405    405    405    405
POST   /me/sessions/<int:pk>/end                         login  bad    none   none
GET    /me/sessions/end                                  405    405    405    405
POST   /me/sessions/end                                  login  go     go     go
GET    /me/tokens                                        login  ok     ok     ok
POST   /me/tokens                                        login  go     go     go
GET    /me/tokens/<int:pk>/delete                        405    405    405    405
POST   /me/tokens/<int:pk>/delete                        login  go     none   none
GET    /media/<path:path>                                login  ok     ok     ok
POST   /media/<path:path>                                405    405    405    405
GET    /printers/<int:pk>                                login  ok     ok     ok
POST   /printers/<int:pk>                                login  405    405    405
GET    /printers/<int:pk>/book                           login  go     go     go
POST   /printers/<int:pk>/book                           login  ok     ok     ok
"""

# What the permissions of a role do not say of a model's pages in the admin.
ONLY_ADMINISTRATORS_DELETE = {"plugs.smartplug"}
# Shown in a form, changed by their verbs alone.
WRITTEN_BY_DOORS = {
    (model, "change", "POST") for model in ("core.schedulerstate", "kiosk.display", "accounts.loginguard")
}
SINGLE_ROWS = {"core.schedulerstate", "reservations.bookinglimits", "kiosk.display"}


def table() -> dict[tuple[str, str], list[str]]:
    """The lines above: (method, address) -> kinds by role."""
    found = {}
    for line in TABLE.strip().splitlines():
        method, address, *kinds = line.split()
        assert len(kinds) == len(ROLES), line
        found[method, address.removeprefix("/")] = kinds
    return found


def is_of_model(route: Route) -> str:
    """The model whose pages in the admin this is one of, "" for none."""
    parts = route.route.split("/")
    if parts[0] != "admin" or len(parts) < 4:
        return ""
    try:
        model = apps.get_model(parts[1], parts[2])
    except LookupError:
        return ""
    return f"{parts[1]}.{parts[2]}" if model in admin.site._registry else ""


def page_of(route: Route) -> str:
    """ "list", "add", "change", "delete", "history", "do", or the name of a page that the model has besides."""
    rest = route.route.split("/")[3:-1]
    if not rest:
        return "list"
    if rest[0] != "<path:object_id>":
        return rest[0]
    return rest[1] if len(rest) > 1 else "redirect"


class Browser(Client):
    """Asks without taking notes: the test client's copies of every template's context cost more than the page."""

    def request(self, **request: Any) -> HttpResponse:
        """Through all of the product."""
        return self.handler(self._base_environ(**request))


class World:
    """A workshop with one row of everything; what can be is the trainee's."""

    def __init__(self) -> None:
        at = now()
        self.people = {
            "trainee": factories.TraineeFactory(username="trainee"),
            "trainer": factories.TrainerFactory(username="trainer"),
            "administrator": factories.TraineeFactory(username="administrator", role=Role.ADMINISTRATOR),
        }
        self.other = factories.TraineeFactory(username="other")
        self.me = self.people["trainee"]
        plug = factories.PlugFactory(password=f"{PLANTED}-plug", username="plug@workshop.test")
        picture = ContentFile(b"\x89PNG", name="matrix.png")
        self.printer = factories.PrinterFactory(plug=plug, picture=picture)
        location, course = factories.LocationFactory(), factories.QualificationFactory()
        outage = factories.OutageFactory(
            printer=factories.PrinterFactory(), starts_at=at, ends_at=at + timedelta(hours=1)
        )
        grant = factories.GrantFactory(user=self.me, qualification=course, granted_at=at)
        start = at.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
        wish = Wish(
            printer_id=self.printer.pk,
            owner_id=self.me.pk,
            starts_at=start,
            ends_at=start + timedelta(hours=1),
        )
        job = booking.book(wish, actor=Actor(self.me.pk, Channel.WEB), now=at)
        command = PlugCommand.objects.get(plug=plug)
        reading = PlugReading.objects.create(plug=plug, at=at, on=True, power_w=1.0)
        token, self.key = tokens.issue(
            self.me.pk, "script", Scope.WRITE, None, actor=Actor(self.me.pk, Channel.WEB), now=at
        )
        TOTP.activate(self.people["trainer"], TOTP_SECRET)
        key = str(self.me.pk)
        self.rows: dict[str, Any] = {
            "accounts.user": self.other,
            "accounts.qualification": course,
            "accounts.grant": grant,
            "accounts.loginguard": LoginGuard.objects.create(kind=GuardKind.USER, key=key, changed_at=at),
            "axes.accessfailurelog": AccessFailureLog.objects.create(username="x"),
            "axes.accesslog": AccessLog.objects.create(username="x"),
            "journal.entry": Entry.objects.latest("id"),
            "plugs.smartplug": plug,
            "plugs.plugcommand": command,
            "plugs.plugreading": reading,
            "printers.location": location,
            "printers.printer": self.printer,
            "printers.outage": outage,
            "reservations.job": job,
            "reservations.bookinglimits": BookingLimits.objects.get_or_create(pk=1)[0],
            "core.periodictask": PeriodicTask.objects.create(name="x", every=5, next_run_at=at),
            "core.schedulerstate": SchedulerState.objects.get_or_create(pk=1)[0],
            "core.heartbeat": Heartbeat.objects.create(name="scheduler", at=at),
            "kiosk.display": Display.objects.get_or_create(pk=1)[0],
        }
        self.ids = {
            "users": self.other.pk, "grants": grant.pk, "jobs": job.pk, "journal": self.rows["journal.entry"].pk,
            "commands": command.pk, "readings": reading.pk, "locations": location.pk, "outages": outage.pk,
            "plugs": plug.pk, "printers": self.printer.pk, "qualifications": course.pk, "tokens": token.pk,
        }  # fmt: skip
        self.handler = ClientHandler(enforce_csrf_checks=False)
        self.clients = {"anonymous": Client(raise_request_exception=False)}
        for role, person in self.people.items():
            self.clients[role] = client = Client(raise_request_exception=False)
            client.force_login(person)
        session = UserSession.objects.create(
            user=self.me,
            ip="10.0.0.1",
            user_agent="x",
            session_key=self.clients["trainee"].session.session_key,
        )
        self.ids["sessions"] = session.pk

    def path(self, route: Route) -> str:
        """The address with the ids of rows that exist."""
        if model := is_of_model(route):
            verbs = getattr(admin.site._registry[apps.get_model(model)], "verbs", None)
            values = {"object_id": self.rows[model].pk if model in self.rows else 1}
            return route.fill(values | ({"name": verbs[0].name} if verbs else {}))
        pk = next((n for name, n in self.ids.items() if f"{name}/<" in route.route), 1)
        values = {
            "pk": pk, "id": pk, "plug": self.ids["plugs"], "verb": "cancel", "app_label": "printers",
            "path": self.printer.picture.name, "url": "nowhere", "var": "api/nowhere", "provider_id": "sso",
            "uidb36": "1", "key": "x",
        }  # fmt: skip
        if "commands/<pk>" in route.route or "readings/<pk>" in route.route:
            values["pk"] = self.ids["commands" if "commands" in route.route else "readings"]
        return route.fill(values)

    def secrets(self) -> list[str]:
        """What no page may ever show."""
        return [
            PLANTED, TOTP_SECRET, self.key, settings.SECRET_KEY, settings.FIELD_KEY, *PersonalToken.objects.values_list("digest", flat=True),
            *Session.objects.values_list("session_key", flat=True),
            *User.objects.values_list("password", flat=True),
            *(str(factor.data["secret"]) for factor in Authenticator.objects.all()),
        ]  # fmt: skip

    def ask(self, role: str, method: str, path: str) -> HttpResponse:
        """One request; whatever it did is undone."""
        known = self.clients[role]
        client = Browser()
        client.handler = self.handler
        client.cookies = copy.deepcopy(known.cookies)
        with transaction.atomic():
            is_json = method != "GET" and path.startswith(("/api/", "/auth/"))
            answer = client.generic(method, path, *(["{}", "application/json"] if is_json else []))
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            transaction.set_rollback(True)
        answer.text_of_it = content.decode("utf-8", errors="replace")
        answer.close()
        return answer


@pytest.fixture
def world(db: None, settings: Any) -> Iterator[World]:
    settings.TWO_FACTOR_ROLES = []
    cache.clear()
    made = World()
    yield made
    default_storage.delete(made.printer.picture.name)
    cache.clear()


def kind_of(answer: HttpResponse) -> str:
    status = answer.status_code
    if status in {301, 302, 303}:
        path = urlsplit(answer["Location"]).path
        return "login" if path in {"/accounts/login/", "/admin/login/"} else "go"
    if status < 300:
        return "ok"
    return {403: "no", 404: "none", 400: "bad", 409: "bad", 415: "bad", 422: "bad"}.get(status, str(status))


def methods_of(route: Route) -> list[str]:
    """Pages are read and sent; of the API what it says itself."""
    view = route.view
    known = set(getattr(view, "actions", None) or ()) or {
        name
        for name in ("get", "post", "put", "patch", "delete")
        if hasattr(getattr(view, "cls", object), name)
    }
    if not route.route.startswith(API) or not known:
        return ["GET", "POST"]
    return sorted(name.upper() for name in known - {"head"})


def observe(world: World, route: Route) -> dict[str, list[str]]:
    """By method, what each role gets; and no secret in any of it."""
    path, secrets = world.path(route), world.secrets()
    found: dict[str, list[str]] = {}
    for method in methods_of(route):
        for role in ROLES:
            answer = world.ask(role, method, path)
            leaked = [secret for secret in secrets if secret in answer.text_of_it]
            assert leaked == [], (role, method, path)
            found.setdefault(method, []).append(kind_of(answer))
    return found


def of_models() -> list[Route]:
    return [route for route in routes() if is_of_model(route)]


@pytest.mark.parametrize("part", ["pages", "accounts", "api"])
def test_every_address_is_for_those_it_is_for(world: World, part: str) -> None:
    expected = table()
    wrong = {}
    for route in routes():
        own = (
            "api"
            if route.route.startswith(API)
            else "accounts"
            if route.route.startswith("accounts/")
            else "pages"
        )
        if own != part or is_of_model(route):
            continue
        for method, kinds in observe(world, route).items():
            if expected.get((method, route.route)) != kinds:
                wrong[f"{method:<6} /{route.route}"] = " ".join(f"{kind:<6}" for kind in kinds)
    assert wrong == {}, "found, and not in the table: " + "\n".join(f"{k} {v}" for k, v in wrong.items())


def test_every_line_has_an_address() -> None:
    known = {
        (method, route.route) for route in routes() if not is_of_model(route) for method in methods_of(route)
    }
    assert set(table()) == known


def test_every_page_of_a_model_follows_its_permissions(world: World) -> None:
    """Lists, forms and verbs of the admin: what the roles may do is told once, in ``accounts.domain.roles``."""
    wrong = {}
    for route in of_models():
        for method, kinds in observe(world, route).items():
            for role, kind in zip(ROLES, kinds, strict=True):
                if kind not in allowed_kinds(is_of_model(route), page_of(route), method, role):
                    wrong[method, route.route, role] = kind
    assert wrong == {}


def test_every_model_in_the_admin_has_permissions_and_a_row() -> None:
    registered = {f"{m._meta.app_label}.{m._meta.model_name}" for m in admin.site._registry}
    assert registered == set(TRAINER_MAY) - {"printers.openinghours"}  # those are part of a room's page


def allowed_kinds(model: str, page: str, method: str, role: str) -> set[str]:
    """What is right to get."""
    if role in {"anonymous", "trainee"}:
        return {"login"}
    if page in {"history", "redirect"}:
        return {"go", "405"}  # to the journal, which has its own permissions; to the row's page
    may = set(TRAINER_MAY[model].split())
    needs = {"list": "view", "do": "change", "delete": "delete", "add": "add"}.get(page, "change")
    is_allowed = needs in may
    if page == "change" and method == "GET":
        is_allowed = "view" in may
    if page == "delete" and model in ONLY_ADMINISTRATORS_DELETE:
        is_allowed = role == "administrator"
    if (model in SINGLE_ROWS and page == "add") or (model, page, method) in WRITTEN_BY_DOORS:
        is_allowed = False
    return {"ok", "go"} if is_allowed else {"no"}


def test_nobody_logs_in_past_the_second_factor(world: World) -> None:
    """Signed in as one trainer, with the password of another who has a second factor."""
    second = factories.TrainerFactory(username="second")
    client = Client()
    client.force_login(second)
    client.post("/admin/login/", {"username": "trainer", "password": "demo", "next": "/admin/"})

    assert client.session["_auth_user_id"] == str(second.pk)


@pytest.mark.parametrize("person", ["trainer", "administrator"])
def test_no_page_offers_more_power_than_one_has(world: World, person: str) -> None:
    """The form of a person: a trainer is offered no role, nobody but a superuser that."""
    form = world.ask(person, "GET", f"/admin/accounts/user/{world.other.pk}/change/").text_of_it
    assert ('name="role"' in form) is (person == "administrator")
    for name in ("is_superuser", "is_staff", "groups", "user_permissions"):
        assert f'name="{name}"' not in form
