"""The back-test as a whole: no leaks, and what it needs."""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pytest

from tests.records import END, Rows, make_rows
from workers.insights import calibration
from workers.insights.backtest import MODELS, Run, backtest
from workers.insights.curves import Forecasts
from workers.insights.protocol import TooSmallError, cutoffs_of
from workers.insights.streams import end_of, streams_of

SPLIT = dt.date(2020, 1, 1)
CUTOFFS = [dt.date(year, month, 1) for year in range(2016, 2021) for month in (1, 7)][:9]


def forecasts_of(rows: Rows) -> Iterator[tuple[str, list[str], Forecasts]]:
    """What every model says on SPLIT, having been through the cut-offs before it."""
    run = Run(streams_of(rows, today=END))
    for day in CUTOFFS:
        run.forecast(day.toordinal(), is_scored=day == SPLIT)
    for name in MODELS:
        ((now, forecasts),) = run.said[name]
        yield name, [run.history.names[entity] for entity in now.entity], forecasts


def test_rows_after_a_cutoff_change_no_forecast_made_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves that nothing leaks: not into streams, snapshots, rhythms, trees or calibrations."""
    monkeypatch.setattr(calibration, "LEAST_PAST", 30)  # so that so small a record has some
    rows = make_rows(40, spread=0.5)
    past = [row for row in rows if row[1] <= SPLIT]
    gone = [name for name, _ in past[:200]]
    other = [(name, SPLIT + dt.timedelta(days=1 + 3 * n)) for n, name in enumerate(gone)]
    dumped = [("series-001", SPLIT + dt.timedelta(days=2))] * 400
    strangers = [(f"a-{name}", day) for name, day in make_rows(20, seed=9) if day > SPLIT]
    as_it_was = list(forecasts_of(rows))
    assert len(as_it_was[0][1]) > 25
    for changed in (past, past + other, past + dumped + strangers):
        for (name, names, said), (_, others, again) in zip(
            as_it_was, forecasts_of(changed), strict=True
        ):
            assert names == others
            assert np.array_equal(said.quantiles(), again.quantiles()), name
            assert np.array_equal(said.chance, again.chance), name


def test_what_is_learnt_from_knows_no_release_after_the_cutoff() -> None:
    """Proves the guard in the snapshots of the past: they were made with all that is on record."""
    until = SPLIT.toordinal()
    past = Run(streams_of(make_rows(40), today=END)).past.known_by(until)
    assert len(past) > 100
    known = np.isfinite(past.remaining)
    assert int((past.day + past.remaining)[known].max()) <= until
    assert bool((~known[past.day > until - 100]).any())


def test_cutoffs_are_half_years_with_two_years_of_record_after_each() -> None:
    run = Run(streams_of(make_rows(60), today=END))
    cutoffs = cutoffs_of(run.history, END.toordinal() - 1)
    days = [dt.date.fromordinal(day) for day in cutoffs.before + cutoffs.scored]
    assert (days[0], days[6], days[-1]) == (
        dt.date(2014, 1, 1),
        dt.date(2017, 1, 1),
        dt.date(2021, 7, 1),
    )
    assert len(days) == 16


@pytest.mark.slow
def test_a_steady_record_is_forecast_well_and_served_by_a_learned_model() -> None:
    done = backtest(make_rows(80, spread=0.3), today=END)
    results = {result.model: result for result in done.results}
    assert tuple(results) == MODELS
    assert done.choice.model in MODELS
    blend = results["blend"].scores
    assert 0.7 <= blend["coverage80"] <= 0.9
    assert blend["pinball"] < results["climatology"].scores["pinball"]
    low, high = results["blend"].bounds["pinball"]
    assert low < blend["pinball"] < high


@pytest.mark.parametrize("rows", [[], [("x", END)], make_rows(2), [("div.", END)] * 9])
def test_a_record_that_cannot_tell_is_said_so(rows: Rows) -> None:
    with pytest.raises(TooSmallError):
        backtest(rows, today=END)


def test_the_end_of_a_record_is_not_where_its_announcements_are() -> None:
    streams = streams_of(
        [*make_rows(60), ("series-001", END + dt.timedelta(days=900))], today=dt.date(2030, 1, 1)
    )
    assert end_of(streams) <= END.toordinal()
