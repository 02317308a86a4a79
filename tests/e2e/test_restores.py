"""Backups, with real workers and a real receiver: see the drill."""

import pytest

from tests.chaos.restores import restore_backup

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(400),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


@pytest.mark.long
def test_a_restore_under_workers_brings_all_back_and_sends_nothing() -> None:
    """Proves settle_restored: without it whatever was unsent at the backup is sent a second time."""
    figures = restore_backup(audiobooks=2_000)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["full_disk_held"]
    assert figures["taken_for_good"] == 0
    assert (figures["cut_off"], figures["flipped"]) == (10, 60)
    assert figures["same"]
    assert figures["sent_again"] == 0
    assert figures["held"]
