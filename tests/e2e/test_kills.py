"""The promise, with real processes: whatever is killed, emptied or unheard, nothing is lost."""

import pytest

from tests.chaos.receivers import bad_gateway, drop_replies
from tests.chaos.senders import kill_senders, wipe_broker

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


def test_killing_random_workers_loses_nothing_and_doubles_no_more_than_was_in_flight() -> None:
    """Proves the guard sending._RECLAIM: another takes over, under the same wire id."""
    figures = kill_senders(messages=500, kills=6)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["lost"] == 0
    assert figures["duplicates"] <= figures["bound"]
    assert figures["max_copies"] <= 4
    assert figures["visible_duplicates"] == 0
    assert figures["held"]


def test_emptying_the_broker_loses_nothing() -> None:
    figures = wipe_broker(messages=500, away=2)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["lost"] == 0
    assert figures["duplicates"] <= figures["bound"]
    assert figures["held"]


def test_replies_that_get_lost_cost_one_resend_at_most_where_ids_are_unknown() -> None:
    """Proves the guard notifications.retry.AMBIGUOUS_MAX."""
    figures = drop_replies(messages=60)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["dropped"]
    assert figures["lost"] == 0
    assert figures["unexplained"] == 0
    assert figures["max_resends_without_id"] == 1
    assert figures["visible_duplicates"] == 0
    assert figures["held"]


def test_an_hour_of_502_and_one_404_lose_nothing() -> None:
    """Proves the guard Webhook.send: only 410 is for good."""
    figures = bad_gateway(messages=40)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["refused"]
    assert figures["missing"] == 40
    assert figures["lost"] == 0
    assert figures["held"]
