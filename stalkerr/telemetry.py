"""Spans for an OpenTelemetry collector, where OTEL_EXPORTER_OTLP_ENDPOINT names one.

A request, a task and a visit are a span each, under the trace id that the log has. Without the
setting nothing of it is even imported; the packages are those of requirements/otel.txt.
"""

import importlib.util
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from stalkerr import tracing

_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
Value = str | int | float | bool | None


def require() -> None:
    """Raises ImproperlyConfigured where traces are wanted and what sends them is not installed."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and not all(map(_is_installed, _NEEDED)):
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: run"
            " pip install --require-hashes -r requirements/otel.txt, or empty the setting."
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def tell(
    name: str, seconds: float, attributes: Mapping[str, Value], *, failed: bool = False
) -> None:
    """A span of the current trace that has just ended and took so long."""
    trace_id = tracing.current()
    if not (settings.OTEL_EXPORTER_OTLP_ENDPOINT and trace_id):
        return
    _spans(os.getpid(), settings.OTEL_EXPORTER_OTLP_ENDPOINT).tell(
        name, trace_id, seconds, attributes, failed=failed
    )


def finish() -> None:
    """As a process ends: what is not sent yet is."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _spans(os.getpid(), settings.OTEL_EXPORTER_OTLP_ENDPOINT).provider.force_flush(5000)


@cache
def _spans(_pid: int, endpoint: str) -> "_Spans":
    return _Spans(endpoint)


class _Spans:
    """This process's way to the collector: sends by the batch, on a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        # Here, as they are installed only where they are wanted.
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        self._api, self._ids = trace, RandomIdGenerator()
        self.provider = TracerProvider(resource=Resource.create({"service.name": "stalkerr"}))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("stalkerr")

    def tell(
        self,
        name: str,
        trace_id: str,
        seconds: float,
        attributes: Mapping[str, Value],
        *,
        failed: bool,
    ) -> None:
        api: Any = self._api
        begun = api.SpanContext(
            trace_id=int(trace_id, 16),
            span_id=self._ids.generate_span_id(),
            is_remote=True,
            trace_flags=api.TraceFlags(api.TraceFlags.SAMPLED),
        )
        ended_at = time.time_ns()
        span = self._tracer.start_span(
            name,
            context=api.set_span_in_context(api.NonRecordingSpan(begun)),
            start_time=ended_at - int(seconds * 1e9),
            attributes={key: value for key, value in attributes.items() if value is not None},
        )
        if failed:
            span.set_status(api.StatusCode.ERROR)
        span.end(ended_at)
