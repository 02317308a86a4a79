"""Time, with real processes: whichever beats and workers die, each slot is run, and once."""

import pytest

from tests.chaos.beats import dead_beats, three_beats

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ledger"),
]


def test_three_beats_and_kills_make_each_slot_once() -> None:
    """Three ticks for every slot, every hint twice: the guards are proven in test_slots and test_ledger."""
    figures = three_beats(minutes=5, kills=4)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["slots"] > 15
    assert figures["missing"] == 0
    assert figures["doubled"] == 0
    assert figures["held"]


@pytest.mark.long
def test_beats_that_are_all_dead_are_told_of_and_made_up_for() -> None:
    """Row 10: who notices, and what becomes of the slots of ten minutes."""
    figures = dead_beats()
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["alarm_s"] <= 180
    assert figures["told"] == 1
    assert figures["once_runs"] == [1]
    assert figures["each_missed"] == figures["each_run"] > 10
    assert figures["doubled"] == 0
