"""GET /health: whether the product does its work, judged by what its parts did lately."""

import datetime as dt
from collections.abc import Callable
from typing import Final

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from redis import Redis

from notifications.backlog import backlog
from scraping.models import Visit
from stalkerr import clock
from workers.ledger.slots import last_signs
from workers.schedule import jobs

PATIENCE: Final = 0.5  # seconds for a broker or cache
DATABASE_PATIENCE: Final = 2  # seconds to connect, and for each question
LATE: Final = dt.timedelta(seconds=120)  # for a message whose time has come
RECENT: Final = dt.timedelta(days=1)
VISITS: Final = 5  # visits in a row that saw nothing: the store, or our way to it, is broken
MISSED_TICKS: Final = 6
MISSED_RUNS: Final = 15  # a worker may be busy with a long visit

_log = structlog.get_logger(__name__)
_unwell: set[str] = set()  # what this process last found so


class UnhealthyError(Exception):
    """What a check found; for the log only: strangers are told no details."""


@require_safe
@never_cache
def health(_request: HttpRequest) -> JsonResponse:
    """200 if all is well, else 503; `checks` says which part is not."""
    checks = {"database": _is_well("database", check_database)}
    for name, check in CHECKS.items():
        asks_database = name in OF_DATABASE
        checks[name] = (checks["database"] or not asks_database) and _is_well(name, check)
    is_healthy = all(checks.values())
    body = {
        "status": _word(is_healthy),
        "checks": {name: _word(is_well) for name, is_well in checks.items()},
    }
    return JsonResponse(body, status=200 if is_healthy else 503)


def _word(is_well: bool) -> str:  # noqa: FBT001 (a mapping of two values)
    return "healthy" if is_well else "unhealthy"


def _is_well(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 (whatever broke, the others are still to be asked)
        if name not in _unwell:  # once, however often one asks
            kind, detail = type(error).__name__, str(error)[:300]
            _log.warning("unhealthy", check=name, error=kind, detail=detail)
        _unwell.add(name)
        return False
    _unwell.discard(name)
    return True


def check_database() -> None:
    """A connection of its own: the pool of a database that is gone makes one wait for long."""
    probe = connection.copy()
    options = {
        name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"
    }
    probe.settings_dict["OPTIONS"] = options | {"connect_timeout": DATABASE_PATIENCE}
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        probe.close()


def check_broker() -> None:
    if settings.BROKER_URL.startswith(("redis:", "rediss:")):
        _ping(settings.BROKER_URL)
        return
    with Connection(settings.BROKER_URL, connect_timeout=PATIENCE) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


def _ping(url: str) -> None:
    with Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as redis:
        redis.ping()


def check_cache() -> None:
    cache.get("health")


def check_store() -> None:
    """By the last visits, never by a request of its own."""
    now = clock.now()
    seen_nothing = (Visit.Outcome.FAILED, Visit.Outcome.THROTTLED)
    visits = Visit.objects.exclude(outcome=Visit.Outcome.POSTPONED)
    recent = visits.filter(finished_at__gt=now - RECENT).order_by("-finished_at")
    outcomes = list(recent.values_list("outcome", flat=True)[:VISITS])
    if len(outcomes) == VISITS and all(outcome in seen_nothing for outcome in outcomes):
        raise UnhealthyError(f"the last {VISITS} visits saw nothing")


def check_beat() -> None:
    _check_sign(last_signs(_sweeps())[0], MISSED_TICKS)


def check_workers() -> None:
    """Each sweep by itself: those that send may live while those that visit are gone."""
    for sweep in _sweeps():
        _check_sign(last_signs([sweep])[1], MISSED_RUNS)


def _sweeps() -> list[str]:
    """The jobs that run all the time."""
    return [job.task for job in jobs() if job.vital]


def _check_sign(seen_at: dt.datetime | None, missed: int) -> None:
    """A sign of life is too old after so many misses; before the first there is no life."""
    patience = missed * max(settings.TICK_INTERVAL, settings.SWEEP_INTERVAL)
    if seen_at is None or clock.now() - seen_at > patience:
        raise UnhealthyError(f"last seen {seen_at}")


def check_backlog() -> None:
    now = clock.now()
    oldest_at = backlog(now=now).oldest_at
    if oldest_at is not None and now - oldest_at > LATE:
        raise UnhealthyError(f"something waits since {oldest_at}")


OF_DATABASE: Final = frozenset({"audible_api", "workers", "beat", "oldest_due_message"})
CHECKS: Final[dict[str, Callable[[], None]]] = {
    "broker": check_broker,
    "cache": check_cache,
    "audible_api": check_store,
    "workers": check_workers,
    "beat": check_beat,
    "oldest_due_message": check_backlog,
}
