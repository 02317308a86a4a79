"""The product amid servers and workers that fail: the drills of `make chaos`, small."""

from typing import Any

import pytest

from tests.chaos.brokers import broker_outage
from tests.chaos.databases import crash_postgres, slow_postgres
from tests.chaos.disks import full_disk
from tests.chaos.poison import poison
from tests.chaos.stalls import hung_consumer, stalled_sender

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


def shown(figures: dict[str, Any]) -> dict[str, Any]:
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    return figures


@pytest.mark.long
def test_a_broker_that_is_gone_costs_no_write_and_no_news() -> None:
    figures = shown(broker_outage(messages=10, seconds=5, faults=("gone",)))
    assert figures["writes_lost"] == figures["lost"] == 0
    assert figures["refused"] == figures["broken"] == 0
    assert figures["restarts"] == 0


def test_tables_that_are_locked_refuse_in_time_and_lose_nothing() -> None:
    figures = shown(slow_postgres(messages=10, seconds=5, faults=("locked",)))
    assert figures["refused"] > 0
    assert figures["writes_lost"] == figures["lost"] == figures["broken"] == 0
    assert figures["restarts"] == 0


@pytest.mark.long
def test_a_database_that_is_killed_keeps_what_it_acknowledged() -> None:
    figures = shown(crash_postgres(messages=10, kills=2))
    assert figures["writes_lost"] == figures["lost"] == figures["broken"] == 0
    assert figures["rolled_back"] == 0
    assert figures["restarts"] == 0


@pytest.mark.long
def test_poison_ends_and_takes_nobody_along() -> None:
    figures = shown(poison(messages=30, lease=4))
    assert figures["held"]


@pytest.mark.long
def test_a_worker_that_stood_still_changes_nothing_of_what_others_have() -> None:
    figures = shown(stalled_sender(messages=100))
    assert figures["refused"] > 0
    assert figures["lost"] == figures["double_completions"] == 0
    assert figures["held"]


@pytest.mark.long
def test_a_worker_that_hangs_is_seen() -> None:
    figures = shown(hung_consumer())
    assert figures["held"]


@pytest.mark.long
def test_a_full_disk_refuses_and_recovers() -> None:
    figures = shown(full_disk(messages=10, seconds=5, faults=("postgres",)))
    if "skipped" in figures:
        pytest.skip(figures["skipped"])
    assert figures["writes_lost"] == figures["lost"] == figures["broken"] == 0
    assert figures["refused"] > 0
