"""Tests: real servers, fixed keys, fast passwords, and the only place where the clock has an offset."""

from datetime import timedelta

from stalkerr.settings.base import *

SECRET_KEY = "test-secret-key-of-a-fair-length-0123456789abcdef"
JWT_KEY = "test-jwt-key-of-a-fair-length-0123456789abcdefgh"
METRICS_TOKEN = "test-metrics-token"
FLOWER_PASSWORD = "test-flower-password"
CHANNEL_KEYS = ["dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdDA="]
VAPID_KEY = "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdDE"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OUTBOUND_TIMEOUT = timedelta(seconds=3)
OUTBOUND_ALLOW = ["127.0.0.1", "::1"]
APPRISE_DETOUR = ("127.0.0.1", 9, "")  # instead of any service: nobody listens there
CLOCK_OFFSET_TABLE = "clock_offset"
DEBUG = False
# Static files from where they are: nothing is collected before a test run.
STORAGES = STORAGES | {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

DATABASES["default"]["OPTIONS"]["pool"]["max_size"] = 10  # tests have threads of their own
