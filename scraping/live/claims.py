"""What we believe of the store, each claim with the check that holds it against answers. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from django.conf import settings

from catalog.normalise import clean
from catalog.steps import counted
from scraping.live.agreement import agreement
from scraping.live.questions import RIGHTS, UNKNOWN_ASIN
from scraping.live.sights import Sights
from scraping.pages import StoreError, UnreadableAnswerError
from scraping.sources.audible_api import PAGE_SIZE
from stalkerr import retry_after

Verdict = Literal["holds", "does not hold", "not seen"]
MAX_AGE = 1800  # seconds
LONGEST = 140  # characters of evidence
# By response group: what it brings, at least on one of fifty titles.
_FIELDS = {
    "contributors": ("authors", "narrators", "publisher_name"),
    "product_attrs": ("release_date", "language", "runtime_length_min"),
    "product_desc": ("title", "publisher_summary", "merchandising_summary"),
    "product_extended_attrs": ("isbn", "copyright", "product_site_launch_date"),
    "media": ("product_images",),
    "series": ("series",),
    "relationships": ("relationships",),
    "category_ladders": ("category_ladders",),
    "rating": ("rating",),
    "price": ("price",),
}
_MODERN = re.compile(rb"<adbl-product-(?:row|metadata)\b")
# An author may have no series.
_NOT_OF_ALL = ("series", "relationships")
_RIGHTS_FIELDS = ("is_preorderable", "is_buyable", "product_state", "preorder_release_date")


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a claim holds, and what was seen; the store's words in it can move no terminal."""

    verdict: Verdict
    evidence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", clean(self.evidence)[:LONGEST])


@dataclass(frozen=True, slots=True)
class Claim:
    """`asks`: the questions without whose answers nothing is seen."""

    text: str
    asks: tuple[str, ...]
    check: Callable[[Sights], Finding]


def findings(sights: Sights) -> list[tuple[Claim, Finding]]:
    """Every claim held against what the store answered."""
    return [(claim, _finding(claim, sights)) for claim in CLAIMS]


def _finding(claim: Claim, sights: Sights) -> Finding:
    missing = [name for name in claim.asks if name not in sights.heard]
    if missing:
        return Finding("not seen", sights.silent.get(missing[0], "not asked"))
    try:
        return claim.check(sights)
    except UnreadableAnswerError as error:
        return Finding("does not hold", f"unreadable: {error}")
    except StoreError as error:
        return Finding("does not hold", f"the store refused: {error}")


def _said(holds: object, evidence: str) -> Finding:
    return Finding("holds" if holds else "does not hold", evidence)


def _pages_start_at_0(sights: Sights) -> Finding:
    first, second = sights.page("listing").listed, sights.page("next").listed
    if len(first) < PAGE_SIZE:
        return Finding("not seen", f"all {len(first)} titles are on page 0")
    others = [asin for asin in second if asin not in first]
    return _said(
        len(others) * 2 > len(second),
        f"{len(first)} titles on page 0, {len(others)} others on page 1",
    )


def _is_newest_first(sights: Sights) -> Finding:
    dates = [
        str(each["release_date"]) for each in sights.products("listing") if "release_date" in each
    ]
    wrong = [f"{later} after {earlier}" for earlier, later in pairwise(dates) if later > earlier]
    if len(dates) < 2:
        return Finding("not seen", "fewer than two dates")
    return _said(not wrong, wrong[0] if wrong else f"{len(dates)} dates, {dates[0]} to {dates[-1]}")


def _groups_need_no_sign_in(sights: Sights) -> Finding:
    records = sights.products("listing")
    asked = [each for each in settings.STORE_RESPONSE_GROUPS if each in _FIELDS]
    brought = [group for group in asked if any(_has(record, _FIELDS[group]) for record in records)]
    without = [group for group in asked if group not in brought]
    text = f"{len(brought)} of {len(asked)} brought what they stand for"
    text += f"; nothing of {', '.join(without)}" if without else ""
    return _said(not set(without) - set(_NOT_OF_ALL), text)


def _has(record: dict[str, object], fields: Iterable[str]) -> list[str]:
    return [name for name in fields if record.get(name) not in (None, "", [], {})]


def _rights_need_no_sign_in(sights: Sights) -> Finding:
    (record,) = sights.products("rights")[:1]
    found = [f"{name}={record[name]}" for name in _RIGHTS_FIELDS if name in record]
    return _said(found, ", ".join(found) or f"asked for {RIGHTS}, it brings nothing")


def _unknown_group_is_refused(sights: Sights) -> Finding:
    try:
        sights.data("unknown_group")
    except StoreError as error:
        status = sights.heard["unknown_group"].status
        is_known_form = status == 400 and "Invalid response group" in str(error)
        return _said(is_known_form, f"{status}: {error}")
    return _said(holds=False, evidence="answered as if it were not there")


def _unknown_asin_is_a_stub(sights: Sights) -> Finding:
    page, status = sights.page("unknown"), sights.heard["unknown"].status
    return _said(
        status in (200, 304) and page.stubs == (UNKNOWN_ASIN,),
        f"{status}, {'a stub' if page.stubs else 'no stub'}, {counted(len(page.listings), 'title')}",
    )


def _batch_is_answered(sights: Sights) -> Finding:
    asked = set(sights.few)
    shown = set(sights.page("batch").listed)
    text = (
        f"{len(asked)} asked for, {len(asked & shown)} of them shown, {len(shown - asked)} others"
    )
    return _said(shown == asked, text)


def _batch_has_stubs(sights: Sights) -> Finding:
    page = sights.page("batch")
    return _said(UNKNOWN_ASIN in page.stubs, f"stubs: {', '.join(page.stubs) or 'none'}")


def _batch_is_limited(sights: Sights) -> Finding:
    try:
        shown = sights.page("large_batch").raw_count
    except StoreError as error:
        return _said(holds=True, evidence=f"refused: {error}")
    return _said(shown <= PAGE_SIZE, f"{PAGE_SIZE + 1} asked for, {shown} answered")


def _page_is_limited(sights: Sights) -> Finding:
    try:
        shown = sights.page("too_large").raw_count
    except StoreError as error:
        return _said(holds=True, evidence=f"refused: {error}")
    return _said(shown <= PAGE_SIZE, f"{PAGE_SIZE + 1} asked for, {shown} shown")


def _answers_keep(sights: Sights) -> Finding:
    said = sights.heard["listing"].answer.headers.get("cache-control", "")
    found = re.search(r"max-age=(\d+)", said)
    return _said(found and int(found[1]) == MAX_AGE, said or "no Cache-Control")


def _since_has_no_effect(sights: Sights) -> Finding:
    whole, since = sights.page("listing").listed, sights.page("since").listed
    return _said(since == whole, f"{len(whole)} titles without it, {len(since)} with a day to come")


def _conditions_are_answered(sights: Sights) -> Finding:
    marks = sights.heard["listing"].answer.headers.keys() & {"etag", "last-modified"}
    again = sights.heard["again"]
    if not marks:
        return _said(holds=False, evidence="no ETag, no Last-Modified: nothing to ask by")
    if not again.was_conditional:
        return Finding("not seen", "our cache did not keep the first answer")
    return _said(again.status == 304, f"{', '.join(sorted(marks))}; asked again: {again.status}")


def _series_lists_its_titles(sights: Sights) -> Finding:
    children = sights.page("series").children
    members = {
        asin
        for asin, listing in sights.listings.items()
        if any(place.asin == sights.series for place in listing.series)
    }
    missing = members - set(children)
    titles = counted(len(children), "title")
    text = f"{sights.series}: {titles}, {len(members - missing)} known as its own"
    return _said(children and not missing, f"{text}; not {', '.join(missing)}" if missing else text)


def _retry_after_is_readable(sights: Sights) -> Finding:
    if sights.throttled is None:
        return Finding("not seen", "never sent away")
    said = sights.throttled.headers.get("retry-after")
    wait = retry_after.parse(said, sights.now, settings.STORE_RETRY_AFTER_MAX)
    seen = f"Retry-After: {said}" if said else "no Retry-After"
    return _said(wait is not None, f"{sights.throttled.status}, {seen}")


def _search_page_agrees(sights: Sights) -> Finding:
    return _compared(sights, "search_page", set(sights.listings))


def _series_page_agrees(sights: Sights) -> Finding:
    return _compared(sights, "series_page", set(sights.page("series").children))


def _product_page_agrees(sights: Sights) -> Finding:
    return _compared(sights, "product_page", {sights.asin})


def _compared(sights: Sights, name: str, expected: set[str]) -> Finding:
    """A page can be read, shows what was expected, and does not contradict the API."""
    heard = sights.heard[name]
    if heard.status not in (200, 304):
        return _said(holds=False, evidence=f"the site answered {heard.status}")
    shown = sights.page(name).listings
    layout = "modern" if _MODERN.search(heard.answer.body) else "legacy"
    ours = [each for each in shown if each.asin in expected]
    known = dict(sights.listings)
    if "single" in sights.heard:
        known |= {each.asin: each for each in sights.page("single").listings}
    compared, differences = agreement(known, ours)
    titles = counted(len(shown), "title")
    text = f"{layout}; {titles}, {len(ours)} as expected, {compared} compared"
    text += f"; {differences[0]}" if differences else ""
    return _said(ours and not differences, text)


CLAIMS = (
    Claim("The first page of a listing is page 0", ("listing", "next"), _pages_start_at_0),
    Claim("-ReleaseDate puts the furthest date first", ("listing",), _is_newest_first),
    Claim("A page shows 50 titles at most", ("too_large",), _page_is_limited),
    Claim("asins= answers the titles named, and no others", ("batch",), _batch_is_answered),
    Claim("A batch says of an unknown ASIN that it is a stub", ("batch",), _batch_has_stubs),
    Claim("A batch answers 50 titles at most", ("large_batch",), _batch_is_limited),
    Claim("An unknown ASIN alone is a stub with status 200", ("unknown",), _unknown_asin_is_a_stub),
    Claim(
        "The configured groups are answered without signing in",
        ("listing",),
        _groups_need_no_sign_in,
    ),
    Claim(f"{RIGHTS} is answered without signing in", ("rights",), _rights_need_no_sign_in),
    Claim("An unknown group is refused with 400", ("unknown_group",), _unknown_group_is_refused),
    Claim("Answers keep for 30 minutes (max-age)", ("listing",), _answers_keep),
    Claim(
        "Conditional requests are answered with 304", ("listing", "again"), _conditions_are_answered
    ),
    Claim("products_since_timestamp has no effect", ("listing", "since"), _since_has_no_effect),
    Claim("Retry-After says seconds or a date", (), _retry_after_is_readable),
    Claim("A series names its titles (relationships)", ("series",), _series_lists_its_titles),
    Claim(
        "The search page is readable and agrees", ("listing", "search_page"), _search_page_agrees
    ),
    Claim(
        "The product page is readable and agrees", ("single", "product_page"), _product_page_agrees
    ),
    Claim("The series page is readable and agrees", ("series", "series_page"), _series_page_agrees),
)
