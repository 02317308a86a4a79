"""The promise, with real processes: whatever is killed or emptied, nothing is lost."""

import os
from urllib.parse import urlsplit

import pytest

from tests.chaos.senders import kill_senders, wipe_broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]


def test_killing_random_workers_loses_nothing_and_doubles_no_more_than_was_in_flight() -> None:
    figures = kill_senders(messages=500, kills=10)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["lost"] == 0
    assert figures["duplicates"] <= figures["bound"]
    assert figures["visible_duplicates"] == 0
    assert figures["held"]


@pytest.mark.skipif(
    not urlsplit(os.environ.get("BROKER_URL", "redis")).scheme.startswith("redis"),
    reason="empties a Redis broker",
)
def test_emptying_the_broker_loses_nothing() -> None:
    figures = wipe_broker(messages=500)
    assert figures["lost"] == 0
    assert figures["duplicates"] == 0
    assert figures["held"]
