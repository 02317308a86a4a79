"""GET /metrics: for Prometheus, read from the database, so of all processes and machines."""

import datetime as dt
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from api.edge import figures
from notifications.backlog import backlog
from stalkerr import clock, sql

Sample = tuple[str, int]


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Text for whoever knows METRICS_TOKEN (`Authorization: Bearer …`), else 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    known = settings.METRICS_TOKEN
    if scheme.lower() != "bearer" or not known or not constant_time_compare(token.strip(), known):
        headers = {"WWW-Authenticate": "Bearer"}
        return HttpResponse(status=401, headers=headers, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(clock.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class DatabaseCollector(Collector):
    """Counters that rows keep, and how things stand, in five statements."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def describe(self) -> Iterable[Metric]:
        return []  # nothing is asked of the database before somebody collects

    def collect(self) -> Iterator[Metric]:
        yield counter("books_scraped", "Products read from stores.", "marketplace", scraped())
        sent, failed = told()
        yield counter("notifications_sent", "Messages accepted.", "channel", sent)
        yield counter("notifications_failed", "Messages given up.", "channel", failed)
        visits = self._visits()
        yield gauge("visits_last_day", "Visits to stores.", ("marketplace", "outcome"), visits)
        yield from self._state()
        yield from edge_figures()

    def _visits(self) -> list[tuple[tuple[str, ...], float]]:
        rows = sql.rows(
            """
            SELECT t.marketplace, v.outcome, count(*) FROM visits v
            JOIN targets t ON t.id = v.target_id WHERE v.finished_at > %s GROUP BY 1, 2
            """,
            [self.now - dt.timedelta(days=1)],
        )
        return [((marketplace, outcome), count) for marketplace, outcome, count in rows]

    def _state(self) -> Iterator[Metric]:
        ((audiobooks, watches),) = sql.rows(
            "SELECT (SELECT count(*) FROM audiobooks),"
            " (SELECT count(*) FROM watches WHERE ended_at IS NULL)",
            [],
        )
        due = backlog(now=self.now)
        age = (self.now - due.oldest_at).total_seconds() if due.oldest_at else 0.0
        for name, words, value in (
            ("audiobooks", "Audiobooks known.", audiobooks),
            ("watches", "Watches.", watches),
            ("due_messages", "What should have been sent by now.", due.count),
            ("oldest_due_age_seconds", "How long the oldest of that waits.", max(0.0, age)),
        ):
            yield gauge(name, words, (), [((), value)])


def edge_figures() -> Iterator[Metric]:
    """What the web's edge lanes did, and the connections they have; nothing while Redis is away."""
    answers, connections = figures.read()
    yield counter("stalkerr_edge_answers", "Reads by strangers.", "outcome", answers.items())
    states = [((state,), number) for state, number in connections.items()]
    yield gauge("edge_pool", "Connections of the edge lanes.", ("state",), states)


def scraped() -> list[Sample]:
    """Products read, by marketplace."""
    return sql.rows(
        "SELECT marketplace, sum(products_total)::bigint FROM targets GROUP BY 1 ORDER BY 1", []
    )


def told() -> tuple[list[Sample], list[Sample]]:
    """Messages sent, messages failed; by kind of channel."""
    rows = sql.rows(
        """
        SELECT kind, sum(sent_total)::bigint, sum(failed_total)::bigint
        FROM destinations GROUP BY 1 ORDER BY 1
        """,
        [],
    )
    return [(kind, sent) for kind, sent, _ in rows], [(kind, failed) for kind, _, failed in rows]


def counter(name: str, words: str, label: str, samples: Iterable[Sample]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=[label])
    for value_of_label, value in samples:
        family.add_metric([value_of_label], value)
    return family


def gauge(
    name: str,
    words: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float]],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"stalkerr_{name}", words, labels=labels)
    for values_of_labels, value in samples:
        family.add_metric(values_of_labels, value)
    return family
