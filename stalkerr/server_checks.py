"""What must be right of the servers we are given: Django's system checks of our own."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from redis import Redis, RedisError

PATIENCE = 2.0  # seconds for a server that may be away


def check_databases_of_redis(**_: Any) -> list[CheckMessage]:
    """Emptying the cache must empty nothing else."""
    broker, cache = _place(settings.BROKER_URL), _place(settings.CACHE_URL)
    if broker == cache:
        return [
            Error(
                "BROKER_URL and CACHE_URL are one database: what one forgets, the other loses.",
                hint="Give the cache another server, or at least another number: redis://…/1.",
                id="stalkerr.E012",
            )
        ]
    if _place(settings.BUCKETS_URL) == cache:
        return [
            Warning(
                "BUCKETS_URL is the cache's: a turn that the cache forgets is a request too many.",
                hint="Name a Redis with maxmemory-policy noeviction in BUCKETS_URL.",
                id="stalkerr.W001",
            )
        ]
    return []


def _place(url: str) -> tuple[str, int, str]:
    """(host, port, database) of a Redis; for another broker they differ anyway."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 6379, parts.path.strip("/") or "0"


def check_eviction(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """A Redis that drops keys when it is full drops hints and turns, and says nothing."""
    if not databases:
        return []
    servers = {"BROKER_URL": settings.BROKER_URL, "BUCKETS_URL": settings.BUCKETS_URL}
    policies = {name: _policy(url) for name, url in servers.items() if url.startswith("redis")}
    return [
        Error(
            f"The Redis of {name} forgets when it is full: its maxmemory-policy is {policy}.",
            hint="Set maxmemory-policy noeviction there; the cache is another server.",
            id="stalkerr.E013",
        )
        for name, policy in policies.items()
        if policy not in ("noeviction", None)
    ]


def _policy(url: str) -> str | None:
    """As the server tells it to anybody; None where it can't be asked: /health says so."""
    try:
        with Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, decode_responses=True
        ) as redis:
            found: Any = redis.info("memory")
            return str(found["maxmemory_policy"])
    except (RedisError, OSError, KeyError):
        return None


def check_pooler(**_: Any) -> list[CheckMessage]:
    """A pooler in transaction mode knows no cursor and no option that outlives a transaction."""
    if not settings.DATABASE_POOLER:
        return []
    database = settings.DATABASES["default"]
    wrong = []
    if not database.get("DISABLE_SERVER_SIDE_CURSORS"):
        wrong.append("server-side cursors")
    if "options" in database["OPTIONS"]:
        wrong.append("options given at the start of a connection")
    return [
        Error(
            f"DATABASE_POOLER is set, and a pooler does not keep {what}.",
            hint="Take them out of DATABASE_URL; a role may have settings instead (ALTER ROLE).",
            id="stalkerr.E014",
        )
        for what in wrong
    ]
