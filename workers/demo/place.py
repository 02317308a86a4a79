"""Where the demo plays: a folder, servers and data of its own, and settings that hurry.

Needed before Django reads its settings, so nothing of it is imported here.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

# Whatever the environment says of these is meant for the product.
SERVERS = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "BUCKETS_URL", "STORE_URL", "SMTP_URL")
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "stalkerr.settings.local",
    "OUTBOUND_ALLOW": "127.0.0.1",  # where those who are told live
    "EMAIL_FROM": "Stalkerr <stalkerr@demo.example>",
    "STORE_REQUEST_INTERVAL": "0.05",  # seconds, as all that follow
    "STORE_SAME_URL_INTERVAL": "0",
    "VISIT_INTERVAL": "2",
    "ABSENCE_DELAY": "2",
    "TICK_INTERVAL": "1",
    "SWEEP_INTERVAL": "1",
    "RETRY_BASE": "1",
    "CELERY_SKIP_CHECKS": "1",  # the demo's own process has made them
}


def move_in(var: Path, environ: MutableMapping[str, str] = os.environ) -> Path:
    """Make `environ` the demo's; returns its folder, apart from the product's `var`."""
    for name in (*SERVERS, *SETTINGS):
        environ.pop(name, None)
        environ.pop(f"{name}_FILE", None)
    folder = var.resolve() / "demo"
    environ.update(SETTINGS, VAR_DIR=str(folder))
    return folder
