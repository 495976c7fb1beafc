"""Every setting, read from the environment; `.env.example` lists them with units and defaults."""

import secrets as random
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from meshline import (
    conf_accounting,
    conf_alerts,
    conf_api,
    conf_disputes,
    conf_incidents,
    conf_logging,
    conf_login,
    conf_portal,
    conf_providers,
    conf_queue,
    conf_refunds,
    conf_reports,
    conf_rollout,
    conf_sync,
    conf_tickets,
    conf_trips,
    env,
)
from meshline.env import env_bool, env_database, env_int, env_list, env_secret, env_str, refuse

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(BASE_DIR / ".env")

# --- Which rules apply -----------------------------------------------------------------------------------------------

DEBUG = env_bool("DEBUG")
MESHLINE_DEV = env_bool("MESHLINE_DEV")
MESHLINE_ALLOW_LOOPBACK = env_bool("MESHLINE_ALLOW_LOOPBACK") or (MESHLINE_DEV and DEBUG)
if MESHLINE_DEV and not MESHLINE_ALLOW_LOOPBACK:
    raise refuse("MESHLINE_DEV", "needs DEBUG=1 or MESHLINE_ALLOW_LOOPBACK=1 beside it", "1 DEBUG=1")

MESHLINE_LOCAL_DIR = Path(env_str("MESHLINE_LOCAL_DIR", str(BASE_DIR / ".local")))
MESHLINE_PID_DIR = Path(env_str("MESHLINE_PID_DIR", str(MESHLINE_LOCAL_DIR / "pids")))

# --- Secret key and hosts --------------------------------------------------------------------------------------------

SECRET_KEY_LENGTH = 50
EXAMPLE_KEY_WORDS = ("insecure", "example", "changeme", "change-me", "secret-key", "your-")


def development_key() -> str:
    """A key of this checkout's own, so that sessions outlive a restart without a key in the repository."""
    path = MESHLINE_LOCAL_DIR / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(random.token_urlsafe(60))
    return path.read_text()


def checked_key(key: str) -> str:
    """Who knows the key can sign sessions and tasks, so a guessable one is no start."""
    example = "$(python -c 'import secrets; print(secrets.token_urlsafe(60))')"
    if len(key) < SECRET_KEY_LENGTH or len(set(key)) < 5:
        raise refuse("SECRET_KEY", f"must have at least {SECRET_KEY_LENGTH} random characters", example)
    if any(word in key.lower() for word in EXAMPLE_KEY_WORDS):
        raise refuse("SECRET_KEY", "is an example, not a secret", example)
    return key


SECRET_KEY = env_secret("SECRET_KEY", "")
SECRET_KEY = checked_key(SECRET_KEY) if SECRET_KEY or not MESHLINE_DEV else development_key()
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")

ALLOWED_HOSTS = env_list("MESHLINE_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]") if MESHLINE_DEV else ())
if not ALLOWED_HOSTS or any(host.startswith("*") for host in ALLOWED_HOSTS):
    raise refuse("MESHLINE_ALLOWED_HOSTS", "must name the hosts we answer for, without *", "meshline.example.com")
CSRF_TRUSTED_ORIGINS = env_list("MESHLINE_CSRF_TRUSTED_ORIGINS")

# --- Applications ----------------------------------------------------------------------------------------------------

ADMIN_APP = "meshline.console.apps.ConsoleAdminConfig"
INSTALLED_APPS = [
    "meshline.apps.MeshlineConfig",  # first: its `migrate` replaces Django's
    "sync.apps.SyncConfig",
    "gates.apps.GatesConfig",
    "ledger.apps.LedgerConfig",
    "meshline.console.apps.ConsoleConfig",
    ADMIN_APP,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "simple_history",
    "csp",
    "django_htmx",
]
MIDDLEWARE = [
    "meshline.middleware.LogContext",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    conf_login.MIDDLEWARE,
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
ROOT_URLCONF = "meshline.urls"
WSGI_APPLICATION = "meshline.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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
            ]
        },
    }
]

# --- Databases -------------------------------------------------------------------------------------------------------


def embedded_urls() -> tuple[str, str]:
    """Addresses of this checkout's own PostgreSQL; its module is only there where the wheel is installed."""
    try:
        urls: tuple[str, str] = import_module("meshline.postgres").urls()
    except ImportError as error:
        raise ImproperlyConfigured(f"The embedded PostgreSQL needs the 'embedded' group ({error})") from None
    return urls


app_url, owner_url = ("", "")
if MESHLINE_DEV and not env_str("DATABASE_URL", ""):
    app_url, owner_url = embedded_urls()
DATABASE = env_database("DATABASE_URL", app_url)
if not DATABASE:
    rule = "is required (or MESHLINE_DEV=1 for an embedded PostgreSQL)"
    raise refuse("DATABASE_URL", rule, "postgres://meshline_app:password@db:5432/meshline")
# Migrations and partitions only; {} means that the one role we have does everything, which readiness reports.
MESHLINE_OWNER_DATABASE: dict[str, Any] = env_database("MESHLINE_OWNER_DATABASE_URL", owner_url)
MESHLINE_APP_ROLE = str(DATABASE["USER"])
# LISTEN needs a session of its own, so not through a pooler that hands sessions around.
MESHLINE_DIRECT_DATABASE: dict[str, Any] = env_database("MESHLINE_DIRECT_DATABASE_URL") or dict(DATABASE)

DATABASES: dict[str, Any] = {
    "default": DATABASE
    | {
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a transaction pooler cannot keep them
        "OPTIONS": {"connect_timeout": 3, "application_name": "meshline", **dict(DATABASE.get("OPTIONS") or {})},
    }
}

# --- Background work (django-q2 is the engine, the tables are the queue) ---------------------------------------------

MESHLINE_DRAIN_WORKERS = env_int("MESHLINE_DRAIN_WORKERS", 2, low=1, high=32)
MESHLINE_DRAIN_THREADS = env_int("MESHLINE_DRAIN_THREADS", 8, low=1, high=64)
MESHLINE_DRAIN_BOX_SECONDS = env_int("MESHLINE_DRAIN_BOX_SECONDS", 25, low=1, high=45)
MESHLINE_LEASE_SECONDS = env_int("MESHLINE_LEASE_SECONDS", 40, low=5 if MESHLINE_DEV else 30, high=50)
MESHLINE_STOP_GRACE_SECONDS = env_int("MESHLINE_STOP_GRACE_SECONDS", 30, low=1, high=55)

Q_CLUSTER = conf_queue.cluster(drain_workers=MESHLINE_DRAIN_WORKERS)
if too_small := conf_queue.too_small_margins(Q_CLUSTER):
    raise refuse("MESHLINE_TASK_RETRY_SECONDS", too_small[0], "300")

# --- Business limits and technical limits ----------------------------------------------------------------------------

HOUR, DAY = 3600, 86400
MESHLINE_SAFETY_WINDOW_SECONDS = env_int(
    "MESHLINE_SAFETY_WINDOW_SECONDS", 3 * DAY, low=1 if MESHLINE_DEV else 2 * DAY, high=60 * DAY
)
MESHLINE_ATTEMPT_MARGIN_SECONDS = env_int(
    "MESHLINE_ATTEMPT_MARGIN_SECONDS", HOUR, low=0 if MESHLINE_DEV else 60, high=7 * DAY
)
MESHLINE_LIVE_READ_MAX_AGE_SECONDS = env_int("MESHLINE_LIVE_READ_MAX_AGE_SECONDS", 60, low=1, high=600)
MESHLINE_READ_BUDGET_SECONDS = env_int("MESHLINE_READ_BUDGET_SECONDS", 3, low=1, high=10)
MESHLINE_CONTEXT_MAX_AGE_SECONDS = env_int("MESHLINE_CONTEXT_MAX_AGE_SECONDS", 900, low=1, high=DAY)
MESHLINE_UNDO_SECONDS = env_int("MESHLINE_UNDO_SECONDS", 10, low=0, high=600)
MESHLINE_LATE_AFTER_SECONDS = env_int("MESHLINE_LATE_AFTER_SECONDS", 7 * DAY, low=60, high=90 * DAY)
MESHLINE_HELD_USE_SECONDS = env_int("MESHLINE_HELD_USE_SECONDS", DAY, low=1 if MESHLINE_DEV else 3600, high=30 * DAY)
MESHLINE_RETRY_FIRST_WAIT_MS = env_int(
    "MESHLINE_RETRY_FIRST_WAIT_MS", 1000, low=1 if MESHLINE_DEV else 1000, high=60_000
)
MESHLINE_RETRY_FIRST_WAIT_SECONDS = MESHLINE_RETRY_FIRST_WAIT_MS / 1000
MESHLINE_DUNNING_EFFECT = env_str("MESHLINE_DUNNING_EFFECT", "suspend", choices=("suspend", "downgrade", "both"))
MESHLINE_DOWNGRADE_PLAN = env_str("MESHLINE_DOWNGRADE_PLAN", "free", max_length=64)
MESHLINE_MAX_BODY_BYTES = env_int("MESHLINE_MAX_BODY_BYTES", 1024 * 1024, low=64 * 1024, high=16 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = MESHLINE_MAX_BODY_BYTES + 1

# --- Providers -------------------------------------------------------------------------------------------------------

provider_defaults = conf_providers.defaults(dev=MESHLINE_DEV)
MESHLINE_PROVIDERS = conf_providers.read(provider_defaults, dev=MESHLINE_DEV, allow_loopback=MESHLINE_ALLOW_LOOPBACK)
MESHLINE_SECRETS = conf_providers.secrets(provider_defaults)
MESHLINE_PUBLIC_URL = conf_providers.public_url(ALLOWED_HOSTS, dev=MESHLINE_DEV)
MESHLINE_PORTAL = conf_portal.read(dev=MESHLINE_DEV)
MESHLINE_SYNC_THREADS, MESHLINE_SYNC_ACCOUNT, MESHLINE_SYNC_ACCOUNTS, MESHLINE_SYNC_ERROR_DAYS = (
    conf_sync.read().values()
)
MESHLINE_CREDIT_MEMOS, MESHLINE_REFUND_TICKETS = conf_refunds.read().values()
MESHLINE_ACCOUNTING = conf_accounting.read(MESHLINE_SYNC_ACCOUNT)
MESHLINE_RECONCILE_INVOICES = env_str("MESHLINE_RECONCILE_INVOICES", "linked", choices=("linked", "all"))
MESHLINE_CLAIM_WORDING_FILE = env_str("MESHLINE_CLAIM_WORDING_FILE", "")
MESHLINE_QUIET_HOURS, MESHLINE_QUIET_ZONE, MESHLINE_OUTREACH_ONE_PERSON = conf_incidents.read().values()
MESHLINE_TRIPS, MESHLINE_DRILL_CUSTOMER = conf_trips.read(), conf_trips.drill_customer()
MESHLINE_DISPUTES = conf_disputes.read()
MESHLINE_REPORT_TO = conf_reports.read()
MESHLINE_ALERT_LIMITS = conf_alerts.read()
MESHLINE_TICKET_FLIPS, MESHLINE_TICKET_FLIP_MINUTES = conf_tickets.read().values()
MESHLINE_KEEP_BODIES_DAYS = env_int("MESHLINE_KEEP_BODIES_DAYS", 90, low=1, high=3650)
MESHLINE_KEEP_LEDGER_DAYS = env_int("MESHLINE_KEEP_LEDGER_DAYS", 2557, low=365, high=36_500)
MESHLINE_ROLLOUT = conf_rollout.read(dev=MESHLINE_DEV)
# What the way up rests on and only the layer above knows.
MESHLINE_ROLLOUT_SOURCES = {"reconciled": "sync.rollout.reconciled", "undoing": "sync.rollout.undoing"}

# --- Web security ----------------------------------------------------------------------------------------------------

PLAIN_HTTP = MESHLINE_DEV  # loopback only: MESHLINE_ALLOWED_HOSTS has no other name there by default
SECURE_SSL_REDIRECT = not PLAIN_HTTP
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked by probes inside the network
if env_bool("MESHLINE_BEHIND_TLS_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 365 * DAY
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not PLAIN_HTTP
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not PLAIN_HTTP
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
MESHLINE_SESSION_IDLE_SECONDS = conf_login.IDLE_SECONDS
MESHLINE_SESSION_IDLE_OTHERS_SECONDS = conf_login.IDLE_OTHERS_SECONDS
MESHLINE_STEP_UP_SECONDS = conf_login.STEP_UP_SECONDS
SESSION_COOKIE_AGE, SESSION_SAVE_EVERY_REQUEST = conf_login.SESSION["age"], conf_login.SESSION["each_request"]
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
NOTHING, OWN = "'none'", "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [OWN],
        "script-src": [OWN],
        "style-src": [OWN],
        "img-src": [OWN, "data:"],
        "object-src": [NOTHING],
        "base-uri": [NOTHING],
        "frame-ancestors": [NOTHING],
        "form-action": [OWN],
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}}]
AUTHENTICATION_BACKENDS = conf_login.BACKENDS
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"

REST_FRAMEWORK = conf_api.FRAMEWORK
SPECTACULAR_SETTINGS = conf_api.DOCUMENT

# --- Language, time, static files, logs ------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = Path(env_str("MESHLINE_STATIC_ROOT", str(MESHLINE_LOCAL_DIR / "static")))
# Hashed names need `collectstatic` first; without it (development) files come straight from the packages.
PLAIN_FILES = "django.contrib.staticfiles.storage.StaticFilesStorage"
HASHED_FILES = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": PLAIN_FILES if MESHLINE_DEV else HASHED_FILES},
}
WHITENOISE_USE_FINDERS = MESHLINE_DEV
WHITENOISE_AUTOREFRESH = False
if MESHLINE_DEV:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns about a missing one

MESHLINE_LOG_LEVEL = env_str("MESHLINE_LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = conf_logging.configure(readable=DEBUG, level=MESHLINE_LOG_LEVEL)
