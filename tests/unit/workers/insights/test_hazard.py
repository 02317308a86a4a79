"""The hazard, and the trap in its last bin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records import END, make_rows
from workers.insights.curves import DAYS, read
from workers.insights.hazard import BIN, BINS, Hazard, at_risk, fit_hazard
from workers.insights.history import HORIZON, History, Snapshots
from workers.insights.renewal import fit_renewal
from workers.insights.streams import streams_of

UNTIL = END.toordinal()


def snapshots(day: list[int], remaining: list[float]) -> Snapshots:
    zeros = np.zeros(len(day), dtype=np.int64)
    return Snapshots(zeros, np.array(day), zeros, np.array(remaining), np.zeros((len(day), 1)))


@given(
    st.lists(st.tuples(st.integers(1, 1500), st.integers(1, 1500)), min_size=1, max_size=50),
)
def test_every_bin_that_is_learnt_from_was_over_for_all_in_it(given: list[tuple[int, int]]) -> None:
    """Whatever is on record: whoever entered a bin was watched to its end, released or not."""
    ages = [age for age, _ in given]
    seen = snapshots(
        [UNTIL - age for age in ages], [days if days <= age else np.inf for age, days in given]
    )
    rows, bins, came = at_risk(seen, UNTIL)
    assert bool(np.all((bins + 1) * BIN <= np.array(ages)[rows]))
    assert bool(np.all(bins < BINS))
    ends = np.ceil(seen.remaining[rows] / BIN)
    assert bool(np.all((bins + 1 == ends) == (came == 1)))
    assert bool(np.all(bins + 1 <= ends))


def test_what_comes_after_the_last_whole_bin_survived_it() -> None:
    """Proves the guard on the last bin: with a 25th of ten days, its hazard would be one.

    720 to 730 days hold releases, and nobody is ever seen to come through them.
    """
    assert BINS * BIN < HORIZON
    rows, bins, came = at_risk(snapshots([UNTIL - 5000] * 2, [HORIZON - 3, 715]), UNTIL)
    assert (bins[rows == 0].max(), came[rows == 0].sum()) == (BINS - 1, 0)
    assert (bins[rows == 1].max(), came[rows == 1].sum()) == (BINS - 1, 1)


def test_a_bin_that_is_not_over_teaches_nothing() -> None:
    """Proves the guard on the bin of today: without it only those who released are seen in it."""
    rows, bins, came = at_risk(snapshots([UNTIL - 50] * 2, [40, np.inf]), UNTIL)
    assert list(zip(rows, bins, came, strict=True)) == [(0, 0, 0), (1, 0, 0)]


@pytest.fixture(scope="module")
def fitted() -> tuple[History, Hazard, Snapshots]:
    history = History(streams_of(make_rows(60, spread=0.4, longest=1000), today=END))
    past = history.quarters.known_by(UNTIL)
    hazard = fit_hazard(history, fit_renewal(history, past, UNTIL), past, UNTIL)
    assert hazard is not None
    return history, hazard, history.at(UNTIL)


def test_curves_rise_and_do_not_leap_at_the_end(
    fitted: tuple[History, Hazard, Snapshots],
) -> None:
    history, hazard, now = fitted
    curves = hazard.curves(history, now)
    assert curves.shape == (len(now), len(DAYS))
    assert bool(np.all(np.diff(curves, axis=1) >= 0))
    left = 1 - curves[curves[:, -3] < 0.99]
    end = left[:, -1] / left[:, -3]  # the ten days after the last whole bin
    assert len(end) > 5
    assert float(np.median(end)) > 0.5


def test_releases_of_the_last_days_of_the_horizon_do_not_bend_the_forecast() -> None:
    """Perturbs the last bin: what came after 721 to 729 days might as well have come after 900."""
    history = History(streams_of(make_rows(60, spread=0.4, longest=1000), today=END))
    past = history.quarters.known_by(UNTIL)
    renewal = fit_renewal(history, past, UNTIL)
    is_last = (past.remaining > BIN * BINS) & (past.remaining <= HORIZON)
    assert is_last.sum() >= 5
    moved = Snapshots(
        past.entity, past.day, past.release, np.where(is_last, 900.0, past.remaining), past.features
    )
    now = history.at(UNTIL)
    curves = []
    for known in (past, moved):
        hazard = fit_hazard(history, renewal, known, UNTIL)
        assert hazard is not None
        curves.append(hazard.curves(history, now))
    assert np.array_equal(curves[0], curves[1])


def test_too_little_history_has_no_hazard() -> None:
    history = History(streams_of(make_rows(3), today=END))
    past = history.quarters.known_by(UNTIL)
    assert fit_hazard(history, fit_renewal(history, past, UNTIL), past, UNTIL) is None


def test_the_same_history_gives_the_same_forecast(
    fitted: tuple[History, Hazard, Snapshots],
) -> None:
    history, hazard, now = fitted
    past = history.quarters.known_by(UNTIL)
    again = fit_hazard(history, hazard.renewal, past, UNTIL)
    assert again is not None
    one, two = (read(each.curves(history, now)) for each in (hazard, again))
    assert np.array_equal(one.quantiles(), two.quantiles())
