"""Records of releases made up for tests: entities with rhythms of their own, seeded."""

import datetime as dt
import random

BEGIN = dt.date(2008, 1, 1)
END = dt.date(2024, 1, 1)

Rows = list[tuple[str, dt.date]]


def make_rows(
    entities: int = 60,
    *,
    seed: int = 1,
    spread: float = 0.25,
    longest: int = 400,
    prefix: str = "series",
) -> Rows:
    """Each keeps to its number of days, give or take, from some day of the first years on."""
    chance = random.Random(seed)
    rows: Rows = []
    for number in range(entities):
        rhythm = chance.uniform(60, longest)
        day = BEGIN + dt.timedelta(days=chance.randrange(1500))
        while day < END:
            rows.append((f"{prefix}-{number:03}", day))
            day += dt.timedelta(days=max(8, round(rhythm * chance.lognormvariate(0, spread))))
    return rows


def written(rows: Rows) -> str:
    """As the CSV that `manage.py backtest` takes."""
    return "".join(["entity,date\n", *(f"{name},{day}\n" for name, day in rows)])
