"""When to look again. Pure."""

import datetime as dt

# A store in trouble is asked again after 1, 2, 4, … 256 of the shortest waits, but not more
# rarely than a healthy one.
MAX_BACKOFF = 8
JITTER = 0.1


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
