"""What is easy: the forecasts that anything cleverer must beat before it is served."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from workers.insights.curves import QUANTILES, Forecasts
from workers.insights.history import (
    ELAPSED,
    HORIZON,
    LAST_GAP,
    LAST_YEAR,
    MEDIAN_GAP,
    YEAR,
    Floats,
    Ints,
    Snapshots,
)

SEED: Final = 7
MOST_TREES_ROWS: Final = 4000
LEAST_PAST: Final = 10
_GUESS: Final = np.array([0.5, 1.0, 2.0])
_PHASES: Final = np.log([0.25, 0.5, 0.75, 1, 1.5, 2.5])  # elapsed, relative to the gap

Fitted = Callable[[Snapshots], Forecasts]


def last_gap(past: Snapshots, until: int) -> Fitted:
    """The next release comes after as long as the last one did; tomorrow, where that is over."""
    return _fit_gap(past, until, LAST_GAP, is_scaled=False)


def median_gap(past: Snapshots, until: int) -> Fitted:
    return _fit_gap(past, until, MEDIAN_GAP, is_scaled=False)


def scaled_median_gap(past: Snapshots, until: int) -> Fitted:
    """What was left, relative to the median gap, where others were as far into theirs."""
    return _fit_gap(past, until, MEDIAN_GAP, is_scaled=True)


def climatology(past: Snapshots, until: int) -> Fitted:
    """The same for everybody: what was usual."""
    came = _came(past, until)
    over = past.take(past.day + YEAR <= until)
    window = np.quantile(came.remaining, QUANTILES) if len(came) >= LEAST_PAST else 180 * _GUESS
    rate = _rate(over.remaining <= YEAR)

    def forecast(snapshots: Snapshots) -> Forecasts:
        ones = np.ones(len(snapshots))
        low, middle, high = (ones * side for side in window)
        return Forecasts(low, middle, high, ones * rate)

    return forecast


def random_forest(past: Snapshots, until: int) -> Fitted:
    """scikit-learn's RandomForestRegressor as it comes; the window is what its trees say."""
    came = _came(past, until)
    if len(came) < LEAST_PAST:
        return climatology(past, until)
    if len(came) > MOST_TREES_ROWS:
        some = np.random.default_rng(SEED).choice(len(came), MOST_TREES_ROWS, replace=False)
        came = came.take(np.sort(some))
    forest: Any = RandomForestRegressor(random_state=SEED).fit(came.features, came.remaining)
    rates = _rates(past, until)

    def forecast(snapshots: Snapshots) -> Forecasts:
        features = snapshots.features.astype(np.float32)
        trees = np.stack([tree.predict(features) for tree in forest.estimators_])
        low, high = np.quantile(trees, (QUANTILES[0], QUANTILES[2]), axis=0)
        return _ordered(low, trees.mean(axis=0), high, rates(snapshots))

    return forecast


NAIVE: Final[dict[str, Callable[[Snapshots, int], Fitted]]] = {
    "last gap": last_gap,
    "median gap": median_gap,
    "median gap + empirical quantiles": scaled_median_gap,
    "climatology": climatology,
}
BASELINES: Final = NAIVE | {"RandomForestRegressor": random_forest}


def _fit_gap(past: Snapshots, until: int, column: int, *, is_scaled: bool) -> Fitted:
    """Windows by what was left, relative to the gap, of those as far into (or over) theirs."""
    came = _came(past, until)
    table = _left_by_phase(_phase(came, column), came.remaining / np.exp(came.features[:, column]))
    rates = _rates(past, until)

    def forecast(snapshots: Snapshots) -> Forecasts:
        gap, elapsed = np.exp(snapshots.features[:, column]), np.exp(snapshots.features[:, ELAPSED])
        low, middle, high = np.clip(gap * table[_phase(snapshots, column)].T, 1, HORIZON)
        raw = np.clip(gap - elapsed, 1, HORIZON)
        return _ordered(low, middle if is_scaled else raw, high, rates(snapshots))

    return forecast


def _phase(snapshots: Snapshots, column: int) -> Ints:
    return np.digitize(snapshots.features[:, ELAPSED] - snapshots.features[:, column], _PHASES)


def _left_by_phase(phase: Ints, left: Floats) -> Floats:
    """Quantiles per phase; those of all phases where one has too little."""
    whole = np.quantile(left, QUANTILES) if len(left) >= LEAST_PAST else _GUESS
    parts = [left[phase == number] for number in range(len(_PHASES) + 1)]
    return np.array([
        np.quantile(part, QUANTILES) if len(part) >= LEAST_PAST else whole for part in parts
    ])  # fmt: skip


def _rates(past: Snapshots, until: int) -> Callable[[Snapshots], Floats]:
    """How often something came within a year, by releases in the year before: 0, 1, 2, more."""
    over = past.take(past.day + YEAR <= until)
    number, came = _busy(over), over.remaining <= YEAR
    rates = np.array([_rate(came[number == busy]) for busy in range(4)])
    return lambda snapshots: rates[_busy(snapshots)]


def _busy(snapshots: Snapshots) -> Any:
    return np.minimum(snapshots.features[:, LAST_YEAR], 3).astype(int)


def _rate(came: Any) -> float:
    return float((came.sum() + 1) / (len(came) + 2))


def _came(past: Snapshots, until: int) -> Snapshots:
    """Those whose horizon was over, and in whose horizon something came."""
    return past.take((past.day + HORIZON <= until) & (past.remaining <= HORIZON))


def _ordered(low: Floats, middle: Floats, high: Floats, chance: Floats) -> Forecasts:
    return Forecasts(np.minimum(low, middle), middle, np.maximum(high, middle), chance)
