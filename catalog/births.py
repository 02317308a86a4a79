"""How audiobooks come into being: a page of them at once, each with its work from birth.

Locks, in this order: `works` shared (those who merge works hold it alone, so that no work goes
while an edition is about to join it), then the names of new titles in the order of their numbers,
so that of two workers who find two editions of one new book the second sees the first's work.
"""

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from catalog.classify import Classification, classify
from catalog.editions import known_works
from catalog.joining import KnownWorks
from catalog.listing import Listing
from catalog.works import REISSUE, Edition, edition_of
from stalkerr import locks, sql

Place = tuple[str, str]  # (marketplace, asin)


@dataclass(frozen=True, slots=True)
class Birth:
    """A new audiobook and its work: below zero, one that is born with it."""

    edition: Edition
    title: str
    work: int
    work_due: bool  # it shows two works to be one
    is_reissue: bool


def insert_missing(
    listings: Mapping[Place, Listing], fetched_at: dt.datetime, now: dt.datetime
) -> dict[Place, Classification]:
    """Insert the audiobooks that are not there, each with its work; returns what each of them is.

    An edition of a known work joins it (catalog/works.py says which is one), also where both are
    found at the same moment.
    """
    sorts = {place: classify(listings[place]) for place in _missing(listings)}
    if not sorts:
        return {}
    new = {place: edition_of(listings[place], sort) for place, sort in sorts.items()}
    lock_works(shared=True)
    _lock_names(new)
    keys = {key for edition in new.values() for key in edition.keys}
    works = known_works(asins={asin for _, asin in new}, keys=keys)
    for place in works.places:  # whom we waited for may have inserted some of them
        new.pop(place, None)
    _insert(_births(new, listings, works), fetched_at, now)
    return {place: sorts[place] for place in new}


def lock_works(*, shared: bool = False) -> None:
    """Keep the works as they are until the transaction ends; alone: to merge or split them."""
    locks.lock("works", shared=shared)


def _missing(places: Collection[Place]) -> list[Place]:
    if not places:
        return []
    marketplaces, asins = zip(*sorted(places), strict=True)
    return sql.rows(
        """
        SELECT w.marketplace, w.asin FROM unnest(%s::text[], %s::text[]) AS w(marketplace, asin)
        WHERE NOT EXISTS (SELECT FROM audiobooks a
                          WHERE a.marketplace = w.marketplace AND a.asin = w.asin)
        """,
        [list(marketplaces), list(asins)],
    )


def _lock_names(new: Mapping[Place, Edition]) -> None:
    """Wait for whoever is about to insert one of these, or another edition of its work."""
    names = {f"asin {edition.asin}" for edition in new.values()}
    names |= {key for edition in new.values() for key in edition.keys}
    sql.rows(
        """
        SELECT pg_advisory_xact_lock(n.number)
        FROM (SELECT DISTINCT hashtextextended(name, 0) AS number FROM unnest(%s::text[]) AS name
              ORDER BY number OFFSET 0) n
        """,
        [list(names)],
    )


def _births(
    new: Mapping[Place, Edition], listings: Mapping[Place, Listing], works: KnownWorks
) -> Collection[Birth]:
    """Give each its work, the oldest release first: a re-issue finds what it sells again."""
    births: list[Birth] = []
    for place in sorted(new, key=lambda place: (new[place].release_date or dt.date.max, place)):
        edition = new[place]
        home, shows_more = works.home_of(edition)
        work = home or -len(births) - 1
        is_reissue = home is not None and works.sells_again(home, edition)
        works.add(work, edition)
        births.append(Birth(edition, listings[place].title or "", work, shows_more, is_reissue))
    return births


def _insert(births: Collection[Birth], fetched_at: dt.datetime, now: dt.datetime) -> None:
    records = [
        {
            "marketplace": birth.edition.marketplace,
            "asin": birth.edition.asin,
            "title": birth.title,
            "work": birth.work,
            "work_keys": sorted(birth.edition.keys),
            "runtime_minutes": birth.edition.runtime_minutes,
            "work_due": birth.work_due,
            "traits": [REISSUE] if birth.is_reissue else [],
        }
        for birth in births
    ]
    sql.rows(
        """
        WITH wanted AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(%(records)s) AS w(marketplace text, asin text,
                title text, work bigint, work_keys text[], runtime_minutes int, work_due boolean,
                traits text[])
        ), named AS MATERIALIZED (
            SELECT work, min(title) AS title, nextval(pg_get_serial_sequence('works', 'id')) AS id
            FROM wanted WHERE work < 0 GROUP BY work
        ), born AS (
            INSERT INTO works (id, title) SELECT id, title FROM named
        )
        INSERT INTO audiobooks (marketplace, asin, work_id, title, subtitle, language, publisher,
            format_type, content_type, delivery_type, cover_url, summary, sku, isbn, url,
            genres, metadata, match_keys, folded, fingerprint, fetched_at, revision, first_seen_at,
            kind, voice, traits, provenance, runtime_minutes, work_keys, work_due, work_pinned,
            hidden_at)
        SELECT w.marketplace, w.asin, coalesce(n.id, w.work), w.title, '', '', '', '', '', '',
            '', '', '', '', '', '[]', '{}', '{}', '', '', %(fetched_at)s, 0, %(now)s,
            'single', 'unknown', w.traits, '', w.runtime_minutes, w.work_keys, w.work_due, false,
            (SELECT hidden_at FROM works WHERE id = w.work)
        FROM wanted w LEFT JOIN named n USING (work)
        ORDER BY w.marketplace COLLATE "C", w.asin COLLATE "C"
        """,
        {"records": json.dumps(records), "fetched_at": fetched_at, "now": now},
    )
