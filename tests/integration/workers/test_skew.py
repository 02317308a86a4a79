"""A machine whose clock is wrong: workers there may take every hint for expired."""

import datetime as dt

import pytest

from accounts.models import Notice
from stalkerr import clock
from workers.tasks import upkeep

SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize("way", [1, -1])
def test_a_clock_that_is_wrong_is_an_alarm_once_a_day(way: int, now: dt.datetime) -> None:
    """Proves the guard MOST_SKEW."""
    upkeep._say_skew(way * upkeep.MOST_SKEW, now)
    assert not Notice.objects.exists()
    for _ in range(2):
        upkeep._say_skew(way * (upkeep.MOST_SKEW + SECOND), now)
    alarm = Notice.objects.get()
    assert alarm.user_id is None
    assert f"31 seconds {'ahead' if way > 0 else 'behind'}" in alarm.text


def test_this_machine_is_near_the_database(db: None) -> None:
    assert abs(clock.skew()) < upkeep.MOST_SKEW


def test_every_tick_compares(
    ledger: object, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    upkeep.tick()
    assert not Notice.objects.exists()
    monkeypatch.setattr(upkeep, "MOST_SKEW", dt.timedelta(seconds=-1))
    upkeep.tick()
    assert Notice.objects.get().dedupe_key.startswith("skew:")
