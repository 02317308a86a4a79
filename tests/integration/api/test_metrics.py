"""GET /metrics: what all processes did, for whoever knows the token."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from notifications.models import Destination
from scraping.models import Visit
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
    for address, sent, failed in (("a.example", 3, 1), ("b.example", 4, 0)):
        Destination.objects.create(
            kind="webhook", address=address, sent_total=sent, failed_total=failed
        )
    Destination.objects.create(kind="email", address="example.org", sent_total=9)
    metrics = read(client)
    assert metrics["books_scraped_total", "us"] == 42
    assert metrics["books_scraped_total", "de"] == 5
    assert metrics["notifications_sent_total", "webhook"] == 7
    assert metrics["notifications_failed_total", "webhook"] == 1
    assert metrics["notifications_sent_total", "email"] == 9
    assert metrics["notifications_failed_total", "email"] == 0


def test_gauges_say_how_things_stand(client: Client, alice: User, now: dt.datetime) -> None:
    event = event_of(make_audiobook(now=now))
    type(event).objects.update(fanned_out_at=now)
    make_watch(alice, now=now)
    long_ago = now - dt.timedelta(seconds=90)
    make_delivery(make_channel(alice), event, now=now, due_at=long_ago)
    later = now + dt.timedelta(hours=1)
    make_delivery(make_channel(alice, address="b.example"), event, now=now, due_at=later)
    target = make_target(now=now)
    for outcome, age in (("found", 1), ("found", 2), ("failed", 1), ("failed", 25)):
        moment = now - dt.timedelta(hours=age)
        Visit.objects.create(target=target, outcome=outcome, started_at=moment, finished_at=moment)
    metrics = read(client)
    assert metrics["stalkerr_audiobooks",] == metrics["stalkerr_watches",] == 1
    assert metrics["stalkerr_due_messages",] == 1
    assert 90 <= metrics["stalkerr_oldest_due_age_seconds",] < 120
    assert metrics["stalkerr_visits_last_day", "us", "found"] == 2
    assert metrics["stalkerr_visits_last_day", "us", "failed"] == 1


def test_the_number_of_questions_is_fixed(
    client: Client, now: dt.datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_target(f"author {number}", now=now)
        Destination.objects.create(kind="webhook", address=f"{number}.example")
        with django_assert_num_queries(6):
            read(client)
