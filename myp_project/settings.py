"""One file of settings, driven by the environment.

Every variable is documented with its default in ``myp.env.example``. What staff may change while the
product runs (opening hours, quotas, grace) is a row in the admin, not a setting.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from myp_project import env

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(Path(os.environ.get("MYP_ENV_FILE", BASE_DIR / "myp.env")))

# ------------------------------------------------------------------ place
DATA_DIR = Path(env.text("MYP_DATA_DIR", str(BASE_DIR / "data"))).resolve()
DEBUG = env.boolean("MYP_DEBUG", False)
SECRET_KEY = env.secret("MYP_SECRET_KEY")
# Encrypts the plugs' passwords at rest. Its own key, so that the session secret can change without losing them.
FIELD_KEY = env.secret("MYP_FIELD_KEY")
ALLOWED_HOSTS = env.words("MYP_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("MYP_TRUSTED_ORIGINS")
HTTPS = env.boolean("MYP_HTTPS", True)
SITE_NAME = env.text("MYP_SITE_NAME", "MYP")

# ------------------------------------------------------------------ composition
ROOT_URLCONF = "myp_project.urls"
ASGI_APPLICATION = "myp_project.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "core",
    "journal",
    "accounts",
    "plugs",
    "printers",
    "reservations",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_q",
    "django_htmx",
    "csp",
]
if env.boolean("MYP_SIMULATION", False):
    INSTALLED_APPS.insert(INSTALLED_APPS.index("unfold"), "simulation")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.middleware.AdminContentSecurityPolicy",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.context.site",
            ],
        },
    },
]

# ------------------------------------------------------------------ data
SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE takes the write lock at BEGIN: with DEFERRED, two writers that both read first fail at once.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: a booking that was confirmed survives a power cut.
    "init_command": (
        "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;PRAGMA temp_store=MEMORY;"
        "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-8000"
    ),
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(
        dj_database_url.parse(env.text("MYP_DATABASE_URL", f"sqlite:///{DATA_DIR / 'myp.sqlite3'}"))
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# ------------------------------------------------------------------ background work
Q_CLUSTER: dict[str, Any] = {
    "name": "myp",
    "label": _("Background tasks"),
    "orm": "default",
    "workers": env.integer("MYP_WORKERS", 2, minimum=1),
    "timeout": 20,
    "retry": 60,  # > timeout + the longest wait in the in-process queue: the lock starts at dequeue
    "max_attempts": 3,
    "ack_failures": False,
    "bulk": 1,
    "queue_limit": 4,
    "poll": 0.05,  # seconds; half of it is the mean wait of a due action
    "guard_cycle": 0.5,
    "catch_up": False,
    "scheduler": False,  # the ticker claims what is due; q2's own pass comes only every 30 s
    "save_limit": 1000,
    "recycle": 5000,
}
# The ticker sleeps to the next due instant, but looks for new work at least this often (seconds).
TICKER_MAX_SLEEP = 0.1
# How often each plug is read when nothing changes (seconds).
PLUG_POLL_EVERY = env.integer("MYP_PLUG_POLL_SECONDS", 5, minimum=1)

# Loaded before the processes fork, so that they share the memory.
WARM_MODULES = ["plugs.drivers.tapo", "plugs.drivers.klap", "plugs.drivers.passthrough"]

# ------------------------------------------------------------------ people
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",  # cost 12
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("overview")
LOGOUT_REDIRECT_URL = reverse_lazy("account_login")
ACCOUNT_ADAPTER = "accounts.adapter.ClosedDoorAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
SESSION_COOKIE_AGE = env.integer("MYP_SESSION_IDLE_MINUTES", 30, minimum=1) * 60
SESSION_SAVE_EVERY_REQUEST = True

# ------------------------------------------------------------------ mail
# Without a mail server nothing is sent, and the pages do not offer what would need it.
EMAIL_HOST = env.text("MYP_EMAIL_HOST")
EMAIL_PORT = env.integer("MYP_EMAIL_PORT", 25, minimum=1)
EMAIL_HOST_USER = env.text("MYP_EMAIL_USER")
EMAIL_HOST_PASSWORD = env.text("MYP_EMAIL_PASSWORD")
EMAIL_USE_TLS = env.boolean("MYP_EMAIL_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("MYP_EMAIL_FROM", "myp@localhost")
if not EMAIL_HOST:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# ------------------------------------------------------------------ language and time
LANGUAGE_CODE = "de"
LANGUAGES = [("de", "Deutsch"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("MYP_TIME_ZONE", "Europe/Berlin")
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["core.formats"]

# ------------------------------------------------------------------ files
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# ------------------------------------------------------------------ security
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = HTTPS and env.boolean("MYP_HTTPS_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked on this machine, without a certificate
SECURE_HSTS_SECONDS = env.integer("MYP_HSTS_SECONDS", 0)  # on only after the CA is on the clients
# A workshop's name ends in .local or is an address: no subdomains to include, no public list to be on.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.boolean("MYP_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
# What the admin theme needs, and nobody else gets: Alpine evaluates expressions and sets inline styles.
ADMIN_CONTENT_SECURITY_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

# ------------------------------------------------------------------ words to the journal of the machine
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("MYP_LOG_LEVEL", "INFO")},
    "loggers": {
        "django-q": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
    },
}

# ------------------------------------------------------------------ the admin's look and navigation


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _page(title: object, icon: str, view: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{view}"),
        "permission": _may(permission),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SUBHEADER": _("Manage Your Printer"),
    "SITE_SYMBOL": "precision_manufacturing",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icons/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": reverse_lazy("set_language")},
    "DASHBOARD_CALLBACK": "reservations.dashboard.dashboard",
    "STYLES": [lambda request: static("admin-myp/admin.css")],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "base": {
            "50": "#f8fafc", "100": "#f1f5f9", "200": "#e2e8f0", "300": "#cbd5e1", "400": "#a3b1c6", "500": "#64748b",
            "600": "#475569", "700": "#334155", "800": "#1e293b", "900": "#131c2e", "950": "#0b1220",
        },
        "primary": {
            "50": "#f0fdfa", "100": "#ccfbf1", "200": "#99f6e4", "300": "#5eead4", "400": "#2dd4bf", "500": "#2dd4bf",
            "600": "#0f766e", "700": "#115e59", "800": "#134e4a", "900": "#113b38", "950": "#042f2e",
        },
        "font": {"subtle-light": "#475569", "subtle-dark": "#a3b1c6"},
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": _("Operation"),
                "items": [
                    {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    _page(_("Jobs"), "calendar_month", "reservations_job_changelist", "reservations.view_job"),
                    _page(_("Machines"), "precision_manufacturing", "printers_printer_changelist", "printers.view_printer"),
                    _page(_("Plugs"), "power", "plugs_smartplug_changelist", "plugs.view_smartplug"),
                    _page(_("Outages"), "event_busy", "printers_outage_changelist", "printers.view_outage"),
                    _page(_("Locations"), "location_on", "printers_location_changelist", "printers.view_location"),
                ],
            },
            {
                "title": _("People"),
                "items": [
                    _page(_("People"), "group", "accounts_user_changelist", "accounts.view_user"),
                    _page(_("Qualifications"), "school", "accounts_qualification_changelist", "accounts.view_qualification"),
                    _page(_("Granted qualifications"), "workspace_premium", "accounts_grant_changelist", "accounts.view_grant"),
                ],
            },
            {
                "title": _("Records"),
                "items": [
                    _page(_("Journal"), "history", "journal_entry_changelist", "journal.view_entry"),
                    _page(_("Switching commands"), "toggle_on", "plugs_plugcommand_changelist", "plugs.view_plugcommand"),
                    _page(_("Readings"), "electric_meter", "plugs_plugreading_changelist", "plugs.view_plugreading"),
                ],
            },
            {
                "title": _("System"),
                "items": [
                    _page(_("Booking limits"), "rule", "reservations_bookinglimits_changelist", "reservations.view_bookinglimits"),
                    _page(_("Scheduler"), "schedule", "core_schedulerstate_changelist", "core.view_schedulerstate"),
                    _page(_("Periodic tasks"), "autorenew", "core_periodictask_changelist", "core.view_periodictask"),
                    _page(_("Signs of life"), "monitor_heart", "core_heartbeat_changelist", "core.view_heartbeat"),
                ],
            },
        ],
    },
}  # fmt: skip
# ------------------------------------------------------------------ end of the admin's section
