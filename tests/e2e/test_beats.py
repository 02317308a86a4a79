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
    """Proves the guards (job, slot) of open_slots and `due` of claim."""
    figures = three_beats(minutes=5, kills=4)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["slots"] > 15
    assert figures["missing"] == 0
    assert figures["doubled"] == 0
    assert figures["held"]


def test_beats_that_are_all_dead_are_told_of_and_made_up_for() -> None:
    """Proves the guard of a worker's lookout, and the policies for what was missed."""
    figures = dead_beats()
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["alarm_s"] <= 180
    assert figures["told"] == 1
    assert figures["once_runs"] == [1]
    assert figures["each_missed"] == figures["each_run"] > 10
    assert figures["doubled"] == 0
