"""Listings into the catalogue, against a loop of update_or_create that writes the same rows."""

import dataclasses
import datetime as dt
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.models import (
    Audiobook,
    AudiobookCheck,
    Contributor,
    Credit,
    ReleaseEvent,
    Series,
    SeriesEntry,
    Work,
)
from catalog.normalise import name_key
from catalog.services import record_listings
from stalkerr import clock, sql

LISTINGS = 20_000
ROUNDS = 5
PAGE = 50
LOOPED = 200  # listings a round: to loop over all of them would take half an hour
_PEOPLE = 2_000
_FACTS = (
    *("title", "subtitle", "language", "release_date", "publication_at", "launched_at"),
    *("publisher", "runtime_minutes", "format_type", "content_type", "delivery_type"),
    *("cover_url", "summary", "sku", "isbn", "url"),
)
_SUMMARY = "A lighthouse, a letter nobody sent, and the winter in which both are found. " * 8


def measure() -> dict[str, Any]:
    """How many times as fast a listing is recorded, unchanged or new, and listings a second."""
    rng = random.Random(7)
    ours: dict[str, list[float]] = {"new": [], "unchanged": []}
    loop: dict[str, list[float]] = {"new": [], "unchanged": []}
    for number in range(ROUNDS):
        shelf = list(make_listings(rng, LISTINGS // ROUNDS, f"A{number}"))
        looped = list(make_listings(rng, LOOPED, f"L{number}"))
        for state in ("new", "unchanged"):
            ours[state].append(seconds_each(record_pages, shelf))
            loop[state].append(seconds_each(record_one_by_one, looped))
        sql.rows("ANALYZE")
    assert Audiobook.objects.count() == LISTINGS + ROUNDS * LOOPED
    assert ReleaseEvent.objects.count() == LISTINGS + ROUNDS * LOOPED
    return {
        "benchmark": "ingest",
        "listings": LISTINGS,
        "unchanged_per_s": round(1 / median(ours["unchanged"])),
        "new_per_s": round(1 / median(ours["new"])),
        "unchanged_vs_loop": round(median(loop["unchanged"]) / median(ours["unchanged"]), 1),
        "new_vs_loop": round(median(loop["new"]) / median(ours["new"]), 1),
    }


def make_listings(rng: random.Random, number: int, letters: str) -> Iterator[Listing]:
    """Pre-orders as stores show them: one or two authors, a narrator, most in a series."""
    day = clock.now().date() + dt.timedelta(days=30)
    for each in range(number):
        author, narrator = rng.randrange(_PEOPLE), rng.randrange(_PEOPLE)
        series = author % 700
        yield Listing(
            marketplace="us",
            asin=f"B{letters}{each:07d}",
            url=f"https://www.audible.com/pd/B{letters}{each:07d}",
            title=f"Book {letters} {each} of the Long Winter",
            subtitle=f"The Winter Saga, Book {each % 9}",
            language="english",
            release_date=day + dt.timedelta(days=each % 300),
            publication_at=dt.datetime(2027, 1, 1, 8, tzinfo=dt.UTC),
            launched_at=dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC),
            publisher=f"House {author % 50}",
            runtime_minutes=300 + each % 900,
            credits=(
                CreditLine(f"Author Number {author}", f"B0{author:08d}", "author"),
                CreditLine(f"Reader Number {narrator}", None, "narrator"),
            ),
            series=(SeriesPlace(f"S0{series:08d}", f"Saga {series}", str(each % 9)),)
            if each % 4
            else (),
            genres=(("18580606011", "Fantasy"), (str(18580606100 + author % 20), "Epic")),
            format_type="unabridged",
            content_type="Product",
            delivery_type="SinglePartBook",
            cover_url=f"https://covers.example/{letters}{each}.jpg",
            summary=_SUMMARY,
            sku=f"BK_{letters}_{each:06d}",
            raw={"asin": f"B{letters}{each:07d}", "publisher_summary": _SUMMARY, "price": {}},
        )


def seconds_each(work: Callable[[list[Listing]], None], listings: list[Listing]) -> float:
    """Time a listing takes; copies, so that nothing is remembered of the round before."""
    copies = [dataclasses.replace(each) for each in listings]
    begun = time.monotonic()
    work(copies)
    return (time.monotonic() - begun) / len(listings)


def record_pages(listings: list[Listing]) -> None:
    for start in range(0, len(listings), PAGE):
        now = clock.now()
        record_listings(listings=listings[start : start + PAGE], fetched_at=now, now=now)


def record_one_by_one(listings: list[Listing]) -> None:
    for listing in listings:
        _update_or_create(listing, clock.now())


def _update_or_create(listing: Listing, now: dt.datetime) -> None:
    """What one would write first: the same rows, one after the other."""
    facts: dict[str, Any] = {name: getattr(listing, name) or "" for name in _FACTS}
    facts |= {"genres": listing.genres, "metadata": listing.raw, "fetched_at": now}
    place = {"marketplace": listing.marketplace, "asin": listing.asin}
    new = {"work": Work.objects.create(title=listing.title or "")} if _is_new(place) else {}
    book, created = Audiobook.objects.update_or_create(
        **place, defaults=facts, create_defaults=facts | new | {"first_seen_at": now}
    )
    for position, credit in enumerate(listing.credits):
        person, _ = Contributor.objects.update_or_create(
            asin=credit.asin,
            name_key=name_key(credit.name),
            defaults={"name": credit.name},
        )
        Credit.objects.update_or_create(
            audiobook=book, contributor=person, role=credit.role, defaults={"position": position}
        )
    for place_in in listing.series:
        series, _ = Series.objects.update_or_create(
            marketplace=listing.marketplace,
            asin=place_in.asin or "",
            defaults={"title": place_in.title, "title_key": name_key(place_in.title)},
        )
        SeriesEntry.objects.update_or_create(
            series=series, audiobook=book, defaults={"sequence": place_in.sequence or ""}
        )
    AudiobookCheck.objects.update_or_create(audiobook=book, defaults={"last_checked_at": now})
    if created:
        ReleaseEvent.objects.update_or_create(
            audiobook=book, revision=1, defaults={"kind": "announced", "seen_at": now}
        )


def _is_new(place: dict[str, str]) -> bool:
    return not Audiobook.objects.filter(**place).exists()
