"""Many machines, or one that strangers reach: no secret and no server has a default."""

from stalkerr.env import env
from stalkerr.settings.base import *

SECRET_KEY = env.str("SECRET_KEY")
JWT_KEY = env.str("JWT_KEY")
METRICS_TOKEN = env.str("METRICS_TOKEN")
# Not asked for where FLOWER_AUTH names others: a check holds that there is one of the two.
FLOWER_PASSWORD = (
    env.str("FLOWER_PASSWORD", default="") if FLOWER_AUTH else env.str("FLOWER_PASSWORD")
)
CHANNEL_KEYS = env.list("CHANNEL_KEYS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
PUBLIC_URL = env.str("PUBLIC_URL")
LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOGGING = {"format": LOG_FORMAT, "level": env.str("LOG_LEVEL", default="INFO")}

SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=True)
# Only a trusted proxy's gets as far as that: api/forwarded.py drops all others.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REDIRECT_EXEMPT = [
    r"^health(/live|/ready)?$",
    r"^metrics$",
]  # asked from inside, without TLS
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
X_FRAME_OPTIONS = "DENY"
