"""How long a server asks us to wait: Retry-After in every form that servers send."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)


def parse(value: str | None, now: dt.datetime, cap: dt.timedelta) -> dt.timedelta | None:
    """The wait asked for, between zero and `cap`; None where nothing sensible is asked.

    Takes seconds (whole, with a fraction, or as JSON writes large numbers) and HTTP dates, which
    count from `now`; a date gone by means zero. Negative numbers and garbage mean None.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return dt.timedelta(seconds=min(float(text), cap.total_seconds()))
    moment = _http_date(text)
    return None if moment is None else min(max(moment - now, dt.timedelta()), cap)


def _http_date(text: str) -> dt.datetime | None:
    if not text[:1].isalpha():  # they begin with the day of the week
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
