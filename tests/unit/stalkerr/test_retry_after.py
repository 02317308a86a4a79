import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stalkerr.retry_after import parse

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
CAP = dt.timedelta(hours=24)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("0.35", 0.35),
        ("1e-05", 0.00001),
        ("1e9", 86400),
        ("9" * 5000, 86400),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60),
        ("Thursday, 01-Jan-26 12:01:00 GMT", 60),
        ("Thu Jan  1 12:01:00 2026", 60),
        ("Thu, 01 Jan 2026 14:01:00 +0200", 60),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 86400),
    ],
)
def test_it_understands_every_form(value: str, seconds: float) -> None:
    assert parse(value, NOW, CAP) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "-5", "+5", "nan", "inf", "None", "soon", "\uff11\uff12", "1_000", "5 s"),
        *("5,5", "0x10", "Thu, 99 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00Z", "Thu", "\x00"),
    ],
)
def test_it_hears_nothing_in_garbage(value: str | None) -> None:
    assert parse(value, NOW, CAP) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, ?\d{1,3} [A-Z][a-z]{2} \d{1,6} .{0,30}"))
def test_it_takes_anything_without_an_exception_and_within_the_cap(value: str) -> None:
    wait = parse(value, NOW, CAP)
    assert wait is None or dt.timedelta() <= wait <= CAP
