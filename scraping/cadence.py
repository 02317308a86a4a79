"""When to look again. Pure."""

import datetime as dt

# A store in trouble is asked again after 1, 2, 4, … 256 of the shortest waits, but not more
# rarely than a healthy one.
MAX_BACKOFF = 8
JITTER = 0.1

# Waits in multiples of the usual interval: the first line that holds. A title's date moves most
# in the last days before it, and a title just announced brings others and fills up.
_CLOSE = ((dt.timedelta(days=2), 1 / 6), (dt.timedelta(days=14), 1 / 2))
_FRESH = ((dt.timedelta(days=2), 1 / 2), (dt.timedelta(days=30), 1), (dt.timedelta(days=365), 2))
_AHEAD = 1
_SILENT = 4


def interval(
    *,
    usual: dt.timedelta,
    until_release: dt.timedelta | None,
    since_news: dt.timedelta | None,
) -> dt.timedelta:
    """How long a target may wait: shortest close to a release, longest where nothing happens.

    `until_release`: to the next date of its titles that is still to come; `since_news`: since the
    last piece of news of any of them; None where there is none.
    """
    factors = [_factor(_CLOSE, until_release), _factor(_FRESH, since_news)]
    if until_release is not None:
        factors.append(_AHEAD)
    return usual * min((each for each in factors if each is not None), default=_SILENT)


def _factor(
    steps: tuple[tuple[dt.timedelta, float], ...], length: dt.timedelta | None
) -> float | None:
    if length is None:
        return None
    return next((factor for longest, factor in steps if length <= longest), None)


def next_visit(
    *,
    now: dt.datetime,
    interval: dt.timedelta,
    shortest: dt.timedelta,
    failures: int,
    jitter: float,
) -> dt.datetime:
    """The next visit after one that ended `now`; `jitter` in [0, 1) spreads visits over the day.

    `failures`: visits in a row that saw nothing, each doubling the wait from the shortest one up.
    """
    if failures:
        backoff: int = 2 ** min(failures - 1, MAX_BACKOFF)
        wait = min(shortest * backoff, max(interval, shortest))
    else:
        wait = max(interval * (1 - JITTER + 2 * JITTER * jitter), shortest)
    return now + wait
