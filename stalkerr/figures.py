"""What processes count: each for itself, added up in Redis, shown by /metrics.

A process adds what it counted since the last time, every few seconds; who is killed takes that
little along. So a counter is the sum over all processes, past ones too, and no row that is pruned
makes it fall. Where Redis is wiped it begins at nothing, as a restarted process does: Prometheus
knows that. Labels have few values, all of them ours: routes, not paths; kinds, not addresses.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.samples import Sample
from redis import Redis
from redis.exceptions import RedisError

TOTALS: Final = "stalkerr:figures"
POOLS: Final = "stalkerr:pools"
PULSE: Final = 5.0  # seconds between two times that a process tells
_PATIENCE: Final = 0.5  # seconds
_PAUSE: Final = 30.0  # seconds without a try, once Redis could not be reached
_FRESH: Final = 60.0  # seconds: of an older pool the process is gone

REGISTRY: Final = CollectorRegistry()  # of this process alone
_LABELS_OF_REQUESTS: Final = ("method", "route", "status")
REQUESTS: Final = Counter(
    "stalkerr_requests",
    "Requests answered; lane: edge where they never saw Django.",
    ("lane", *_LABELS_OF_REQUESTS),
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "stalkerr_request_seconds",
    "How long answers took, to their last byte.",
    _LABELS_OF_REQUESTS,
    buckets=(0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
EDGE_ANSWERS: Final = Counter(
    "stalkerr_edge_answers", "Reads by strangers.", ("outcome",), registry=REGISTRY
)
TASKS: Final = Counter(
    "stalkerr_tasks", "Tasks ended.", ("task", "outcome"), registry=REGISTRY
)  # fmt: skip
TASK_SECONDS: Final = Histogram(
    "stalkerr_task_seconds",
    "How long tasks ran.",
    ("task",),
    buckets=(0.01, 0.05, 0.25, 1, 5, 20, 60, 300, 1800),
    registry=REGISTRY,
)
TASK_WAIT: Final = Histogram(
    "stalkerr_task_wait_seconds",
    "How long hints waited in the broker for a worker.",
    ("task",),
    buckets=(0.01, 0.05, 0.25, 1, 5, 20, 60, 120),
    registry=REGISTRY,
)
VISITS: Final = Counter(
    "stalkerr_visits", "Visits to stores.", ("marketplace", "outcome"), registry=REGISTRY
)
EVENTS: Final = Counter("stalkerr_events", "News published.", ("kind",), registry=REGISTRY)
ATTEMPTS: Final = Counter(
    "stalkerr_attempts", "Tries to send a message.", ("channel", "verdict"), registry=REGISTRY
)
DELIVERY_SECONDS: Final = Histogram(
    "stalkerr_delivery_seconds",
    "From seen in a store to told, of what nobody wished to hear later.",
    ("channel",),
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 21_600),
    registry=REGISTRY,
)
DUPLICATES: Final = Counter(
    "stalkerr_duplicates_prevented",
    "Promises not made, as the channel had been told the same of that work.",
    registry=REGISTRY,
)

_log = structlog.get_logger(__name__)
_told: dict[str, float] = {}  # what of this process's counts is in Redis, by field
_telling = threading.Lock()
_silent_until = 0.0


def tell(pools: Mapping[str, Mapping[str, int]] | None = None) -> bool:
    """Add what was counted since; False where Redis could not be told, which is then told later.

    `pools`: connections of this process, {name: {size, in_use, waiting}}.
    """
    global _silent_until
    with _telling:
        if time.monotonic() < _silent_until:
            return False
        counted = _counted()
        fresh = {field: count - _told.get(field, 0.0) for field, count in counted.items()}
        try:
            with _redis(settings.BUCKETS_URL).pipeline(transaction=False) as pipeline:
                for field, more in fresh.items():
                    if more or field not in _told:  # a histogram has all its buckets
                        pipeline.hincrbyfloat(TOTALS, field, more)
                for name, state in (pools or {}).items():
                    pipeline.hset(POOLS, _of_process(name), json.dumps([time.time(), name, state]))
                pipeline.execute()
        except RedisError as error:
            _silent_until = time.monotonic() + _PAUSE
            _log.warning("figures_not_told", error=type(error).__name__, silent_s=_PAUSE)
            return False
        _told.update(counted)
    return True


def begin_anew() -> None:
    """After a fork: what the parent counted is the parent's to tell."""
    global _telling
    _telling = threading.Lock()  # somebody may have held it
    _told.update(_counted())


def _counted() -> dict[str, float]:
    return {
        json.dumps([sample.name, sorted(sample.labels.items())]): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def read() -> list[Metric]:
    """The sums of all processes; what nobody counted yet has no samples. Raises RedisError."""
    kept: Any = _redis(settings.BUCKETS_URL).hgetall(TOTALS)
    samples: dict[str, list[Sample]] = {}
    for field, value in kept.items():
        name, labels = json.loads(field)
        samples.setdefault(name, []).append(Sample(name, dict(labels), float(value)))
    return [_family(each, samples) for each in REGISTRY.collect()]


def _family(declared: Metric, samples: Mapping[str, list[Sample]]) -> Metric:
    family = Metric(declared.name, declared.documentation, declared.type)
    for ending in ("_total", "_bucket", "_count", "_sum"):
        family.samples += sorted(samples.get(f"{declared.name}{ending}", []), key=_place)
    return family


def _place(sample: Sample) -> tuple[list[tuple[str, str]], float]:
    others = sorted(item for item in sample.labels.items() if item[0] != "le")
    return others, float(sample.labels.get("le", 0))


def pools() -> Iterator[tuple[str, str, int]]:
    """(pool, state, connections) over all processes that are alive. Raises RedisError."""
    sums: dict[tuple[str, str], int] = {}
    kept: Any = _redis(settings.BUCKETS_URL).hgetall(POOLS)
    for told in kept.values():
        at, name, states = json.loads(told)
        if time.time() - at < _FRESH:
            for state, number in states.items():
                sums[name, state] = sums.get((name, state), 0) + number
    yield from ((name, state, number) for (name, state), number in sorted(sums.items()))


def leave(pools: Mapping[str, Any]) -> None:
    """This process ends: what it counted is told, and it has no pools any more."""
    tell()
    try:
        _redis(settings.BUCKETS_URL).hdel(POOLS, *map(_of_process, pools))
    except RedisError:
        return


def _of_process(pool: str) -> str:
    return f"{platform.node()}:{os.getpid()}:{pool}"


@cache
def _redis(url: str) -> "Redis":
    return Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
