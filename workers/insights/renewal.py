"""Log-normal renewal: each entity has a rhythm of its own, as far as its gaps can tell."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import ndtr

from workers.insights.curves import DAYS, read
from workers.insights.history import YEAR, Floats, History, Ints, Snapshots

_TRUST: Final = 4.0  # what the common spread counts, in gaps, beside an entity's own
_LEAST_VARIANCE: Final = 1e-3
_LIVES: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)


@dataclass(frozen=True)
class Renewal:
    """What all entities have in common (log days); an entity's own is drawn towards it."""

    mean: float
    between: float
    within: float
    lives: float = _LIVES[-1]  # the chance, right after a release, that there will be another

    def posterior(self, history: History, release: Ints) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the next log gap after each release."""
        w, wx, wxx = (history.kept[name][release] for name in ("w", "wx", "wxx"))
        pull = self.within / self.between
        mean = (wx + pull * self.mean) / (w + pull)
        squares = np.maximum(wxx - wx**2 / np.maximum(w, 1e-9), 0)
        variance = (_TRUST * self.within + squares) / (_TRUST + np.maximum(w - 1, 0))
        return mean, np.sqrt(variance * (1 + 1 / (w + pull)))

    def curves(self, history: History, snapshots: Snapshots) -> Floats:
        """Given that nothing came since the last release until the day of the row.

        Some series have ended, and nobody says so: the longer an entity is overdue by its own
        rhythm, the less likely it is that it goes on at all.
        """
        mean, spread = (part[:, None] for part in self.posterior(history, snapshots.release))
        elapsed = np.maximum(snapshots.day - history.day[snapshots.release], 1)[:, None]
        silent = ndtr((mean - np.log(elapsed)) / spread)
        left = ndtr((mean - np.log(elapsed + DAYS)) / spread)
        lives = self.lives * silent / (self.lives * silent + 1 - self.lives)
        curves: Floats = lives * (1 - left / np.maximum(silent, 1e-300))
        return curves


def fit_renewal(history: History, past: Snapshots, until: int) -> Renewal:
    """From the releases on or before a day; `past` must know nothing after it."""
    rhythm = _rhythm(history, until)
    over = past.take(past.day + YEAR <= until)
    if not len(over):
        return rhythm
    came = over.remaining <= YEAR

    def error(lives: float) -> float:
        chance = read(replace(rhythm, lives=lives).curves(history, over)).chance
        return float(np.mean((chance - came) ** 2))

    return replace(rhythm, lives=min(_LIVES, key=error))


def _rhythm(history: History, until: int) -> Renewal:
    """By moments, so it needs no search."""
    release = history.last_releases(until)
    w, wx, wxx, ww = (history.kept[name][release] for name in ("w", "wx", "wxx", "ww"))
    has = w > 0
    if not has.any():
        return Renewal(mean=float(np.log(180)), between=1.0, within=0.5)
    w, wx, wxx, ww = w[has], wx[has], wxx[has], ww[has]
    free = float((w - ww / w).sum())
    within = max(float((wxx - wx**2 / w).sum()) / free if free > 0 else 0.5, _LEAST_VARIANCE)
    between = float(np.var(wx / w) - (within * ww / w**2).mean())
    return Renewal(mean=float((wx / w).mean()), between=max(between, within / 10), within=within)
