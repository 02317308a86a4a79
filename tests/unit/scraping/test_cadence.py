"""When to look again."""

import datetime as dt

import pytest

from scraping.cadence import interval, next_visit

NOW = dt.datetime(2026, 3, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SHORTEST = HOUR / 2


def wait(failures: int = 0, jitter: float = 0.5, interval: dt.timedelta = 6 * HOUR) -> dt.timedelta:
    return (
        next_visit(now=NOW, interval=interval, shortest=SHORTEST, failures=failures, jitter=jitter)
        - NOW
    )


def test_visits_are_spread_around_the_interval() -> None:
    assert wait(jitter=0.0) == 5.4 * HOUR
    assert wait(jitter=0.5) == 6 * HOUR
    assert wait(jitter=0.999) < 6.6 * HOUR


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_nothing_is_asked_sooner_than_the_shortest_wait(jitter: float) -> None:
    assert wait(jitter=jitter, interval=dt.timedelta(seconds=1)) == SHORTEST


def test_a_store_in_trouble_is_asked_less_and_less_but_never_less_than_a_healthy_one() -> None:
    assert [wait(failures=n) / HOUR for n in range(1, 8)] == [0.5, 1, 2, 4, 6, 6, 6]


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("until_release", "since_news", "hours"),
    [
        (None, None, 24),  # nothing ever happens
        (None, 400 * DAY, 24),
        (None, 60 * DAY, 12),
        (None, 20 * DAY, 6),
        (None, HOUR, 3),  # a pre-order has just appeared
        (300 * DAY, None, 6),  # something is to come
        (300 * DAY, 60 * DAY, 6),
        (14 * DAY, 60 * DAY, 3),
        (2 * DAY, 60 * DAY, 1),  # the day is near
        (-5 * HOUR, 60 * DAY, 1),  # its day has come, nobody has said so
        (300 * DAY, HOUR, 3),
    ],
)
def test_it_looks_often_where_something_happens(
    until_release: dt.timedelta | None, since_news: dt.timedelta | None, hours: int
) -> None:
    wait = interval(usual=6 * HOUR, until_release=until_release, since_news=since_news)
    assert wait == hours * HOUR
