"""Which model is served."""

import numpy as np

from workers.insights.choosing import choose
from workers.insights.curves import Forecasts
from workers.insights.scores import Judged, gain, score

ROWS = 400
DAYS = np.random.default_rng(1).uniform(10, 700, ROWS)


def judged(error: float, *, chance: float | None = None, seed: int = 2) -> Judged:
    """Off by up to so many days; its chance right for all, or the same for all."""
    middle = DAYS + np.random.default_rng(seed).uniform(-error, error, ROWS)
    right = np.where(DAYS <= 365, 0.9, 0.1)
    chances = right if chance is None else np.full(ROWS, chance)
    low, high = middle - error / 2, middle + error / 2
    return Judged(np.arange(ROWS) % 50, Forecasts(low, middle, high, chances), DAYS)


def test_the_best_of_those_that_are_surely_better_is_served() -> None:
    choice = choose({
        "median gap": judged(100), "climatology": judged(200), "renewal": judged(60),
        "blend": judged(30),
    })  # fmt: skip
    assert (choice.model, choice.naive) == ("blend", "median gap")
    assert choice.gain is not None
    assert choice.gain[0] > 0.5


def test_where_nothing_is_surely_better_the_best_naive_is_served_and_it_says_so() -> None:
    """Proves the guard: a model that is better by luck only would be served without it."""
    lucky, naive = judged(99, seed=3), judged(100)
    share, low, _ = gain(lucky, naive)
    assert share > 0 > low
    choice = choose({"median gap": naive, "blend": lucky})
    assert (choice.model, choice.gain) == ("median gap", None)
    assert choice.why.startswith("Nothing is surely better")


def test_better_windows_do_not_make_up_for_worse_chances() -> None:
    """Proves the guard on the Brier score."""
    choice = choose({"median gap": judged(100), "blend": judged(30, chance=0.5)})
    assert choice.model == "median gap"


def test_scores_of_a_forecast_that_is_always_right() -> None:
    right = Judged(
        np.arange(ROWS), Forecasts(DAYS, DAYS, DAYS, np.where(DAYS <= 365, 1.0, 0.0)), DAYS
    )
    assert score(right) == {
        "medae": 0, "within30": 1, "within60": 1, "within90": 1, "pinball": 0, "coverage80": 1,
        "width80": 0, "brier12": 0, "ece": 0,
    }  # fmt: skip


def test_what_did_not_come_counts_for_the_chance_only() -> None:
    days = np.array([10.0, np.inf])
    low, middle, high = (np.array([side, 700.0]) for side in (5.0, 20.0, 40.0))
    of = Forecasts(low, middle, high, np.array([1.0, 0.5]))
    scores = score(Judged(np.array([0, 1]), of, days))
    assert (scores["medae"], scores["coverage80"], scores["brier12"]) == (10, 1, 0.125)
