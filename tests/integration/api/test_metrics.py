"""GET /metrics: what all processes did, for whoever knows the token."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from accounts.models import User
from api import health
from catalog.services import publish_events
from notifications import partitions
from notifications.models import Destination
from scraping import politeness, services
from scraping.models import Visit
from stalkerr import figures
from tests.factories import (
    event_of,
    make_audiobook,
    make_channel,
    make_delivery,
    make_target,
    make_watch,
)

PATH = "/metrics"


def read(client: Client) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    answer = client.get(PATH, headers={"Authorization": "Bearer test-metrics-token"})
    assert (answer.status_code, answer["Cache-Control"].split(", ")[-1]) == (200, "private")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic test-metrics-token", "Bearer é"],
)
def test_without_the_token_there_is_nothing(client: Client, db: None, header: str | None) -> None:
    headers: Any = {"Authorization": header} if header is not None else {}
    answer = client.get(PATH, headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")


def test_an_empty_token_opens_nothing(client: Client, db: None, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get(PATH, headers={"Authorization": "Bearer "}).status_code == 401


def test_counters_are_sums_of_what_rows_keep(client: Client, now: dt.datetime) -> None:
    make_target("a", now=now, products_total=40)
    make_target("b", now=now, products_total=2)
    make_target("a", now=now, marketplace="de", products_total=5)
    # by what became of them
    for address, sent, failed in (("a.example", 3, 1), ("b.example", 4, 0)):
        Destination.objects.create(
            kind="webhook", address=address, sent_total=sent, failed_total=failed
        )
    Destination.objects.create(kind="email", address="example.org", sent_total=9)
    metrics = read(client)
    assert metrics["books_scraped_total", "us"] == 42
    assert metrics["books_scraped_total", "de"] == 5
    assert metrics["notifications_sent_total", "webhook", "sent"] == 7
    assert metrics["notifications_sent_total", "webhook", "failed"] == 1
    assert metrics["notifications_sent_total", "email", "sent"] == 9
    assert metrics["notifications_sent_total", "email", "failed"] == 0


def test_gauges_say_how_things_stand(client: Client, alice: User, now: dt.datetime) -> None:
    event = event_of(make_audiobook(now=now))
    type(event).objects.update(fanned_out_at=now)
    make_watch(alice, now=now)
    long_ago = now - dt.timedelta(seconds=90)
    make_delivery(make_channel(alice), event, now=now, due_at=long_ago)
    later = now + dt.timedelta(hours=1)
    make_delivery(make_channel(alice, address="b.example"), event, now=now, due_at=later)
    metrics = read(client)
    assert metrics["stalkerr_audiobooks",] == metrics["stalkerr_watches",] == 1
    assert metrics["stalkerr_due_messages",] == 1
    assert 90 <= metrics["stalkerr_oldest_due_age_seconds",] < 120


def test_the_number_of_questions_is_fixed(
    client: Client, now: dt.datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_target(f"author {number}", now=now)
        Destination.objects.create(kind="webhook", address=f"{number}.example")
        health.ALL.verdict()  # kept for a few seconds, for all who ask
        with django_assert_num_queries(8):
            read(client)


@pytest.fixture(autouse=True)
def _counted_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other tests of this process counted as well."""
    monkeypatch.setattr(figures, "_silent_until", 0.0)
    with Redis.from_url(settings.BUCKETS_URL) as redis:
        redis.delete(figures.TOTALS, figures.POOLS)
    figures.begin_anew()
    health.ALL.forget()
    yield
    health.ALL.forget()


def test_what_processes_count_is_one_sum(client: Client, db: None) -> None:
    """Proves the guard begin_anew: what a parent counted is not told again by its child."""
    figures.VISITS.labels("us", "found").inc(2)
    figures.TASK_SECONDS.labels("some.task").observe(0.2)
    child = os.fork()
    if not child:  # as a worker's child does
        figures.begin_anew()
        figures._redis.cache_clear()
        figures.VISITS.labels("us", "found").inc(40)
        os._exit(0 if figures.tell() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert figures.tell()
    assert figures.tell()  # nothing is told twice
    metrics = read(client)
    assert metrics["stalkerr_visits_total", "us", "found"] == 42
    assert metrics["stalkerr_task_seconds_count", "some.task"] == 1
    assert metrics["stalkerr_task_seconds_sum", "some.task"] == pytest.approx(0.2)
    name, task = "stalkerr_task_seconds_bucket", "some.task"
    counts = [metrics[name, le, task] for le in ("0.05", "0.25", "+Inf")]
    assert counts == [0, 1, 1]


def test_what_could_not_be_told_is_told_later(
    client: Client, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures.EVENTS.labels("announced").inc()
    here = settings.BUCKETS_URL
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    assert not figures.tell()
    settings.BUCKETS_URL = here
    assert not figures.tell()  # for a while nobody tries
    monkeypatch.setattr(figures, "_silent_until", 0.0)
    assert figures.tell()
    assert read(client)["stalkerr_events_total", "announced"] == 1


def test_a_part_that_is_gone_is_named_and_the_others_are_told(
    client: Client, db: None, settings: Settings
) -> None:
    settings.BUCKETS_URL = "redis://127.0.0.1:1/0"
    metrics = read(client)
    assert metrics["stalkerr_part_read", "figures"] == 0
    assert metrics["stalkerr_part_read", "standing"] == 1
    assert metrics["stalkerr_audiobooks",] == 0


def test_no_counter_falls_when_rows_go(client: Client, alice: User, now: dt.datetime) -> None:
    """Proves the guard monotonic: pruned visits, messages and events stay counted."""
    target = make_target(now=now, products_total=7)
    long_ago = now - dt.timedelta(days=500)
    Visit.objects.create(target=target, outcome="found", started_at=long_ago, finished_at=long_ago)
    services._count("us", "found")
    event_of(make_audiobook(now=now))
    publish_events()
    Destination.objects.create(kind="webhook", address="a.example", sent_total=3, failed_total=1)
    figures.ATTEMPTS.labels("webhook", "accepted").inc()
    assert figures.tell()
    before = counters(read(client))
    assert {name for name, *_ in before} >= {
        "books_scraped_total",
        "notifications_sent_total",
        "stalkerr_attempts_total",
        "stalkerr_events_total",
        "stalkerr_visits_total",
    }
    assert services.prune_visits(before=now) == 1
    partitions.drop_months(before=now - dt.timedelta(days=400))
    alice.delete()
    figures.begin_anew()  # another process asks
    after = counters(read(client))
    assert {key: after.get(key, -1.0) >= value for key, value in before.items()} == dict.fromkeys(
        before, True
    )


def counters(metrics: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """But for what servers count of themselves."""
    endings = ("_total", "_count", "_sum", "_bucket")
    return {
        key: value
        for key, value in metrics.items()
        if key[0].endswith(endings) and not key[0].startswith("stalkerr_redis")
    }


def test_stores_show_their_tokens_and_breakers(
    client: Client, db: None, settings: Settings
) -> None:
    politeness._redis().flushdb()
    settings.STORE_REQUEST_INTERVAL = dt.timedelta(seconds=100)
    settings.STORE_BURSTS = ["us=4", "de=2"]
    with Redis.from_url(settings.BUCKETS_URL) as redis:
        in_250_s = int(redis.time()[0]) * 1000 + 250_000
        redis.hset("stalkerr:bucket:us", mapping={"full_at": in_250_s, "era": "1"})
        assert 1.4 < read(client)["stalkerr_store_tokens", "us"] < 2
    for _ in range(settings.STORE_BREAKER_FAILURES):
        politeness.report("us", "audible_api", ok=False)
    politeness.leave_alone("us", dt.timedelta(minutes=1))
    metrics = read(client)
    assert metrics["stalkerr_store_breaker_open", "us", "audible_api"] == 1
    assert metrics["stalkerr_store_breaker_open", "us", "audible_html"] == 0
    assert metrics["stalkerr_store_failures", "us", "audible_api"] == 5
    assert metrics["stalkerr_store_quiet", "us"] == 1
    assert ("stalkerr_store_tokens", "de") not in metrics  # nobody asked it yet
    with Redis.from_url(settings.BUCKETS_URL) as redis:
        redis.hset("stalkerr:bucket:de", mapping={"full_at": 1, "era": "1"})
    assert read(client)["stalkerr_store_tokens", "de"] == 2


def test_every_name_is_said_once_and_in_the_ways_of_prometheus(client: Client, db: None) -> None:
    answer = client.get(PATH, headers={"Authorization": "Bearer test-metrics-token"})
    names = re.findall(r"^# TYPE (\w+)", answer.content.decode(), re.MULTILINE)
    assert len(names) == len(set(names)) > 25
    assert all(re.fullmatch(r"(stalkerr|books|notifications)_[a-z_]+", name) for name in names)
