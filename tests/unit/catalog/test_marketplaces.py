import datetime as dt

import pytest

from catalog.marketplaces import (
    CHOICES,
    MARKETPLACES,
    store_date,
    store_noon,
    store_noon_passed,
)

LATE_EVENING = dt.datetime(2026, 3, 8, 23, 30, tzinfo=dt.UTC)  # a Sunday, clocks just moved in us


def test_there_are_eleven() -> None:
    assert " ".join(MARKETPLACES) == "us uk de fr ca au it es in jp br"
    assert [code for code, _ in CHOICES] == list(MARKETPLACES)


@pytest.mark.parametrize("field", ["host", "site", "id", "zone"])
def test_no_two_share_what_identifies_them(field: str) -> None:
    assert len({str(getattr(each, field)) for each in MARKETPLACES.values()}) == 11


@pytest.mark.parametrize(
    ("code", "day"), [("us", "2026-03-08"), ("uk", "2026-03-08"), ("jp", "2026-03-09")]
)
def test_the_day_is_the_stores_own(code: str, day: str) -> None:
    assert store_date(code, LATE_EVENING) == dt.date.fromisoformat(day)


def test_noon_follows_summer_time() -> None:
    assert store_noon("us", dt.date(2026, 3, 7)).hour == 20
    assert store_noon("us", dt.date(2026, 3, 8)).hour == 19
    assert store_noon("in", dt.date(2026, 3, 8)).isoformat() == "2026-03-08T06:30:00+00:00"


def test_noon_has_passed_from_the_minute_itself() -> None:
    day = dt.date(2026, 3, 8)
    noon = dt.datetime(2026, 3, 8, 19, tzinfo=dt.UTC)
    assert store_noon_passed("us", day, noon)
    assert not store_noon_passed("us", day, noon - dt.timedelta(seconds=1))


def test_it_knows_the_page_a_person_opens() -> None:
    assert MARKETPLACES["au"].url_of("B000000001") == "https://www.audible.com.au/pd/B000000001"
