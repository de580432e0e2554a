"""One file of settings, driven by the environment.

Every variable is documented with its default in ``myp.env.example``. What staff may change while the
product runs (opening hours, quotas, grace) is a row in the admin, not a setting.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from myp_project import env
from myp_project.console import THEME

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(Path(os.environ.get("MYP_ENV_FILE", BASE_DIR / "myp.env")))

# Only now: it reads the environment, to which the file has just been added.
from myp_project.rest import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: E402, F401 - read by their libraries

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
    "insights",
    "kiosk",
    "api",
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
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.headless",  # its tokens alone; its own addresses are not served
    "axes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django_q",
    "django_htmx",
    "csp",
]
if env.boolean("MYP_SIMULATION", False):
    INSTALLED_APPS.insert(INSTALLED_APPS.index("unfold"), "simulation")

MIDDLEWARE = [
    "core.middleware.SecurityHeaders",  # the first: on every answer, whoever makes it
    "core.middleware.AllowedMethods",
    "core.middleware.ClientAddress",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "api.middleware.OptionalSlash",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.UnfinishedBusiness",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.middleware.AdminContentSecurityPolicy",
    "axes.middleware.AxesMiddleware",  # the last: it turns a refused log-in into the locked answer
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
    "axes.backends.AxesStandaloneBackend",  # the first: whoever is locked out is not even looked at
    "accounts.backends.OneLook",  # the only one that looks at passwords
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
# What the lock-out does not count: mails, and how many different names one address may try at the same instant.
# A class that comes in together does so from one address.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "60/m/ip",
    "login": "300/m/ip",
    "reset_password_from_key": "300/m/ip",
}

# ------------------------------------------------------------------ lock-out
AXES_HANDLER = "accounts.lockout.EscalatingHandler"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.answer"
AXES_USERNAME_CALLABLE = "accounts.lockout.user_key"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_VERBOSE = False
# After so many failures an account is locked; an address, after failures with so many different names.
LOCKOUT_AFTER = 5
LOCKOUT_MINUTES = (5, 15, 60)

# ------------------------------------------------------------------ second factor
MFA_ADAPTER = "accounts.second_factor.EncryptingAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # one step of 30 s: a Pi without a clock chip may be late
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are entered by trainers: no stranger's account to protect from
MFA_FORMS = {
    "authenticate": "accounts.second_factor.CodeForm",
    "reauthenticate": "accounts.second_factor.ReauthenticateForm",
    "add_webauthn": "accounts.second_factor.AddKeyForm",
    "authenticate_webauthn": "accounts.second_factor.KeyForm",
    "login_webauthn": "accounts.second_factor.PasskeyForm",
    "reauthenticate_webauthn": "accounts.second_factor.ReauthenticateKeyForm",
}
# Roles that have to set up a second factor before they may do anything else; the demo demands it of nobody.
TWO_FACTOR_ROLES = env.words(
    "MYP_TWO_FACTOR_ROLES", "" if "simulation" in INSTALLED_APPS else "administrator"
)

# ------------------------------------------------------------------ log-in through an identity provider
SOCIALACCOUNT_ADAPTER = "accounts.identity.WorkshopAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = (
    True  # who finds a session open must not connect an account of theirs
)
OIDC_ISSUER = env.text("MYP_OIDC_ISSUER").rstrip("/")
OIDC_NAME = env.text("MYP_OIDC_NAME", "Single sign-on")
# The claim that holds the person's groups, and which of its values make a trainer or an administrator.
OIDC_ROLE_CLAIM = env.text("MYP_OIDC_ROLE_CLAIM", "groups")
OIDC_TRAINERS = env.words("MYP_OIDC_TRAINERS")
OIDC_ADMINISTRATORS = env.words("MYP_OIDC_ADMINISTRATORS")
# Whether a person whom the provider knows and we do not gets an account at the first log-in.
OIDC_SIGNUP = env.boolean("MYP_OIDC_SIGNUP", True)
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": OIDC_NAME,
                "client_id": env.text("MYP_OIDC_CLIENT_ID"),
                "secret": env.text("MYP_OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_ISSUER},
            }
        ]
        if OIDC_ISSUER
        else [],
    }
}

# ------------------------------------------------------------------ REST API
# An access token lives this long; its refresh token a day, and both end with the session behind them.
HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"  # nobody but us has to verify them
HEADLESS_JWT_PRIVATE_KEY = hashlib.sha256(
    f"jwt {SECRET_KEY}".encode()
).hexdigest()  # of full length, and for this alone
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 300
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 24 * 3600
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
# Origins of pages elsewhere that may use the API, with scheme; none by default.
CORS_ALLOWED_ORIGINS = env.words("MYP_CORS_ORIGINS")
CORS_URLS_REGEX = r"^/(api|auth)/"
CORS_ALLOW_CREDENTIALS = False
CORS_EXPOSE_HEADERS = ["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "Idempotency-Replayed"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
]

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
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # a form or a JSON body; files are not counted here
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 5
UPLOAD_MAX_BYTES = env.integer("MYP_UPLOAD_MAX_MB", 10, minimum=1) * 1024 * 1024
# A request has to be here, headers and body, after so many seconds; a connection that drips is cut.
REQUEST_SECONDS = env.integer("MYP_REQUEST_SECONDS", 30, minimum=1)
X_FRAME_OPTIONS = "DENY"
# Only from these peers is X-Forwarded-For believed, and of it only what they appended themselves.
TRUSTED_PROXIES: list[str] = []
if env.boolean("MYP_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    TRUSTED_PROXIES = env.words("MYP_TRUSTED_PROXIES", "127.0.0.1,::1")

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
        # A traceback for everybody who tries another Host header would bury the rest; the answer is 400.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# ------------------------------------------------------------------ the admin
UNFOLD: dict[str, Any] = {"SITE_TITLE": SITE_NAME, "SITE_HEADER": SITE_NAME, **THEME}
