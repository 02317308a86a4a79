"""What is news. Pure: no database, no clock, no network."""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from catalog.corrections import Corrections, corrected
from catalog.listing import CreditLine, Listing, SeriesPlace

# First seen later than this after its release, a title is back catalogue and no news; first seen
# later than this after its page went up, its announcement is found late.
FOUND_LATE_DAYS = 14
# The source whose facts stand: what the others say fills gaps.
BEST = "audible_api"
_NOTHING = (None, "", ())


@dataclass(frozen=True, slots=True)
class News:
    """One thing to write down as a ReleaseEvent."""

    kind: str
    old_date: dt.date | None = None
    new_date: dt.date | None = None
    found_late: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What we hold of an audiobook: the last listing's facts, and what was said of it."""

    facts: Listing
    is_out: bool = False
    is_withdrawn: bool = False
    seen_since: dt.date | None = None  # the store's day on which it was first seen
    corrections: Corrections = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a listing did to a known audiobook: the facts now, and what of it is news."""

    facts: Listing
    is_out: bool
    news: tuple[News, ...] = field(default=())
    is_withdrawn: bool = False  # a listing is a sight of it: only who saw none leaves it so


def compare(
    known: Known | None, listing: Listing, today: dt.date, *, pages_date: bool = False
) -> Change:
    """Hold a listing against what is known; `today` is the store's calendar day.

    What the API said is not undone by a page, but for the date while the API has long been
    silent (`pages_date`). What staff have put right is undone by nobody.
    """
    if known is None:
        return _compare_new(listing, today)
    listing = corrected(listing, known.corrections)
    is_same_source = known.facts.provenance == listing.provenance
    if is_same_source or listing.provenance == BEST:
        facts = _without_date(known, merge(known.facts, listing))
    else:
        facts = fill(known.facts, listing, pages_date=pages_date)
    news = [News("restored", new_date=facts.release_date)] if known.is_withdrawn else []
    is_out = known.is_out
    if moved := _moved(known, facts, today):
        news.append(moved)
        is_out = False
    elif not is_out and is_past(facts.release_date, today):
        # Out earlier than promised is told as "out now", not as a move and then once more.
        out_now = News("out_now", old_date=known.facts.release_date, new_date=facts.release_date)
        news += [] if _was_long_out(known, facts) else [out_now]
        is_out = True
    elif not is_out and is_same_source and _details_changed(known.facts, facts):
        news.append(News("detail_changed"))
    return Change(facts=facts, is_out=is_out, news=tuple(news))


def _without_date(known: Known, facts: Listing) -> Listing:
    """A date taken back is no date any more; what is out stays out."""
    if facts.undated and not known.is_out:
        return dataclasses.replace(facts, release_date=None)
    return facts


def _compare_new(listing: Listing, today: dt.date) -> Change:
    date = listing.release_date
    if date is None or date > today:
        news = News("announced", new_date=date, found_late=_has_long_been_up(listing, today))
        return Change(listing, is_out=False, news=(news,))
    if (today - date).days > FOUND_LATE_DAYS:
        return Change(listing, is_out=True)
    news = News("out_now", new_date=date, found_late=date < today)
    return Change(listing, is_out=True, news=(news,))


def _has_long_been_up(listing: Listing, today: dt.date) -> bool:
    launched = listing.launched_at
    return launched is not None and (today - launched.date()).days > FOUND_LATE_DAYS


def is_past(date: dt.date | None, today: dt.date) -> bool:
    return date is not None and date <= today


def _moved(known: Known, facts: Listing, today: dt.date) -> News | None:
    """A date that moved to another day still to come; the past is only corrected, in silence."""
    old, new = known.facts.release_date, facts.release_date
    if new is None or new == old or new <= today:
        return None
    return News("date_moved", old_date=old, new_date=new)


def _was_long_out(known: Known, facts: Listing) -> bool:
    """Whether its first date shows a title to be back catalogue, as if seen only now."""
    if known.facts.release_date or not (known.seen_since and facts.release_date):
        return False
    return (known.seen_since - facts.release_date).days > FOUND_LATE_DAYS


def _details_changed(old: Listing, new: Listing) -> bool:
    """Another title, other narrators, no date any more; filling in what was missing is not news."""
    if old.release_date and not new.release_date:
        return True
    before, after = _names(old.credits, "narrator"), _names(new.credits, "narrator")
    return old.title != new.title or bool(before and before != after)


def _names(credits: Iterable[CreditLine], role: str) -> set[str]:
    return {credit.name for credit in credits if credit.role == role}


def merge(old: Listing, new: Listing) -> Listing:
    """The facts of `new`, with those of `old` where `new` says nothing."""
    said = {
        entry.name: value
        for entry in dataclasses.fields(new)
        if (value := getattr(new, entry.name)) not in _NOTHING
    }
    said["credits"] = _merge_credits(old.credits, new.credits)
    said["series"] = _merge_series(old.series, new.series)
    return dataclasses.replace(old, **said)


def fill(known: Listing, page: Listing, *, pages_date: bool) -> Listing:
    """What is known, with what only the page says."""
    added = {
        entry.name: value
        for entry in dataclasses.fields(page)
        if getattr(known, entry.name) in _NOTHING and (value := getattr(page, entry.name))
    }
    added["credits"] = _merge_credits(page.credits, known.credits)
    added["series"] = _merge_series(page.series, known.series)
    if pages_date and page.release_date:
        added["release_date"] = page.release_date
    return dataclasses.replace(known, **added)


def _merge_credits(
    old: tuple[CreditLine, ...], new: tuple[CreditLine, ...]
) -> tuple[CreditLine, ...]:
    """A role that the new listing names replaces that role; the others stay."""
    named = {credit.role for credit in new}
    return new + tuple(credit for credit in old if credit.role not in named)


def _merge_series(
    old: tuple[SeriesPlace, ...], new: tuple[SeriesPlace, ...]
) -> tuple[SeriesPlace, ...]:
    """The new places, each keeping of its old one what the new one does not say."""
    before = {place.asin: place for place in old if place.asin}
    return tuple(_fill_place(place, before.get(place.asin or "")) for place in new) or old


def _fill_place(place: SeriesPlace, before: SeriesPlace | None) -> SeriesPlace:
    if before is None:
        return place
    return dataclasses.replace(
        place, title=place.title or before.title, sequence=place.sequence or before.sequence
    )
