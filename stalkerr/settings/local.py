"""One machine, one command: secrets are made once and kept under var/, servers are embedded."""

import secrets

from cryptography.fernet import Fernet

from stalkerr.env import env, kept_secret
from stalkerr.settings.base import *
from stalkerr.settings.base import VAR_DIR


def kept(name: str) -> str:
    """The secret in the environment, else the one kept under var/secrets."""
    fresh = secrets.token_urlsafe(48).encode()
    return env.str(name, default="") or kept_secret(VAR_DIR / "secrets", name.lower(), fresh)


SECRET_KEY = kept("SECRET_KEY")
JWT_KEY = kept("JWT_KEY")
METRICS_TOKEN = kept("METRICS_TOKEN")
FLOWER_PASSWORD = kept("FLOWER_PASSWORD")
CHANNEL_KEYS = env.list("CHANNEL_KEYS", default=[]) or [
    kept_secret(VAR_DIR / "secrets", "channel_key", Fernet.generate_key())
]
VAPID_KEY = env.str("VAPID_KEY", default="") or kept_secret(
    VAR_DIR / "secrets", "vapid_key", secrets.token_urlsafe(32).encode()
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
