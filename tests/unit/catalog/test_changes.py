"""What is news: a table, no database."""

import dataclasses
import datetime as dt

import pytest

from catalog.changes import Change, Known, News, compare, merge
from catalog.listing import CreditLine, Listing, SeriesPlace

TODAY = dt.date(2026, 3, 8)
LISTING = Listing(
    marketplace="us",
    asin="B000000001",
    url="",
    title="Glass Tide",
    release_date=dt.date(2026, 6, 1),
    credits=(CreditLine("Ada Example", None, "author"),),
)


def day(number: int) -> dt.date:
    return TODAY + dt.timedelta(days=number)


def listing(date: dt.date | None) -> Listing:
    return dataclasses.replace(LISTING, release_date=date)


def known(date: dt.date | None, *, is_out: bool = False, is_withdrawn: bool = False) -> Known:
    return Known(facts=listing(date), is_out=is_out, is_withdrawn=is_withdrawn)


@pytest.mark.parametrize(
    ("before", "date", "news", "is_out"),
    [
        pytest.param(None, day(1), [News("announced", new_date=day(1))], False, id="new, ahead"),
        pytest.param(None, None, [News("announced")], False, id="new, without a date"),
        pytest.param(None, day(0), [News("out_now", new_date=day(0))], True, id="new, today"),
        pytest.param(
            None,
            day(-14),
            [News("out_now", new_date=day(-14), found_late=True)],
            True,
            id="new, a fortnight late",
        ),
        pytest.param(None, day(-15), [], True, id="new, back catalogue"),
        pytest.param(known(day(5)), day(5), [], False, id="as it was"),
        pytest.param(known(day(5)), None, [], False, id="no date said"),
        pytest.param(
            known(day(5)), day(9), [News("date_moved", day(5), day(9))], False, id="postponed"
        ),
        pytest.param(
            known(day(5)), day(3), [News("date_moved", day(5), day(3))], False, id="earlier"
        ),
        pytest.param(
            known(None), day(3), [News("date_moved", None, day(3))], False, id="a date at last"
        ),
        pytest.param(
            known(day(5)), day(0), [News("out_now", day(5), day(0))], True, id="out early"
        ),
        pytest.param(
            known(day(0)), day(0), [News("out_now", day(0), day(0))], True, id="its day has come"
        ),
        pytest.param(known(day(0), is_out=True), day(0), [], True, id="out, and said so"),
        pytest.param(known(day(-9), is_out=True), day(-8), [], True, id="the past corrected"),
        pytest.param(
            known(day(0), is_out=True),
            day(7),
            [News("date_moved", day(0), day(7))],
            False,
            id="not out after all",
        ),
        pytest.param(
            known(day(5), is_withdrawn=True),
            day(5),
            [News("restored", new_date=day(5))],
            False,
            id="back again",
        ),
        pytest.param(
            known(day(5), is_withdrawn=True),
            day(9),
            [News("restored", new_date=day(9)), News("date_moved", day(5), day(9))],
            False,
            id="back again with another date",
        ),
    ],
)
def test_what_a_listing_is_worth(
    before: Known | None, date: dt.date | None, news: list[News], *, is_out: bool
) -> None:
    change = compare(before, listing(date), TODAY)
    assert list(change.news) == news
    assert change.is_out is is_out


def test_a_date_that_is_taken_back_is_none_any_more() -> None:
    """Proves the guard undated: its old day would come, and the title be told as out."""
    undated = dataclasses.replace(LISTING, release_date=None, undated=True)
    change = compare(known(day(5)), undated, TODAY)
    assert (change.facts.release_date, change.is_out) == (None, False)
    assert change.news == (News("detail_changed"),)
    out = compare(known(day(-9), is_out=True), undated, TODAY)
    assert (out.facts.release_date, out.is_out, out.news) == (day(-9), True, ())


@pytest.mark.parametrize(("date", "kinds"), [(day(-200), []), (day(-10), ["out_now"])])
def test_a_first_date_long_before_it_was_seen_is_back_catalogue(
    date: dt.date, kinds: list[str]
) -> None:
    """Proves the guard seen_since: a book of years ago would be told as out now."""
    undated = Known(facts=listing(None), seen_since=day(-5))
    change = compare(undated, listing(date), TODAY)
    assert change.is_out
    assert [news.kind for news in change.news] == kinds


def narrated(*names: str) -> Listing:
    people = tuple(CreditLine(name, None, "narrator") for name in names)
    return dataclasses.replace(LISTING, credits=(*LISTING.credits, *people))


def compared(before: Listing, after: Listing) -> Change:
    return compare(Known(facts=before), after, TODAY)


def test_filling_in_what_was_missing_is_not_news() -> None:
    assert compared(LISTING, narrated("Nora")).news == ()
    longer = dataclasses.replace(LISTING, runtime_minutes=600, cover_url="c", summary="s")
    assert compared(LISTING, longer).news == ()


def test_another_title_or_narrator_is_a_detail_that_changed() -> None:
    assert compared(narrated("Nora"), narrated("Tim")).news == (News("detail_changed"),)
    renamed = dataclasses.replace(LISTING, title="Glass Tides")
    assert compared(LISTING, renamed).news == (News("detail_changed"),)


def test_an_absent_field_clears_nothing() -> None:
    full = dataclasses.replace(
        narrated("Nora"),
        subtitle="A Tale",
        runtime_minutes=600,
        series=(SeriesPlace("B0SERIES01", "Tides", "2"),),
        genres=(("1", "Fiction"),),
    )
    bare = Listing(marketplace="us", asin="B000000001", url="")
    assert merge(full, bare) == full


def test_a_series_named_without_its_place_keeps_the_place_known() -> None:
    before = dataclasses.replace(LISTING, series=(SeriesPlace("B0SERIES01", "Tides", "2"),))
    after = dataclasses.replace(LISTING, series=(SeriesPlace("B0SERIES01", "Tides", None),))
    assert merge(before, after).series == (SeriesPlace("B0SERIES01", "Tides", "2"),)


def test_a_role_that_is_named_replaces_that_role_only() -> None:
    merged = merge(
        narrated("Nora"),
        dataclasses.replace(LISTING, credits=(CreditLine("Tim", None, "narrator"),)),
    )
    assert {(credit.role, credit.name) for credit in merged.credits} == {
        ("author", "Ada Example"),
        ("narrator", "Tim"),
    }
