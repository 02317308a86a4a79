"""What past cut-offs teach: how far a chance is off, and how much too narrow a window is."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from workers.insights.curves import Forecasts
from workers.insights.history import HORIZON, YEAR, Floats

COVERAGE: Final = 0.8
NEWEST: Final = 2  # cut-offs a chance is calibrated on: catalogues grow, and older ones mislead
LEAST_PAST: Final = 150  # forecasts of the past, below which nothing is learnt from them


@dataclass(frozen=True)
class Calibration:
    """Of a chance: slope and intercept in log odds. Of a window: log days added on each side."""

    slope: float = 1.0
    intercept: float = 0.0
    widening: float = 0.0

    def applied(self, forecasts: Forecasts) -> Forecasts:
        chance = expit(self.slope * _log_odds(forecasts.chance) + self.intercept)
        factor = np.exp(self.widening)
        high = np.minimum(forecasts.high * factor, np.maximum(forecasts.high, HORIZON))
        return Forecasts(forecasts.low / factor, forecasts.middle, high, chance)


def fit_calibration(past: list[tuple[int, Forecasts, Floats]], until: int) -> Calibration:
    """From (cut-off, what was forecast then, days that were then left) of cut-offs that are over.

    A chance is over after a year, a window after the horizon; earlier the truth is not known yet.
    """
    slope, intercept = _chances([entry for entry in past if entry[0] + YEAR <= until][-NEWEST:])
    return Calibration(
        slope, intercept, _widening([entry for entry in past if entry[0] + HORIZON <= until])
    )


def _chances(past: list[tuple[int, Forecasts, Floats]]) -> tuple[float, float]:
    """Platt's recalibration; none where it could turn the order around."""
    chance = np.concatenate([[], *(forecasts.chance for _, forecasts, _ in past)])
    came = np.concatenate([[], *(remaining <= YEAR for _, _, remaining in past)])
    if len(came) < LEAST_PAST or came.min() == came.max():
        return 1.0, 0.0
    model = LogisticRegression(C=100.0).fit(_log_odds(chance)[:, None], came)
    slope = float(model.coef_[0, 0])
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _widening(past: list[tuple[int, Forecasts, Floats]]) -> float:
    """By how much windows had to be wider, in log days, to hold 80 %; they are never narrowed."""
    missed = np.concatenate([[], *(_missed(forecasts, left) for _, forecasts, left in past)])
    if len(missed) < LEAST_PAST:
        return 0.0
    share = min(COVERAGE * (1 + 1 / len(missed)), 1.0)
    return max(float(np.quantile(missed, share)), 0.0)


def _missed(forecasts: Forecasts, remaining: Floats) -> Floats:
    """Log days by which the release lay outside its window; negative inside."""
    came = remaining <= HORIZON
    day = np.log(np.maximum(remaining[came], 1))
    low, high = (np.log(np.maximum(side[came], 1)) for side in (forecasts.low, forecasts.high))
    missed: Floats = np.maximum(low - day, day - high)
    return missed


def _log_odds(chance: Floats) -> Floats:
    return np.asarray(logit(np.clip(chance, 1e-3, 1 - 1e-3)), dtype=np.float64)
