"""How good forecasts were, and within which bounds that is known."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.insights.curves import QUANTILES, Forecasts
from workers.insights.history import HORIZON, YEAR, Floats, Ints

DRAWS: Final = 400
SEED: Final = 7
CHANCE_BINS: Final = 10
NARROW: Final = 120
BOUNDED: Final = ("medae", "within30", "pinball", "coverage80", "brier12")


@dataclass(frozen=True)
class Judged:
    """All forecasts of one model over all cut-offs, beside what came; one row each."""

    entity: Ints
    forecasts: Forecasts
    remaining: Floats

    @property
    def came(self) -> NDArray[np.bool_]:
        """Windows are judged on what came within 24 months, chances on everything."""
        return self.remaining <= HORIZON

    def pinball(self) -> Floats:
        """Mean over the three quantiles, in days, per row."""
        missed = self.remaining[:, None] - self.forecasts.quantiles()
        missed[~self.came] = 0
        quantiles = np.array(QUANTILES)
        loss: Floats = np.maximum(quantiles * missed, (quantiles - 1) * missed).mean(axis=1)
        return loss

    def brier(self) -> Floats:
        return (self.forecasts.chance - (self.remaining <= YEAR)) ** 2


def score(judged: Judged, weight: Floats | None = None) -> dict[str, float]:
    """Every figure by its key; days, and shares from 0 to 1. `weight` is per row."""
    weight = np.ones(len(judged.entity)) if weight is None else weight
    came = judged.came
    of, days, seen = judged.forecasts, judged.remaining[came], weight[came]
    missed = np.abs(days - of.middle[came])
    holds = (of.low[came] <= days) & (days <= of.high[came])
    return {
        "medae": _median(missed, seen),
        **{f"within{n}": float(np.average(missed <= n, weights=seen)) for n in (30, 60, 90)},
        "pinball": float(np.average(judged.pinball()[came], weights=seen)),
        "coverage80": float(np.average(holds, weights=seen)),
        "width80": _median((of.high - of.low)[came], seen),
        "brier12": float(np.average(judged.brier(), weights=weight)),
        "ece": _calibration_error(of.chance, judged.remaining <= YEAR, weight),
    }


def bounds(judged: Judged) -> dict[str, tuple[float, float]]:
    """95 % intervals, by drawing entities anew: forecasts of one are no independent trials."""
    drawn = [score(judged, weight) for weight in _draws(judged)]
    return {key: _bounds([scores[key] for scores in drawn]) for key in BOUNDED}


def gain(judged: Judged, other: Judged) -> tuple[float, float, float]:
    """By which share pinball lies below another model's, and its 95 % interval."""
    came = judged.came
    ours, theirs = judged.pinball()[came], other.pinball()[came]
    drawn = [float(1 - (ours @ w[came]) / (theirs @ w[came])) for w in _draws(judged)]
    return (float(1 - ours.sum() / theirs.sum()), *_bounds(drawn))


def calibration(judged: Judged, edges: int = 5) -> list[tuple[float, float, int]]:
    """Per bin of the chance: what was forecast, what was observed, of how many."""
    bins = np.minimum((judged.forecasts.chance * edges).astype(int), edges - 1)
    came = judged.remaining <= YEAR
    return [
        (float(judged.forecasts.chance[at].mean()), float(came[at].mean()), int(at.sum()))
        for at in (bins == number for number in range(edges))
        if at.any()
    ]


def coverage_by_width(judged: Judged) -> list[tuple[str, int, float, float]]:
    """Per class of width: its name, how many, the share within 30 days, the share covered."""
    came = judged.came
    of, days = judged.forecasts, judged.remaining[came]
    width = (of.high - of.low)[came]
    missed = np.abs(days - of.middle[came])
    holds = (of.low[came] <= days) & (days <= of.high[came])
    classes = {
        f"under {NARROW}": width < NARROW,
        f"{NARROW} to 200": (width >= NARROW) & (width < 200),
        "200 and more": width >= 200,
    }
    return [
        (name, int(at.sum()), float((missed[at] <= 30).mean()), float(holds[at].mean()))
        for name, at in classes.items()
        if at.any()
    ]


def _draws(judged: Judged) -> list[Floats]:
    """Weights per row; the same for every model of a back-test. Each has something that came."""
    names, row = np.unique(judged.entity, return_inverse=True)
    random = np.random.default_rng(SEED)
    even = np.full(len(names), 1 / len(names))
    draws = [random.multinomial(len(names), even)[row].astype(float) for _ in range(DRAWS)]
    return [weight for weight in draws if weight[judged.came].any()]


def _bounds(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _median(values: Floats, weight: Floats) -> float:
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def _calibration_error(chance: Floats, came: NDArray[np.bool_], weight: Floats) -> float:
    """How far the forecast chance lies from the observed share, over ten even bins."""
    bins = np.minimum((chance * CHANCE_BINS).astype(int), CHANCE_BINS - 1)
    off = np.bincount(bins, weights=weight * (chance - came), minlength=CHANCE_BINS)
    return float(np.abs(off).sum() / weight.sum())
