"""The renewal, and what curves say."""

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.records import END, make_rows
from workers.insights.curves import DAYS, read
from workers.insights.history import HORIZON, History, Snapshots
from workers.insights.renewal import Renewal, fit_renewal
from workers.insights.streams import Stream, streams_of

RHYTHM = Renewal(mean=5.0, between=0.3, within=0.2, lives=0.9)


def now(days: list[int], on: int) -> tuple[History, Snapshots]:
    history = History([Stream("x", tuple(days))])
    return history, history.at(on)


@given(st.lists(st.integers(8, 700), min_size=2, max_size=20), st.integers(0, 1000))
def test_a_curve_rises_from_nothing_and_its_window_is_in_order(
    gaps: list[int], waited: int
) -> None:
    days = [1000, *(1000 + int(sum(gaps[: count + 1])) for count in range(len(gaps)))]
    history, snapshots = now(days, days[-1] + waited)
    curves = RHYTHM.curves(history, snapshots)
    assert curves[0, 0] == 0
    assert bool(np.all(np.diff(curves[0]) >= -1e-12))
    assert curves[0, -1] <= 1
    said = read(curves)
    assert 0 <= said.low[0] <= said.middle[0] <= said.high[0] <= HORIZON


def test_a_steady_series_is_forecast_where_it_is_due() -> None:
    history, snapshots = now([1000 + 90 * number for number in range(12)], 1990 + 30)
    said = read(RHYTHM.curves(history, snapshots))
    assert said.low[0] < 60 < said.high[0]
    assert abs(said.middle[0] - 60) < 20
    assert said.chance[0] > 0.8


def test_the_longer_overdue_the_less_likely() -> None:
    days = [1000 + 90 * number for number in range(12)]
    chances = [
        read(RHYTHM.curves(*now(days, 1990 + waited))).chance[0] for waited in (30, 400, 1000)
    ]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.1


def test_few_releases_are_drawn_to_what_is_common() -> None:
    """With three releases an odd rhythm is half believed, with thirty it is its own."""
    means = []
    for number in (3, 30):
        days = tuple(1000 + 500 * each for each in range(number))
        history = History([Stream("x", days)])
        mean, _ = RHYTHM.posterior(history, np.array([number - 1]))
        means.append(float(np.exp(mean[0])))
    assert np.exp(RHYTHM.mean) < means[0] < means[1] < 500


def test_moments_find_the_rhythm_that_was_put_in() -> None:
    history = History(streams_of(make_rows(200, spread=0.25), today=END))
    until = END.toordinal()
    found = fit_renewal(history, history.quarters.known_by(until), until)
    assert abs(found.within**0.5 - 0.25) < 0.03
    assert abs(np.exp(found.mean) - 205) < 30


def test_an_empty_history_is_no_error() -> None:
    history = History([Stream("x", (5,))])
    until = dt.date(2020, 1, 1).toordinal()
    assert len(history.at(until)) == len(history.quarters) == 0
    found = fit_renewal(history, history.quarters.known_by(until), until)
    assert found.curves(history, history.at(until)).shape == (0, len(DAYS))
