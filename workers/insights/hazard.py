"""Discrete-time hazard: in each 30 days that nothing came, how likely is it that it comes now."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from lightgbm import LGBMClassifier

from workers.insights.curves import DAYS
from workers.insights.history import (
    ELAPSED,
    HORIZON,
    LAST_GAP,
    MEDIAN_GAP,
    Floats,
    History,
    Ints,
    Snapshots,
)
from workers.insights.renewal import Renewal

BIN: Final = 30
BINS: Final = HORIZON // BIN  # 24: what lies after the last whole bin is not learnt from
LEAST_SNAPSHOTS: Final = 500
MOST_ROWS: Final = 200_000
SEED: Final = 7
_EDGES: Final = np.arange(BINS + 1) * BIN


@dataclass(frozen=True)
class Hazard:
    booster: Any
    renewal: Renewal

    def curves(self, history: History, snapshots: Snapshots) -> Floats:
        """Between the edges of a bin the hazard is constant; after the last bin it goes on."""
        rows = np.repeat(np.arange(len(snapshots)), BINS)
        bins = np.tile(np.arange(BINS), len(snapshots))
        table = rows_of(history, self.renewal, snapshots, rows, bins)
        hazard = self.booster.predict_proba(table)[:, 1].reshape(-1, BINS)
        logs = np.log1p(-np.clip(hazard, 1e-9, 1 - 1e-9))
        survival = np.concatenate([np.zeros((len(logs), 1)), np.cumsum(logs, axis=1)], axis=1)
        index = np.minimum(DAYS // BIN, BINS - 1).astype(int)
        part = (DAYS - index * BIN) / BIN
        curves: Floats = 1 - np.exp(survival[:, index] + part * logs[:, index])
        return curves


def fit_hazard(history: History, renewal: Renewal, past: Snapshots, until: int) -> Hazard | None:
    """None where there is too little to learn from. `past` must know nothing after `until`."""
    rows, bins, came = at_risk(past, until)
    if len(past) < LEAST_SNAPSHOTS or came.sum() < LEAST_SNAPSHOTS // 5:
        return None
    if len(rows) > MOST_ROWS:
        some = np.sort(np.random.default_rng(SEED).choice(len(rows), MOST_ROWS, replace=False))
        rows, bins, came = rows[some], bins[some], came[some]
    booster = LGBMClassifier(
        n_estimators=120,
        learning_rate=0.05,
        num_leaves=15,
        min_child_samples=50,
        max_bin=63,
        n_jobs=1,
        random_state=SEED,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    booster.fit(rows_of(history, renewal, past, rows, bins), came)
    return Hazard(booster, renewal)


def at_risk(past: Snapshots, until: int) -> tuple[Ints, Ints, Ints]:
    """One entry per snapshot and bin it entered without a release: row, bin, did it come in it.

    Only bins that were over by `until` count. One that was not holds those whose release came
    early in it and none that survived it: its hazard would be one. The same is true of what is
    left of the horizon after its last whole bin.
    """
    whole = np.minimum((until - past.day) // BIN, BINS)
    ends = np.where(np.isfinite(past.remaining), np.ceil(past.remaining / BIN), np.inf)
    entered = np.minimum(ends, whole).astype(np.int64)
    rows = np.repeat(np.arange(len(past)), entered)
    bins = np.arange(entered.sum()) - np.repeat(np.cumsum(entered) - entered, entered)
    came = (bins + 1 == ends[rows]).astype(np.int64)
    return rows, bins, came


def rows_of(
    history: History, renewal: Renewal, snapshots: Snapshots, rows: Ints, bins: Ints
) -> Floats:
    """What the hazard is told: the snapshot, and where in its rhythm the bin lies."""
    mean, spread = renewal.posterior(history, snapshots.release)
    about = np.column_stack(
        [snapshots.features, mean, spread, snapshots.features[:, ELAPSED] - mean]
    )
    ahead = (bins + 0.5) * BIN
    since = np.log(snapshots.day[rows] - history.day[snapshots.release[rows]] + ahead)
    season = 2 * np.pi * ((snapshots.day[rows] + ahead) % 365.25) / 365.25
    features = snapshots.features[rows]
    place = np.column_stack([
        bins, since, since - mean[rows], (since - mean[rows]) / spread[rows],
        since - features[:, LAST_GAP], since - features[:, MEDIAN_GAP],
        np.sin(season), np.cos(season),
    ])  # fmt: skip
    return np.column_stack([about[rows], place])
