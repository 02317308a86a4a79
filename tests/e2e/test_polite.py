"""One guest, with real processes: eight of them keep one pace, and every silence asked for."""

import os
from urllib.parse import urlsplit

import pytest

from tests.chaos.polite import polite

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not urlsplit(os.environ.get("BROKER_URL", "redis")).scheme.startswith("redis"),
        reason="empties a Redis broker",
    ),
]


def test_eight_processes_are_one_guest() -> None:
    figures = polite(seconds=28, silence=3)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["most_in_window"] <= figures["allowed"]
    assert figures["silences"] == 2
    assert figures["undercut"] == 0
    assert figures["used"] >= 0.8
    assert figures["held"]
