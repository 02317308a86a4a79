"""Which backups are kept."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from workers.backups.retention import kept

NOW = dt.datetime(2026, 11, 28, 3, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
RULES = {"days": 30, "weeks": 8, "months": 12}


def nights(count: int) -> dict[str, dt.datetime]:
    """A backup of every night before today."""
    moments = [NOW - number * DAY for number in range(count)]
    return {f"{moment:%Y-%m-%d}": moment for moment in moments}


def test_thirty_days_then_weeks_then_months() -> None:
    names = sorted(kept(nights(800), now=NOW, **RULES), reverse=True)
    assert names[:30] == sorted(nights(30), reverse=True)
    assert names[30:] == [
        *("2026-10-26", "2026-10-19", "2026-10-12", "2026-10-05"),  # Mondays
        *("2026-10-01", "2026-09-01", "2026-08-01", "2026-07-01", "2026-06-01", "2026-05-01"),
        *("2026-04-01", "2026-03-01", "2026-02-01", "2026-01-01", "2025-12-01"),
    ]


def test_the_newest_is_kept_whatever_its_age() -> None:
    old = {"one": NOW - 900 * DAY, "two": NOW - 800 * DAY}
    assert kept(old, now=NOW, days=1, weeks=0, months=0) == {"two"}
    assert kept({}, now=NOW, **RULES) == set()


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.datetimes(
            timezones=st.just(dt.UTC),
            max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001 (their zone is added)
        ),
    ),
    st.integers(0, 40),
    st.integers(0, 10),
    st.integers(0, 20),
)
def test_what_is_kept_is_kept_the_next_time_too(
    backups: dict[str, dt.datetime], days: int, weeks: int, months: int
) -> None:
    """Else each night would thin out the months further, until one is left."""
    rules = {"days": days, "weeks": weeks, "months": months}
    names = kept(backups, now=NOW, **rules)
    assert kept({name: backups[name] for name in names}, now=NOW, **rules) == names
    assert bool(names) == bool(backups)
    assert max(backups, key=lambda name: (backups[name], name), default=None) in {*names, None}
