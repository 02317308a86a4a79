import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraping.outcomes import retry_after

NOW = dt.datetime(2026, 3, 8, 12, 0, 0, tzinfo=dt.UTC)
LONGEST = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("1.5", 1.5),
        ("999999999999999999", 3600),
        ("9" * 5000, 3600),
        ("Sun, 08 Mar 2026 12:05:00 GMT", 300),
        ("Sun, 08 Mar 2026 12:05:00 -0000", 300),
        ("Sun, 08 Mar 2026 14:05:00 +0200", 300),
        ("Sunday, 08-Mar-26 12:05:00 GMT", 300),
        ("Sun Mar  8 12:05:00 2026", 300),
        ("Sun, 08 Mar 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Sun, 32 Mar 2026 11:00:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_it_reads_how_long_to_wait(value: str | None, seconds: float | None) -> None:
    expected = None if seconds is None else dt.timedelta(seconds=seconds)
    assert retry_after(value, now=NOW, longest=LONGEST) == expected


@given(st.text())
def test_junk_never_waits_beyond_the_cap(value: str) -> None:
    wait = retry_after(value, now=NOW, longest=LONGEST)
    assert wait is None or dt.timedelta() <= wait <= LONGEST
