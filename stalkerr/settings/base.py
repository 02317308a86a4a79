"""What every deployment shares. Secrets and servers come from the environment (docs/reference)."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any

from stalkerr import patience
from stalkerr.env import env, seconds

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))

DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
PUBLIC_URL: str = env.str("PUBLIC_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "catalog",
    "scraping",
    "notifications",
    "workers",
    "api",
]
MIDDLEWARE = [  # all of them async-capable: one that is not would cost a thread a request
    "api.middleware.safe",
    "api.middleware.limits_told",
    "api.middleware.hurried",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "api.middleware.ExactOrigins",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "stalkerr.urls"
ASGI_APPLICATION = "stalkerr.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "stalkerr.static.StaticFiles"},
}
# -- backups ---------------------------------------------------------------------------------
BACKUPS = env.bool("BACKUPS", default=True)  # every night, and a drill every week
BACKUP_DIR = Path(env.str("BACKUP_DIR", default=str(VAR_DIR / "backups")))
BACKUP_BUCKET: str = env.str("BACKUP_BUCKET", default="")  # S3, or what speaks like it
if BACKUP_BUCKET:
    STORAGES["backups"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": BACKUP_BUCKET,
            "endpoint_url": env.str("BACKUP_ENDPOINT", default="") or None,
            "region_name": env.str("BACKUP_REGION", default="") or None,
            "access_key": env.str("BACKUP_ACCESS_KEY", default="") or None,
            "secret_key": env.str("BACKUP_SECRET_KEY", default="") or None,
            "location": env.str("BACKUP_FOLDER", default=""),
            "default_acl": None,
            "max_memory_size": 8 * 2**20,  # bytes; what is larger goes to the disk
        },
    }
else:
    STORAGES["backups"] = {
        "BACKEND": "workers.backups.storage.PrivateFolder",
        "OPTIONS": {"location": BACKUP_DIR},
    }
BACKUP_RECIPIENTS: list[str] = env.list("BACKUP_RECIPIENTS", default=[])  # public keys (age)
BACKUP_IDENTITY: str = env.str("BACKUP_IDENTITY", default="")  # the private key of one of them
BACKUP_KEEP_DAYS = env.int("BACKUP_KEEP_DAYS", default=30)
BACKUP_KEEP_WEEKS = env.int("BACKUP_KEEP_WEEKS", default=8)
BACKUP_KEEP_MONTHS = env.int("BACKUP_KEEP_MONTHS", default=12)

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=10_000_000)  # packed, and unpacked

# -- servers ---------------------------------------------------------------------------------
# CONN_MAX_AGE leaks connections under ASGI: pools instead, made after fork. The web raises its
# pool by DATABASE_POOL_MAX; a check sums processes x pools against max_connections.
_database = env.db("DATABASE_URL")
# PgBouncer or the like stands between us and PostgreSQL, and hands out connections by transaction.
DATABASE_POOLER = env.bool("DATABASE_POOLER", default=False)
# The web says how long it waits, and answers 503 then; nobody waits for a worker.
_patience = env.float("DATABASE_PATIENCE", default=0.0)
_statement = env.float("DATABASE_STATEMENT_TIMEOUT", default=0.0)
DATABASE_BUDGET = env.float("DATABASE_BUDGET", default=0.0)  # of one request, in seconds
DATABASES = {
    "default": {
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLER,
        **_database,
        "CONN_MAX_AGE": 0,
        # Without it every pooled connection fails once after PostgreSQL was restarted.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database.get("OPTIONS", {}),  # such as sslmode, from the URL
            **patience.options(
                given=_database.get("OPTIONS", {}).get("options", ""),
                patience=_patience,
                statement=_statement,
            ),
            "pool": {
                "min_size": 1,
                "max_size": env.int("DATABASE_POOL_MAX", default=2),
                "timeout": _patience or 10,
                "connection_class": patience.Patient.for_at_most(_statement),
            },
            # Nothing is prepared by itself, however often it is asked (a generic plan for the fan-out
            # is ten times slower than a planned one), only what stalkerr.sql.prepared asks for.
            "prepare_threshold": 2**31,
            "application_name": "stalkerr",
        },
    }
}
BROKER_URL: str = env.str("BROKER_URL")
CACHE_URL: str = env.str("CACHE_URL")
# Token buckets live with the broker, not the cache (an evicted bucket would be a full one);
# behind RabbitMQ they need a Redis of their own.
BUCKETS_URL: str = env.str(
    "BUCKETS_URL", default=BROKER_URL if BROKER_URL.startswith("redis") else CACHE_URL
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "stalkerr",
        # Who asks a cache that hangs must not hang with it.
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}
# Connections of the web's edge lane (api/edge), beside those of Django.
EDGE_POOL_MAX = env.int("EDGE_POOL_MAX", default=10)
# The proxies in front of us (CIDRs): what they say of who asks, and how, is believed.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])

# -- doors -----------------------------------------------------------------------------------
SECRET_KEY: str
JWT_KEY: str  # signs access tokens; not SECRET_KEY, so that either can be changed alone
JWT_LIFETIME = seconds("JWT_LIFETIME", 15 * 60)
REFRESH_LIFETIME = seconds("REFRESH_LIFETIME", 30 * 24 * 3600)
METRICS_TOKEN: str
CHANNEL_KEYS: list[str]  # Fernet keys for channel secrets, newest first; old ones still decrypt
VAPID_KEY: str = env.str("VAPID_KEY", default="")  # signs web push; without it there is none
WEBSUB_HUB: str = env.str("WEBSUB_HUB", default="")  # told of by public feeds
LIMITS_FACTOR = env.int("LIMITS_FACTOR", default=1)  # of every rate of requests
# Pages of these origins may ask the API, with cookies too (api/headers.py: may_ask); no others.
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ORIGINS", default=[])
# What a token in its address opens is not among these.
CORS_URLS_REGEX = r"^/(api/|graphql(/schema)?$|feeds/(upcoming\.|authors/|series/))"
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_METHODS = ["DELETE", "GET", "PATCH", "POST", "PUT"]
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "x-csrftoken"),
    *("idempotency-key", "if-match", "if-none-match"),
]
CORS_EXPOSE_HEADERS = [
    *("ETag", "Location", "Retry-After"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
]
CORS_PREFLIGHT_MAX_AGE = 600  # seconds: an origin that is struck off the list is soon out
WHITENOISE_ALLOW_ALL_ORIGINS = False  # static files are for our own pages
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "api.auth.InScope",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.FairUse"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "api.rest.paging.KeysetPagination",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is 405: /api/schema says all there is to say
    "DEFAULT_SCHEMA_CLASS": "api.operations.Operation",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a parameter like any other
    "EXCEPTION_HANDLER": "api.errors.problem_details",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Stalkerr",
    "DESCRIPTION": "Tells audiobook listeners about the next book.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    # What is asked for is not what is answered: defaults may be left out, and what is made is not taken.
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "MarketplaceEnum": "catalog.marketplaces.CHOICES",
        "AudiobookKindEnum": "catalog.classify.KINDS",
        "EventKindEnum": "catalog.models.watch.HEARABLE",
        "WatchKindEnum": "catalog.models.watch.Watch.Kind",
        "ImportStateEnum": "catalog.models.imported.Import.State",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.add_problems",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    # No stranger is asked what they think of our description.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
UNFOLD = {"SITE_TITLE": "Stalkerr", "SITE_HEADER": "Stalkerr"}

# -- stores ----------------------------------------------------------------------------------
USER_AGENT: str = env.str("USER_AGENT", default="Stalkerr/0.1 (audiobook release tracker)")
STORE_URL: str = env.str("STORE_URL", default="")  # instead of every marketplace's own host
STORE_RESPONSE_GROUPS: list[str] = env.list(  # a store refuses the whole question for one unknown
    "STORE_RESPONSE_GROUPS",
    default=[
        *("contributors", "product_attrs", "product_desc", "product_extended_attrs", "media"),
        *("series", "relationships", "category_ladders", "rating", "price", "product_details"),
    ],
)
STORE_TIMEOUT = seconds("STORE_TIMEOUT", 15)
# A token bucket for each marketplace, over all workers; some may have a pace of their own.
STORE_REQUEST_INTERVAL = seconds("STORE_REQUEST_INTERVAL", 3)
STORE_REQUEST_INTERVALS: list[str] = env.list("STORE_REQUEST_INTERVALS", default=[])  # us=2,jp=10
STORE_BURST = env.int("STORE_BURST", default=1)
STORE_BURSTS: list[str] = env.list("STORE_BURSTS", default=[])
STORE_BREAKER_FAILURES = env.int("STORE_BREAKER_FAILURES", default=5)  # in a row
STORE_BREAKER_OPEN = seconds("STORE_BREAKER_OPEN", 5 * 60)  # the first time; doubles up to an hour
STORE_REMEMBER = seconds("STORE_REMEMBER", 24 * 3600)  # an answer, to ask only for what changed
STORE_SAME_URL_INTERVAL = seconds("STORE_SAME_URL_INTERVAL", 30 * 60)  # the answers' max-age
STORE_LONGEST_WAIT = seconds("STORE_LONGEST_WAIT", 20)  # for a turn; beyond it a visit re-schedules
STORE_RETRY_AFTER_MAX = seconds("STORE_RETRY_AFTER_MAX", 24 * 3600)
STORE_SOURCES: list[str] = env.list("STORE_SOURCES", default=[])  # asked first: jp=audible_html
STORE_PAGES_AFTER = seconds("STORE_PAGES_AFTER", 6 * 3600)  # of silence of the API, pages are read
VISIT_INTERVAL = seconds("VISIT_INTERVAL", 6 * 3600)  # usual; close to a release more, else less
SILENCE_ALARM = seconds("SILENCE_ALARM", 7 * 24 * 3600)  # no new title anywhere; 0: never
VISIT_LEASE = seconds("VISIT_LEASE", 120)  # renewed page by page
ABSENCE_DELAY = seconds("ABSENCE_DELAY", 6 * 3600)  # between the two looks that make a withdrawal

# -- telling ---------------------------------------------------------------------------------
OUTBOUND_ALLOW: list[str] = env.list("OUTBOUND_ALLOW", default=[])  # private CIDRs or hosts
OUTBOUND_TIMEOUT = seconds("OUTBOUND_TIMEOUT", 15)
SMTP_URL: str = env.str("SMTP_URL", default="")  # smtp[s]://user:password@host:port
EMAIL_FROM: str = env.str("EMAIL_FROM", default="Stalkerr <stalkerr@localhost>")
# Whom a push service may write to about us.
VAPID_CONTACT: str = env.str("VAPID_CONTACT", default=f"mailto:{parseaddr(EMAIL_FROM)[1]}")
TELL_LEASE = seconds("TELL_LEASE", 60)
TELL_IN_FLIGHT = env.int(
    "TELL_IN_FLIGHT", default=192
)  # sends at once per process, with those unsettled
FAN_OUT_CHUNK = env.int("FAN_OUT_CHUNK", default=20_000)  # rows a transaction; 0.7 s measured
KEEP_MESSAGES = seconds("KEEP_MESSAGES", 400 * 24 * 3600)  # whole months, once all in them is over
RETRY_BASE = seconds("RETRY_BASE", 5)  # the first wait; ten tries span about three days

# -- work ------------------------------------------------------------------------------------
TICK_INTERVAL = seconds("TICK_INTERVAL", 10)
SWEEP_INTERVAL = seconds("SWEEP_INTERVAL", 10)  # how soon a row whose hint was lost is found again
SCHEDULE: list[str] = env.list("SCHEDULE", default=[])  # other times: workers.prune=1800,…
KEEP_RUNS = seconds("KEEP_RUNS", 30 * 24 * 3600)  # of jobs; whole months, once all in them is over
BROKER_TIMEOUT = env.float("BROKER_TIMEOUT", default=5.0)  # the web waits half a second only
LEDGER_POOL_SIZE = env.int("LEDGER_POOL_SIZE", default=1)
FLOWER_ADDRESS: str = env.str("FLOWER_ADDRESS", default="127.0.0.1:5555")
FLOWER_USER: str = env.str("FLOWER_USER", default="stalkerr")
FLOWER_PASSWORD: str
FLOWER_URL_PREFIX: str = env.str("FLOWER_URL_PREFIX", default="")  # behind a proxy: flower
FLOWER_READ_ONLY = env.bool("FLOWER_READ_ONLY", default=True)
# Instead of the password: whoever a provider of identities knows by one of these e-mail addresses.
FLOWER_AUTH: str = env.str("FLOWER_AUTH", default="")
FLOWER_AUTH_PROVIDER: str = env.str(
    "FLOWER_AUTH_PROVIDER", default="flower.views.auth.OktaLoginHandler"
)
FLOWER_OIDC_URL: str = env.str("FLOWER_OIDC_URL", default="")  # of that provider
FLOWER_CLIENT_ID: str = env.str("FLOWER_CLIENT_ID", default="")
FLOWER_CLIENT_SECRET: str = env.str("FLOWER_CLIENT_SECRET", default="")
FLOWER_REDIRECT_URL: str = env.str("FLOWER_REDIRECT_URL", default="")

# A collector of traces: http://collector:4318 (stalkerr/telemetry.py).
OTEL_EXPORTER_OTLP_ENDPOINT: str = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
LOG_FORMAT: str = env.str("LOG_FORMAT", default="console")  # console or json
LOG_LEVEL: str = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = "stalkerr.logging.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
