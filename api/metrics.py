"""GET /metrics: for Prometheus, of all processes and machines: ask one of them.

What processes count is in Redis (stalkerr/figures.py), what rows keep in PostgreSQL (api/gauges.py).
A part that can't be read is left out and named by `stalkerr_part_read`; the others are told.
"""

from collections.abc import Iterable, Iterator

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from api.gauges import PARTS, gauge

_log = structlog.get_logger(__name__)


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
    registry.register(Everything())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Everything(Collector):
    """All parts, each as it is at this moment."""

    def describe(self) -> Iterable[Metric]:
        return []  # nothing is asked before somebody collects

    def collect(self) -> Iterator[Metric]:
        read: dict[str, bool] = {}
        for name, part in PARTS.items():
            try:
                families = list(part())
            except Exception as error:  # noqa: BLE001 (whatever broke, the others are to be told)
                _log.warning("metrics_not_read", part=name, error=type(error).__name__)
                families = []
            read[name] = bool(families)
            yield from families
        yield gauge(
            "part_read",
            "Whether this part of the metrics could be read.",
            ("part",),
            [((name,), int(was_read)) for name, was_read in read.items()],
        )
