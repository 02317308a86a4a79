"""Traces for a collector: sent where one is named, asked for in a sentence where they can't be."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_django import Settings

from stalkerr import telemetry, tracing
from stalkerr.processes import ROOT, environment
from tests.sinks import HttpSink

WORDS = "run pip install"


@pytest.fixture(autouse=True)
def _nothing_left_behind(settings: Settings) -> Iterator[None]:
    yield
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if endpoint and telemetry._spans.cache_info().currsize:
        telemetry._spans(os.getpid(), endpoint).provider.shutdown()
    telemetry._spans.cache_clear()


def test_spans_reach_a_collector_under_the_id_of_the_log(settings: Settings) -> None:
    with HttpSink() as sink:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url.rstrip("/")
        with tracing.traced() as trace_id:
            telemetry.tell("GET api/upcoming", 0.25, {"status": 200, "nothing": None})
            telemetry.tell("broke", 0.1, {}, failed=True)
        telemetry.finish()
        requests = sink.wait_for(1)
    assert {request.path for request in requests} == {"/v1/traces"}
    asked = ExportTraceServiceRequest()
    asked.ParseFromString(requests[0].body)
    spans = {
        span.name: span
        for resource in asked.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    first = spans["GET api/upcoming"]
    assert uuid.UUID(bytes=first.trace_id).hex == trace_id
    assert first.end_time_unix_nano - first.start_time_unix_nano == 250_000_000
    assert [(each.key, each.value.int_value) for each in first.attributes] == [("status", 200)]
    assert (first.status.code, spans["broke"].status.code) == (0, 2)


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    """But for what other libraries take of it where they find it."""
    nowhere = {"DATABASE_URL": "postgres://nowhere/none", "BROKER_URL": "redis://nowhere"}
    code = (
        "import django, sys; django.setup(); from stalkerr import telemetry, tracing\n"
        "with tracing.traced(): telemetry.tell('x', 1, {})\n"
        "telemetry.finish(); assert not [name for name in sys.modules if 'opentelemetry.exporter' in name]"
    )
    env = environment(
        DJANGO_SETTINGS_MODULE="stalkerr.settings.test", CACHE_URL="redis://nowhere", **nowhere
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)  # noqa: S603


def test_packages_that_are_missing_are_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard require."""
    monkeypatch.setattr(telemetry, "_NEEDED", ("opentelemetry.nothing.of.it",))
    telemetry.require()  # nobody asks for traces
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector:4318"
    with pytest.raises(ImproperlyConfigured, match=WORDS):
        telemetry.require()


def test_a_collector_that_is_gone_harms_nobody(settings: Settings) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:1"
    with tracing.traced():
        telemetry.tell("x", 1, {})
