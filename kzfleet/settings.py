"""Settings, from the environment; without any, the ones `make run` uses (SQLite and state in `var/`).

Names of our own variables begin with `KZFLEET_`; `DATABASE_URL`, `BROKER_URL` and `CACHE_URL` are the
usual ones. docs/running.md lists them all.
"""

import socket

import environ
from csp.constants import NONE, SELF

from kzfleet.diagnostics import configure_diagnostics
from kzfleet.places import BASE_DIR, embedded_broker_url, keys_dir, var_dir, without_credentials
from kzfleet.schedule import beat_schedule
from kzfleet.secret_files import secret_or_random

# With NAME_FILE instead of NAME the value is read from that file (a container's secret).
env = environ.FileAwareEnv()

VAR_DIR = var_dir()

# --- secrets: each process is given its own file, nothing reads another's -------------------------

SECRET_KEY_FILE = env.path("KZFLEET_SECRET_KEY_FILE", default=str(keys_dir(VAR_DIR) / "django.key"))
# Without a file (tests, `makemigrations`) a key of this process alone; check kzfleet.W001 says so.
SECRET_KEY = secret_or_random(str(SECRET_KEY_FILE))
# Opens the second factors (TOTP secrets) stored in the database: 32 bytes, base64url. Web only.
TOTP_KEY_FILE = str(env.path("KZFLEET_TOTP_KEY_FILE", default=str(keys_dir(VAR_DIR) / "totp.key")))
# Signs every order: Ed25519. `manage.py sign` only.
AUTHORITY_KEY_FILE = str(env.path("KZFLEET_AUTHORITY_KEY_FILE", default=str(keys_dir(VAR_DIR) / "authority.key")))

# --- the site -------------------------------------------------------------------------------------

DEBUG = env.bool("KZFLEET_DEBUG", default=False)
ALLOWED_HOSTS = env.list("KZFLEET_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("KZFLEET_TRUSTED_ORIGINS", default=[])
BASE_URL = env.str("KZFLEET_BASE_URL", default="http://127.0.0.1:8000")
# Is the site reached by HTTPS? Then cookies are for HTTPS alone and HSTS is on.
HTTPS = env.bool("KZFLEET_HTTPS", default=BASE_URL.startswith("https:"))

INSTALLED_APPS = [
    "kzfleet",
    "apps.base",
    "apps.history",
    "apps.accounts",
    "apps.fleet",
    "apps.jobs",
    "apps.zones",
    "apps.configs",
    "apps.conflicts",
    "apps.forced_actions",
    "apps.integrations",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "kzfleet.middleware.request_id",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "kzfleet.urls"
ASGI_APPLICATION = "kzfleet.asgi.application"
APPEND_SLASH = False

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
                "kzfleet.pages.navigation.navigation",
            ],
        },
    },
]

# --- data -----------------------------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'kzfleet.sqlite3'}")}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction waits for the write lock at its start, not in its middle, where
    # SQLite refuses at once. FULL: a commit that was answered survives a power cut.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # A lock that is not had within 3 s is a fault (503), not a page that hangs.
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c lock_timeout=3000"
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("KZFLEET_CONN_MAX_AGE", default=0)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Counts sign-in attempts. With more than one web process give them one cache: CACHE_URL=rediscache://…
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False

# --- static files ---------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# With KZFLEET_STATIC_ROOT, `collectstatic` has filled that folder and names carry a hash of the
# content; without it (make run, tests) files are served from where they lie.
_static_root = env.str("KZFLEET_STATIC_ROOT", default="")
STATIC_ROOT = _static_root or None
WHITENOISE_USE_FINDERS = not _static_root
WHITENOISE_ALLOW_ALL_ORIGINS = False
_static = (
    "whitenoise.storage.CompressedManifestStaticFilesStorage"
    if _static_root
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static},
}

# --- who may come in ------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/300s/key"}
MFA_ADAPTER = "apps.accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp"]
MFA_TOTP_ISSUER = "kzfleet"
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True
# The code is checked by apps.accounts.second_factor, at sign-in as at an approval: once, wherever.
MFA_FORMS = {
    "authenticate": "apps.accounts.forms.AuthenticateForm",
    "reauthenticate": "apps.accounts.forms.ReauthenticateForm",
    "activate_totp": "apps.accounts.forms.ActivateTOTPForm",
}

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME = "kzfleet_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "kzfleet_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS

# --- what a browser may do with our pages ---------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = env.bool("KZFLEET_HTTPS_REDIRECT", default=HTTPS)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked by the machine itself, past the proxy
if env.bool("KZFLEET_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# A body is read into memory before a rule looks at it; an agent's batch of reports is the largest.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- the API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "kzfleet.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["kzfleet.api.permissions.ActionPermission"],
    "DEFAULT_PARSER_CLASSES": ["kzfleet.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "kzfleet.api.pagination.KeysetPagination",
    "EXCEPTION_HANDLER": "kzfleet.api.errors.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# --- Celery: measured values, see the design page "agent" -----------------------------------------

BROKER_URL = env.str("BROKER_URL", default="") or embedded_broker_url(VAR_DIR)
CELERY_BROKER_URL = BROKER_URL
# What agents are told the broker is, without credentials: each gets its own.
AGENT_BROKER_URL = env.str("KZFLEET_AGENT_BROKER_URL", default="") or without_credentials(BROKER_URL)
# The users the broker knows are written into this file; control's work, where it is named. docs/running.md.
BROKER_USERS_FILE = env.str("KZFLEET_BROKER_USERS_FILE", default="")
# With the one user who may make the broker read that file again.
BROKER_ACCESS_URL = env.str("KZFLEET_BROKER_ACCESS_URL", default="")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_DEFAULT_EXCHANGE = ""
CELERY_TASK_DEFAULT_ROUTING_KEY = "control"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# The default, 100, gives up; a control worker waits for its broker as long as it takes.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "priority_steps": [0],
    "global_keyprefix": env.str("KZFLEET_BROKER_PREFIX", default=""),
    "socket_timeout": 15,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = beat_schedule(lambda switch: env.bool(switch, default=True))

# --- what a lower app tells a higher one (dotted paths; grep finds them) ---------------------------

# kind of order -> called once per batch of reports and kind, with a list of TakenResult
_TAKE_VERBS = "apps.zones.services.take_verbs"
JOB_RESULT: dict[str, str] = {
    "inspect": "apps.zones.services.take_inspections",
    "probe": "apps.conflicts.evidence.take_probes",
    **dict.fromkeys(
        (
            "configure",
            "install",
            "attach",
            "detach",
            "ready",
            "boot",
            "halt",
            "shutdown",
            "suspend",
            "migrate",
            "mark-unavailable",
            "disable-autoboot",
            "force-takeover",
            "initialize-hostdata",
        ),
        _TAKE_VERBS,
    ),
}
# Job.subject_kind -> called with the job in the transaction that moved it
JOB_MOVED: dict[str, str] = {
    "conflict": "apps.conflicts.services.job_moved",
    "evidence-sheet": "apps.conflicts.evidence.job_moved",
    "forced-action": "apps.forced_actions.services.job_moved",
}
# EvidenceSheet.subject_kind -> called with the sheet in the transaction that completed it
EVIDENCE_COMPLETE: dict[str, str] = {"forced-action": "apps.forced_actions.services.sheet_completed"}
# called with hosts that were inspected and are as they were, and the time
HOSTS_CONFIRMED: list[str] = ["apps.zones.confirming.confirm_hosts"]
# called with what the return guards of hosts keep from booting (host, HeldBack), and the time
HELD_BACK: list[str] = ["apps.conflicts.obligations.meet_obligations"]
# called with the ids of the zones that a batch of reports changed, and the time; and with what is known of them
# (apps.zones.present.Present) where that was fetched already
ZONES_TOUCHED: list[str] = ["apps.conflicts.detection.find_conflicts"]
# called with a zone; says why nothing else may be done to it now, or nothing
ZONE_BLOCKERS: list[str] = ["apps.forced_actions.selectors.why_zone_is_blocked"]
# called with the inspections of a batch of reports, and the time
CONFIGURATIONS_TAKEN: list[str] = ["apps.configs.services.keep_configurations"]

# --- kzfleet --------------------------------------------------------------------------------------

# A host is asked to look at its zones this often, and is called silent when nothing came for so long.
INSPECT_EVERY_S = env.int("KZFLEET_INSPECT_EVERY_S", default=60)
HOST_SILENT_AFTER_S = env.int("KZFLEET_HOST_SILENT_AFTER_S", default=150)
# Did `make run` make accounts here? Then `manage.py totp` shows their codes; nowhere else.
DEMONSTRATION = env.bool("KZFLEET_DEMONSTRATION", default=(VAR_DIR / "accounts.txt").is_file())
# The strict default policy watches boot storage this long before anything is forced; read when it is migrated.
FORCED_QUIET_WINDOW_S = env.int("KZFLEET_FORCED_QUIET_WINDOW_S", default=60)
# Who this process is in diagnostics.
PROCESS_NAME = env.str("KZFLEET_PROCESS", default="manage")
HOST_NAME = socket.gethostname()

LOGGING_CONFIG = None
configure_diagnostics(
    process=PROCESS_NAME,
    level=env.str("KZFLEET_LEVEL", default="INFO"),
    as_json=env.bool("KZFLEET_JSON", default=True),
)
