"""What past cut-offs teach, and which of them may."""

import numpy as np

from workers.insights.calibration import LEAST_PAST, Calibration, fit_calibration
from workers.insights.curves import Forecasts
from workers.insights.history import HORIZON, YEAR, Floats

MANY = 2000


def forecasts(*, low: float, high: float, chance: float) -> Forecasts:
    ones = np.ones(MANY)
    return Forecasts(ones * low, ones * 100, ones * high, ones * chance)


def came_after(*, low: float, high: float, share: float = 1.0) -> Floats:
    days = np.linspace(low, high, MANY)
    return np.where(np.arange(MANY) % 100 < 100 * share, days, np.inf)


def test_windows_that_were_too_narrow_are_widened_until_they_hold_80_percent() -> None:
    said, days = forecasts(low=90, high=110, chance=0.9), came_after(low=20, high=220)
    learnt = fit_calibration([(1000, said, days)], 1000 + HORIZON)
    wider = learnt.applied(said)
    assert abs(np.mean((wider.low <= days) & (days <= wider.high)) - 0.8) < 0.01


def test_windows_are_never_narrowed() -> None:
    said, days = forecasts(low=1, high=600, chance=0.9), came_after(low=90, high=110)
    assert fit_calibration([(1000, said, days)], 5000).widening == 0


def test_chances_that_were_too_high_come_down_and_keep_their_order() -> None:
    high = forecasts(low=1, high=600, chance=0.9), came_after(low=1, high=300, share=0.6)
    less = forecasts(low=1, high=600, chance=0.5), came_after(low=1, high=300, share=0.2)
    learnt = fit_calibration([(1000, *high), (1000, *less)], 1000 + YEAR)
    assert abs(learnt.applied(high[0]).chance[0] - 0.6) < 0.02
    assert abs(learnt.applied(less[0]).chance[0] - 0.2) < 0.02


def test_a_cutoff_that_is_not_over_teaches_nothing() -> None:
    """Proves both guards against leaks: its truth is not known before a year, and two."""
    said = forecasts(low=90, high=110, chance=0.9), came_after(low=20, high=220, share=0.6)
    less = forecasts(low=90, high=110, chance=0.5), came_after(low=20, high=220, share=0.2)
    past = [(1000, *said), (1000, *less)]
    assert fit_calibration(past, 1000 + YEAR - 1) == Calibration()
    assert fit_calibration(past, 1000 + YEAR).intercept != 0
    assert fit_calibration(past, 1000 + HORIZON - 1).widening == 0
    assert fit_calibration(past, 1000 + HORIZON).widening > 0


def test_too_few_teach_nothing() -> None:
    said, days = forecasts(low=90, high=110, chance=0.9), came_after(low=20, high=220, share=0.5)
    few = Forecasts(
        *(side[: LEAST_PAST - 1] for side in (said.low, said.middle, said.high, said.chance))
    )
    assert fit_calibration([(1000, few, days[: LEAST_PAST - 1])], 5000) == Calibration()
