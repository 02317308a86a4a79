"""What /metrics tells beside counts: how things stand, and counters that rows keep and never lose.

Each part is read by itself, at the moment it is asked for, by as many questions however much there is.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis import Redis

from api import health
from notifications.backlog import backlog
from scraping import politeness
from stalkerr import clock, figures, sql
from workers import queues, schedule
from workers.backups import state
from workers.ledger import signs

Samples = Iterable[tuple[tuple[str, ...], float]]
_PATIENCE: Final = 0.5  # seconds


def counted() -> Iterator[Metric]:
    """What all processes did, and the connections they have."""
    yield from figures.read()
    states = [((pool, state), number) for pool, state, number in figures.pools()]
    yield gauge("pool", "Connections of web processes to PostgreSQL.", ("pool", "state"), states)


def scraped() -> Iterator[Metric]:
    rows = sql.rows(
        "SELECT marketplace, sum(products_total)::bigint FROM targets GROUP BY 1 ORDER BY 1", []
    )
    samples = [((marketplace,), total) for marketplace, total in rows]
    yield counter("books_scraped", "Products read from stores.", ("marketplace",), samples)


def told() -> Iterator[Metric]:
    """Messages by what became of them; addresses that are spared. Destinations are never removed."""
    rows = sql.rows(
        """
        SELECT kind, sum(sent_total)::bigint, sum(failed_total)::bigint,
               count(*) FILTER (WHERE open_until > clock_timestamp())
        FROM destinations GROUP BY 1 ORDER BY 1
        """,
        [],
    )
    ends = [((kind, "sent"), sent) for kind, sent, *_ in rows]
    ends += [((kind, "failed"), failed) for kind, _, failed, _ in rows]
    words = "Messages accepted (sent) or given up (failed)."
    yield counter("notifications_sent", words, ("channel", "outcome"), ends)
    spared = [((kind,), number) for kind, *_, number in rows]
    yield gauge("destinations_spared", "Addresses whose breaker is open.", ("channel",), spared)


def standing() -> Iterator[Metric]:
    now = clock.now()
    ((audiobooks, watches),) = sql.rows(
        "SELECT (SELECT count(*) FROM audiobooks),"
        " (SELECT count(*) FROM watches WHERE ended_at IS NULL)",
        [],
    )
    due = backlog(now=now)
    for name, words, value in (
        ("audiobooks", "Audiobooks known.", audiobooks),
        ("watches", "Watches.", watches),
        ("due_messages", "What should have been sent by now.", due.count),
        ("oldest_due_age_seconds", "How long the oldest of that waits.", _age(now, due.oldest_at)),
    ):
        yield gauge(name, words, (), [((), value)])


def slots() -> Iterator[Metric]:
    """By the ledger: what is due and not done, and how long each canary has not been heard."""
    now, oldest, heard = (
        clock.now(),
        signs.oldest_due(),
        signs.last_done(schedule.CANARIES.values()),
    )
    waiting = dict.fromkeys(schedule.CANARIES, 0.0)
    for job in schedule.jobs():
        waiting[job.queue] = max(waiting[job.queue], _age(now, oldest.get(job.task)))
    words = "How long the oldest unfinished run of a queue waits."
    yield gauge("oldest_slot_age_seconds", words, ("queue",), _by(waiting))
    ages = {
        queue: _age(now, heard[job]) for queue, job in schedule.CANARIES.items() if job in heard
    }
    yield gauge("canary_age_seconds", "Since a queue's canary was heard.", ("queue",), _by(ages))


def waiting() -> Iterator[Metric]:
    words = "Hints that wait in the broker."
    yield gauge("queue_messages", words, ("queue",), _by(queues.depths()))


def stores() -> Iterator[Metric]:
    found = politeness.standings()
    tokens = [((each.marketplace,), each.tokens) for each in found]
    yield gauge("store_tokens", "Requests that might be sent now.", ("marketplace",), tokens)
    quiet = [((each.marketplace,), float(each.is_quiet)) for each in found]
    yield gauge("store_quiet", "1 where a store asked to be left alone.", ("marketplace",), quiet)
    labels = ("marketplace", "source")
    failures = [
        ((each.marketplace, source), number)
        for each in found
        for source, number in each.failures.items()
    ]
    yield gauge("store_failures", "Failures in a row.", labels, failures)
    is_open = [
        ((each.marketplace, source), float(source in each.open_breakers))
        for each in found
        for source in each.failures
    ]
    yield gauge("store_breaker_open", "1 where a source is not asked.", labels, is_open)


def caches() -> Iterator[Metric]:
    """Of the Redis of the cache, and of that of turns and limits; the same one may be both."""
    memory: list[tuple[tuple[str, ...], float]] = []
    lookups: list[tuple[tuple[str, ...], float]] = []
    for name, url in (("cache", settings.CACHE_URL), ("buckets", settings.BUCKETS_URL)):
        with Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        ) as redis:
            info: Any = redis.info()
        memory.append(((name,), info.get("used_memory", 0)))
        lookups.append(((name, "hit"), info.get("keyspace_hits", 0)))
        lookups.append(((name, "miss"), info.get("keyspace_misses", 0)))
    yield gauge("redis_memory_bytes", "Memory in use.", ("server",), memory)
    yield counter("stalkerr_redis_lookups", "Keys looked up.", ("server", "outcome"), lookups)


def backed_up() -> Iterator[Metric]:
    """Nothing of a backup that is not there: an alert asks for that, too."""
    age = state.age_of_newest(clock.now())
    samples = [] if age is None else [((), age.total_seconds())]
    yield gauge("backup_age_seconds", "How old the newest good backup is.", (), samples)


def judged() -> Iterator[Metric]:
    found = health.ALL.verdict().found
    words = "What /health says of a part: 1 is healthy."
    checks = [((name,), float(reason is None)) for name, reason in found.items()]
    yield gauge("healthy", words, ("check",), checks)


PARTS: Final[dict[str, Callable[[], Iterable[Metric]]]] = {
    "figures": counted,
    "scraped": scraped,
    "told": told,
    "standing": standing,
    "slots": slots,
    "queues": waiting,
    "stores": stores,
    "caches": caches,
    "backups": backed_up,
    "health": judged,
}


def counter(
    name: str, words: str, labels: tuple[str, ...], samples: Samples
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=labels)
    for values_of_labels, value in samples:
        family.add_metric(values_of_labels, value)
    return family


def gauge(name: str, words: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"stalkerr_{name}", words, labels=labels)
    for values_of_labels, value in samples:
        family.add_metric(values_of_labels, value)
    return family


def _by(values: dict[str, Any]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), float(value)) for name, value in values.items()]


def _age(now: dt.datetime, since: dt.datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
