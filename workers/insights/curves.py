"""Curves: the chance that the next release has come, over the days of the horizon."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from workers.insights.history import HORIZON, YEAR, Floats

STEP: Final = 5
DAYS: Final[Floats] = np.arange(0, HORIZON + 1, STEP, dtype=np.float64)
QUANTILES: Final = (0.1, 0.5, 0.9)
_AT_YEAR: Final = YEAR // STEP


@dataclass(frozen=True)
class Forecasts:
    """Per row: the window in days from then, given that it comes within the horizon; and the
    chance that anything comes within a year."""

    low: Floats
    middle: Floats
    high: Floats
    chance: Floats

    def quantiles(self) -> Floats:
        return np.column_stack([self.low, self.middle, self.high])


def read(curves: Floats) -> Forecasts:
    """What curves (a row each, a column per one of DAYS) say of window and chance."""
    low, middle, high = (quantile(curves, q) for q in QUANTILES)
    return Forecasts(low, middle, high, curves[:, _AT_YEAR])


def quantile(curves: Floats, q: float) -> Floats:
    """The day by which a share of what comes within the horizon has come."""
    given = curves / np.maximum(curves[:, -1:], 1e-12)
    after = np.clip((given < q).sum(axis=1), 1, len(DAYS) - 1)
    rows = np.arange(len(curves))
    below, above = given[rows, after - 1], given[rows, after]
    part = (q - below) / np.maximum(above - below, 1e-12)
    days: Floats = DAYS[after - 1] + STEP * np.clip(part, 0, 1)
    return days
