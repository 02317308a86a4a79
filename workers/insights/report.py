"""A back-test as people read it, and as programs do."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from workers.insights.backtest import Backtest, Result

# Key of a figure, its heading, and how it is printed.
COLUMNS = (
    ("medae", "error", "{:.1f}"),
    ("within30", "≤30 d", "{:.1%}"),
    ("within60", "≤60 d", "{:.1%}"),
    ("within90", "≤90 d", "{:.1%}"),
    ("pinball", "pinball", "{:.2f}"),
    ("coverage80", "80% has", "{:.1%}"),
    ("width80", "width", "{:.0f}"),
    ("brier12", "Brier", "{:.3f}"),
    ("ece", "cal.", "{:.3f}"),
)


def json_lines(name: str, done: Backtest) -> Iterator[str]:
    """One object per model, then one with `served`; a line each."""
    for result in done.results:
        cost = {"fit_s": result.seconds.fit, "predict_s": result.seconds.predict}
        figures = {key: round(value, 4) for key, value in (result.scores | cost).items()}
        yield json.dumps({"model": result.model, **figures})
    yield json.dumps({"served": _served(name, done)}, ensure_ascii=False)


def table_of(name: str, done: Backtest) -> Table:
    """Errors and widths in days; below a figure its 95 % interval, where there is one."""
    table = Table(title=_title(name, done), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("model", min_width=21)
    for heading in [*(heading for _, heading, _ in COLUMNS), "fit s", "predict s"]:
        table.add_column(heading, justify="right")
    for result in done.results:
        cells = [_cell(result, key, form) for key, _, form in COLUMNS]
        cost = [f"{result.seconds.fit:.2f}", f"{result.seconds.predict:.2f}"]
        is_served = result.model == done.choice.model
        table.add_row(result.model, *cells, *cost, style="bold" if is_served else None)
    return table


def verdict(done: Backtest) -> str:
    return f"Served: {done.choice.model}. {done.choice.why}"


def _title(name: str, done: Backtest) -> str:
    first, last = _days(done)
    return (
        f"{name}: {len(done.cutoffs.scored)} cut-offs from {first} to {last},"
        f" {done.windows} windows, {done.chances} chances"
    )


def _cell(result: Result, key: str, form: str) -> str:
    figure = form.format(result.scores[key])
    if key not in result.bounds:
        return figure
    low, high = (form.format(side).removesuffix("%") for side in result.bounds[key])
    return f"{figure}\n{low}–{high}"  # noqa: RUF001 - a range


def _served(name: str, done: Backtest) -> dict[str, Any]:
    share = done.choice.gain
    first, last = _days(done)
    return {
        "model": done.choice.model,
        "set": name,
        "best_naive": done.choice.naive,
        "pinball_gain": None if share is None else round(share[0], 4),
        "pinball_gain_95": None if share is None else [round(side, 4) for side in share[1:]],
        "why": done.choice.why,
        "cutoffs": [first, last, len(done.cutoffs.scored)],
        "windows": done.windows,
        "chances": done.chances,
        "intervals_95": {
            result.model: {
                key: [round(low, 4), round(high, 4)] for key, (low, high) in result.bounds.items()
            }
            for result in done.results
        },
    }


def _days(done: Backtest) -> tuple[str, str]:
    first, last = done.cutoffs.scored[0], done.cutoffs.scored[-1]
    return dt.date.fromordinal(first).isoformat(), dt.date.fromordinal(last).isoformat()
