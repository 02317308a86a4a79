"""The back-test: every model on a record's own past, as it would have been served then."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Final

import numpy as np

from workers.insights.baselines import BASELINES
from workers.insights.blend import LEARNED, fit_learned
from workers.insights.calibration import fit_calibration
from workers.insights.choosing import Choice, choose
from workers.insights.curves import Forecasts
from workers.insights.history import Floats, History, Snapshots
from workers.insights.protocol import Cutoffs, TooSmallError, cutoffs_of
from workers.insights.scores import Judged, bounds, score
from workers.insights.streams import Stream, end_of, streams_of

MOST_PAST: Final = 100_000  # snapshots learnt from at one cut-off, drawn where there are more
SEED: Final = 7
MODELS: Final = (*BASELINES, *LEARNED)


@dataclass
class Seconds:
    """CPU seconds over all cut-offs."""

    fit: float = 0.0
    predict: float = 0.0


@dataclass(frozen=True)
class Result:
    """Of one model: scores by key, their bounds, what was judged, and what it cost."""

    model: str
    scores: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    judged: Judged
    seconds: Seconds


@dataclass(frozen=True)
class Backtest:
    cutoffs: Cutoffs
    results: list[Result]
    choice: Choice
    windows: int
    chances: int


def backtest(rows: Iterable[tuple[str, dt.date]], *, today: dt.date) -> Backtest:
    """Raises TooSmallError where a record can't tell."""
    streams = streams_of(rows, today=today)
    if not any(stream.days for stream in streams):
        raise TooSmallError("There is no release in it that happened and belongs to somebody.")
    return backtest_streams(streams)


def backtest_streams(streams: Sequence[Stream]) -> Backtest:
    run = Run(streams)
    cutoffs = cutoffs_of(run.history, end_of(streams))
    for day in (*cutoffs.before, *cutoffs.scored):
        run.forecast(day, is_scored=day in cutoffs.scored)
    judged = {name: run.judged(name) for name in MODELS}
    results = [
        Result(name, score(judged[name]), bounds(judged[name]), judged[name], run.seconds[name])
        for name in MODELS
    ]
    any_judged = judged[MODELS[0]]
    return Backtest(
        cutoffs, results, choose(judged), int(any_judged.came.sum()), len(any_judged.entity)
    )


class Run:
    """Goes from cut-off to cut-off, and keeps what was said at each."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        began = process_time()
        self.history = History(streams)
        self.past = self.history.quarters
        spent = process_time() - began
        # Everything is learnt from these snapshots, so each model is charged with all of them.
        self.seconds = {name: Seconds(fit=spent) for name in MODELS}
        self.raw: dict[str, list[tuple[int, Forecasts, Floats]]] = {name: [] for name in LEARNED}
        self.said: dict[str, list[tuple[Snapshots, Forecasts]]] = {name: [] for name in MODELS}

    def forecast(self, day: int, *, is_scored: bool) -> None:
        now = self.history.at(day)
        past = _some(self.past.known_by(day))
        if len(now):
            self._ask_learned(day, past, now, is_scored=is_scored)
        if len(now) and is_scored:
            self._ask_baselines(day, past, now)

    def judged(self, name: str) -> Judged:
        snapshots, forecasts = zip(*self.said[name], strict=True)
        return Judged(
            np.concatenate([each.entity for each in snapshots]),
            Forecasts(*(
                np.concatenate([getattr(each, side) for each in forecasts])
                for side in ("low", "middle", "high", "chance")
            )),
            np.concatenate([each.remaining for each in snapshots]),
        )  # fmt: skip

    def _ask_learned(self, day: int, past: Snapshots, now: Snapshots, *, is_scored: bool) -> None:
        learned = fit_learned(self.history, past, day)
        for name, (forecasts, spent) in learned.forecasts(now).items():
            began = process_time()
            calibration = fit_calibration(self.raw[name], day)
            self.raw[name].append((day, forecasts, now.remaining))
            self.seconds[name].fit += learned.seconds[name] + process_time() - began
            self.seconds[name].predict += spent
            if is_scored:
                self.said[name].append((now, calibration.applied(forecasts)))

    def _ask_baselines(self, day: int, past: Snapshots, now: Snapshots) -> None:
        for name, fit in BASELINES.items():
            began = process_time()
            fitted = fit(past, day)
            fit_until = process_time()
            self.said[name].append((now, fitted(now)))
            self.seconds[name].fit += fit_until - began
            self.seconds[name].predict += process_time() - fit_until


def _some(past: Snapshots) -> Snapshots:
    """A bounded number, drawn by nothing but how many there are."""
    if len(past) <= MOST_PAST:
        return past
    drawn = np.random.default_rng(SEED).choice(len(past), MOST_PAST, replace=False)
    return past.take(np.sort(drawn))
