"""What is judged of the product's health: each part by its own work, lately done.

Nothing is asked of a store or of a channel, and of a server no more than whether it answers. A new
check is a function and a line in CHECKS.
"""

import datetime as dt
from collections.abc import Callable, Collection
from typing import Final

import structlog
from django.conf import settings
from django.core.cache import cache as kept
from django.db import connection, transaction
from kombu import Connection
from redis import Redis

from notifications import reaching
from notifications.backlog import backlog
from scraping.models import Target, Visit
from stalkerr import clock, sql
from stalkerr.redaction import redacted
from workers import schedule, starting
from workers.backups import state
from workers.ledger import signs
from workers.ledger.slots import last_signs

PATIENCE: Final = 0.5  # seconds for a broker or cache
DATABASE_PATIENCE: Final = 2  # seconds to connect, and for each question
LATE: Final = dt.timedelta(seconds=120)  # for a message whose time has come
RECENT: Final = dt.timedelta(days=1)
VISITS: Final = 5  # visits in a row that saw nothing: the store, or our way to it, is broken
MISSED_TICKS: Final = 6
# A canary a minute: one may be lost with a hint and be given again, two are not.
SILENT: Final = dt.timedelta(seconds=150)

_log = structlog.get_logger(__name__)
_unwell: set[str] = set()  # what this process last found so


class UnhealthyError(Exception):
    """What a check found: for the log and for staff; strangers are told no details."""


def examine(names: Collection[str]) -> dict[str, str | None]:
    """What is wrong with each of these parts; None where nothing is."""
    found: dict[str, str | None] = {}
    for name, check in CHECKS.items():
        if name in names:
            gone = name in OF_DATABASE and found.get("database") is not None
            found[name] = "the database is gone" if gone else _examine(name, check)
    return found


def _examine(name: str, check: Callable[[], None]) -> str | None:
    try:
        if name in OF_DATABASE:
            _bounded(check)
        else:
            check()
    except Exception as error:  # noqa: BLE001 (whatever broke, the others are still to be asked)
        reason = redacted(f"{type(error).__name__}: {error}")[:300]
        if name not in _unwell:  # once, however often one asks
            _log.warning("unhealthy", check=name, reason=reason)
        _unwell.add(name)
        return reason
    _unwell.discard(name)
    return None


def _bounded(check: Callable[[], None]) -> None:
    """A database that answers and then hangs is not waited for."""
    with transaction.atomic():
        sql.rows(f"SET LOCAL statement_timeout = '{DATABASE_PATIENCE}s'")
        check()


def check_database() -> None:
    """A connection of its own: the pool of a database that is gone makes one wait for long."""
    probe = connection.copy()
    options = {
        name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"
    }
    probe.settings_dict["OPTIONS"] = options | {"connect_timeout": DATABASE_PATIENCE}
    try:
        with probe.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{DATABASE_PATIENCE}s'")
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
    kept.get("health")


def check_store() -> None:
    """By the last visits, never by a request of its own."""
    now = clock.now()
    seen_nothing = (Visit.Outcome.FAILED, Visit.Outcome.THROTTLED)
    visits = Visit.objects.exclude(outcome=Visit.Outcome.POSTPONED)
    recent = visits.filter(finished_at__gt=now - RECENT).order_by("-finished_at")
    outcomes = list(recent.values_list("outcome", flat=True)[:VISITS])
    if len(outcomes) == VISITS and all(outcome in seen_nothing for outcome in outcomes):
        raise UnhealthyError(f"the last {VISITS} visits saw nothing")


def check_channels() -> None:
    """By what came of the last contacts, never by a message of its own."""
    if silent := reaching.silent_kinds(now=clock.now()):
        raise UnhealthyError(f"nobody answers over {', '.join(silent)}")


def check_beat() -> None:
    ticked_at, _ = last_signs(job.task for job in schedule.jobs() if job.vital)
    patience = MISSED_TICKS * max(settings.TICK_INTERVAL, settings.SWEEP_INTERVAL)
    if ticked_at is None or clock.now() - ticked_at > patience:
        raise UnhealthyError(f"no tick since {ticked_at}")


def check_workers() -> None:
    """By the canary of each queue: those that send may live while those that visit are gone."""
    if silent := silent_queues():
        raise UnhealthyError(f"no canary came back from {', '.join(silent)}")


def silent_queues() -> list[str]:
    """Queues whose canary has not come back for SILENT and that hold nothing that explains it.

    What a worker holds it must renew: with a worker that hangs, its leases run out as well.
    """
    now = clock.now()
    heard = signs.last_done(list(schedule.CANARIES.values()))
    silent = [
        queue
        for queue, name in schedule.CANARIES.items()
        if name not in heard or now - heard[name] > SILENT
    ]
    return sorted(set(silent) - _busy_queues(now)) if silent else []


def _busy_queues(now: dt.datetime) -> set[str]:
    queues = {job.task: job.queue for job in schedule.jobs()}
    canaries = set(schedule.CANARIES.values())
    busy = {queues[job] for job in signs.held(now=now) - canaries if job in queues}
    if Target.objects.filter(lease_expires_at__gt=now).exists():
        busy.add("scrape")
    return busy


def check_backlog() -> None:
    now = clock.now()
    oldest_at = backlog(now=now).oldest_at
    if oldest_at is not None and now - oldest_at > LATE:
        raise UnhealthyError(f"something waits since {oldest_at}")


def check_backups() -> None:
    if problems := state.problems(clock.now()):
        raise UnhealthyError(" ".join(problems.values()))


def check_migrations() -> None:
    if trouble := starting.trouble(connection):
        raise UnhealthyError(trouble)


CHECKS: Final[dict[str, Callable[[], None]]] = {
    "database": check_database,
    "audible_api": check_store,
    "notification_services": check_channels,
    "cache": check_cache,
    "broker": check_broker,
    "workers": check_workers,
    "beat": check_beat,
    "oldest_due_message": check_backlog,
    "backups": check_backups,
    "migrations": check_migrations,
}
NEEDED: Final = frozenset({"database", "migrations"})  # to answer requests at all
OF_DATABASE: Final = frozenset(CHECKS) - {"database", "cache", "broker"}
