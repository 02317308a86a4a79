"""The statements behind record_listings: each takes a whole page of audiobooks at once.

Lock order, so that no two transactions wait for each other in a ring: missing audiobooks are
inserted first (catalog/births.py: the works, the names of new titles, then rows in
(marketplace, asin) order); then all rows of the page are locked in the same order; then people,
then series (catalog/links.py). Nothing goes back to an earlier step.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.births import Place
from catalog.changes import Change, Known
from catalog.classify import Classification, classify
from catalog.keys import audiobook_keys, folded_titles
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import store_date
from catalog.normalise import words
from catalog.works import work_keys
from stalkerr import sql, tracing

_TEXTS = [
    "title",
    "subtitle",
    "language",
    "publisher",
    "format_type",
    "content_type",
    "delivery_type",
    "cover_url",
    "summary",
    "sku",
    "isbn",
    "url",
]
# What search looks at, in characters: a search vector takes a megabyte.
_SEARCHED_MAX = 100_000
_FACTS = [*_TEXTS, "release_date", "publication_at", "launched_at", "runtime_minutes"]


@dataclass(frozen=True, slots=True)
class Row:
    """A locked audiobook, as far as it takes to see whether anything changed."""

    id: int
    place: Place
    fingerprint: str
    shown_at: dt.datetime  # by the newest answer that we hold
    revision: int
    release_date: dt.date | None
    provenance: str
    is_out: bool
    is_withdrawn: bool


def lock(places: Iterable[Place]) -> dict[Place, Row]:
    """Lock the audiobooks of a page until the transaction ends.

    Their ids stay, so that whoever refers to them (`Told`, by edition) need not wait.
    """
    marketplaces, asins = zip(*sorted(places), strict=True)
    rows = sql.rows(
        """
        SELECT a.id, a.marketplace, a.asin, a.fingerprint, a.fetched_at, a.revision,
               a.release_date, a.provenance, a.out_at IS NOT NULL, a.withdrawn_at IS NOT NULL
        FROM audiobooks a
        WHERE (a.marketplace, a.asin) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        ORDER BY a.marketplace, a.asin
        FOR NO KEY UPDATE
        """,
        [list(marketplaces), list(asins)],
    )
    # Unchanged facts leave no other trace. Its own statement: the one before may have waited.
    checked = dict(
        sql.rows(
            "SELECT audiobook_id, last_checked_at FROM audiobook_checks WHERE audiobook_id = ANY(%s)",
            [[row[0] for row in rows]],
        )
    )
    return {
        (marketplace, asin): Row(
            row_id,
            (marketplace, asin),
            fingerprint,
            max(fetched_at, checked.get(row_id, fetched_at)),
            *rest,
        )
        for row_id, marketplace, asin, fingerprint, fetched_at, *rest in rows
    }


def load_known(rows: Iterable[Row]) -> dict[int, Known]:
    """All that is known of these audiobooks, by id."""
    by_id = {row.id: row for row in rows}
    if not by_id:
        return {}
    columns = ", ".join(f"a.{name}" for name in _FACTS)
    records = sql.rows(
        f"""
        SELECT a.id, a.genres, a.metadata,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(c.name, c.asin, k.role) ORDER BY k.position),
                '[]') FROM credits k JOIN contributors c ON c.id = k.contributor_id
             WHERE k.audiobook_id = a.id),
            (SELECT coalesce(jsonb_agg(jsonb_build_array(s.asin, s.title, e.sequence) ORDER BY e.id),
                '[]') FROM series_entries e JOIN series s ON s.id = e.series_id
             WHERE e.audiobook_id = a.id),
            a.first_seen_at, a.corrections, {columns}
        FROM audiobooks a WHERE a.id = ANY(%s)
        """,  # noqa: S608 (column names of ours)
        [list(by_id)],
    )
    return {record[0]: _known(by_id[record[0]], record) for record in records}


def _known(row: Row, record: Sequence[Any]) -> Known:
    _, genres, metadata, credits, series, first_seen_at, corrections, *facts = record
    listing = Listing(
        marketplace=row.place[0],
        asin=row.place[1],
        genres=tuple((genre_id, name) for genre_id, name in sql.parsed(genres)),
        credits=tuple(CreditLine(*credit) for credit in sql.parsed(credits)),
        series=tuple(
            SeriesPlace(asin, title, sequence or None)
            for asin, title, sequence in sql.parsed(series)
        ),
        raw=sql.parsed(metadata),
        provenance=row.provenance,
        **dict(zip(_FACTS, facts, strict=True)),
    )
    return Known(
        facts=listing,
        is_out=row.is_out,
        is_withdrawn=row.is_withdrawn,
        seen_since=store_date(row.place[0], first_seen_at),
        corrections=sql.parsed(corrections),
    )


def update_facts(
    changes: Mapping[Row, Change],
    prints: Mapping[Place, str],
    sorts: Mapping[Place, Classification],
    fetched_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """Write the merged facts, match keys and search words of changed audiobooks.

    `sorts`: what new ones are (catalog/births.py), so that it is not found out twice.
    One that is not out and whose author, series, narrator, publisher or genre becomes known only
    now is announced once more: those who watch them could not be found before, and all others
    have been told (`Told`).
    """
    if not changes:
        return
    columns = ", ".join(f"{name} = n.{name}" for name in _FACTS)
    sql.rows(
        f"""
        WITH n AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(%(records)s) AS r(id bigint, title text, subtitle text,
                language text, publisher text, format_type text, content_type text,
                delivery_type text, cover_url text, summary text, sku text, isbn text, url text,
                release_date date, publication_at timestamptz, launched_at timestamptz,
                runtime_minutes int, genres jsonb, metadata jsonb, match_keys text[], folded text,
                fingerprint text, revision int, title_words text, other_words text, is_out boolean,
                is_withdrawn boolean, kind text, voice text, traits text[], provenance text, work_keys text[])
        ), heard AS MATERIALIZED (  -- but for what a person dropped (catalog/brake.py)
            SELECT e.id FROM n JOIN audiobooks old ON old.id = n.id
            JOIN release_events e ON e.audiobook_id = n.id
            WHERE e.kind = 'announced' AND NOT n.is_out
              AND NOT (e.fanned_through = 0 AND e.fanned_out_at IS NOT NULL)
              AND EXISTS (SELECT FROM unnest(n.match_keys) k
                          WHERE k ~ '^(author|series|narrator|publisher|genre)[:~]'
                            AND NOT k = ANY(old.match_keys))
            ORDER BY e.id FOR NO KEY UPDATE OF e
        ), again AS (
            UPDATE release_events e SET fanned_out_at = NULL, fanned_through = 0
            FROM heard WHERE e.id = heard.id
        )
        UPDATE audiobooks a SET {columns},
            genres = n.genres, metadata = n.metadata, match_keys = n.match_keys, folded = n.folded,
            kind = n.kind, voice = n.voice, provenance = n.provenance,
            -- known over editions, not from a listing
            traits = CASE WHEN 'reissue' = ANY(a.traits) THEN n.traits || ARRAY['reissue'] ELSE n.traits END,
            work_keys = n.work_keys,
            -- other facts may show it to be an edition of another work
            work_due = a.work_due OR a.work_keys IS DISTINCT FROM n.work_keys
                OR a.runtime_minutes IS DISTINCT FROM n.runtime_minutes,
            fingerprint = n.fingerprint, fetched_at = %(fetched_at)s, revision = n.revision,
            search_vector = setweight(to_tsvector('simple', n.title_words), 'A')
                || setweight(to_tsvector('simple', n.other_words), 'B'),
            out_at = CASE WHEN n.is_out THEN coalesce(a.out_at, %(now)s) END,
            withdrawn_at = CASE WHEN n.is_withdrawn THEN a.withdrawn_at END
        FROM n WHERE a.id = n.id
        """,  # noqa: S608 (column names of ours)
        {
            "records": json.dumps(
                [
                    _record(row, change, prints[row.place], sorts.get(row.place))
                    for row, change in changes.items()
                ],
                default=str,
            ),
            "fetched_at": fetched_at,
            "now": now,
        },
    )


def _record(
    row: Row, change: Change, fingerprint: str, sort: Classification | None
) -> dict[str, Any]:
    facts = change.facts
    titles = folded_titles(facts)
    sort = sort or classify(facts)
    people = "\n".join(credit.name for credit in facts.credits)
    return {
        "id": row.id,
        **{name: getattr(facts, name) or "" for name in _TEXTS},
        **{name: getattr(facts, name) for name in _FACTS if name not in _TEXTS},
        "genres": facts.genres,
        "metadata": facts.raw,
        "match_keys": audiobook_keys(facts),
        "folded": titles,
        "fingerprint": fingerprint,
        "revision": row.revision + len(change.news),
        "title_words": " ".join(words(titles))[:_SEARCHED_MAX],
        "other_words": " ".join(words(people))[:_SEARCHED_MAX],
        "is_out": change.is_out,
        "is_withdrawn": change.is_withdrawn,
        "kind": sort.kind,
        "voice": sort.voice,
        "traits": sort.traits,
        "provenance": facts.provenance,
        "work_keys": work_keys(facts, sort),
    }


def insert_events(
    changes: Mapping[Row, Change], now: dt.datetime, *, held_by: int | None
) -> list[int]:
    """Write the news down, in page order; returns the events' ids. `held_by`: catalog/brake.py."""
    records = [
        {
            "audiobook_id": row.id,
            "revision": row.revision + offset,
            "kind": news.kind,
            "old_date": news.old_date,
            "new_date": news.new_date,
            "found_late": news.found_late,
        }
        for row, change in changes.items()
        for offset, news in enumerate(change.news, start=1)
    ]
    if not records:
        return []
    rows = sql.rows(
        """
        INSERT INTO release_events (audiobook_id, kind, revision, seen_at, old_date, new_date,
                                    found_late, unconfirmed, fanned_through, held_by, trace_id)
        SELECT audiobook_id, kind, revision, %s, old_date, new_date, found_late, false, 0, %s, %s::uuid
        FROM jsonb_to_recordset(%s) AS n(audiobook_id bigint, kind text, revision int,
            old_date date, new_date date, found_late boolean)
        RETURNING id
        """,
        [now, held_by, tracing.current(), json.dumps(records, default=str)],
    )
    return [event_id for (event_id,) in rows]


def touch(ids: Sequence[int], fetched_at: dt.datetime) -> None:
    """The store has just shown these: the only thing an unchanged page writes."""
    sql.rows(
        """
        INSERT INTO audiobook_checks AS c (audiobook_id, last_checked_at)
        SELECT id, %s FROM unnest(%s::bigint[]) AS id ORDER BY id
        ON CONFLICT (audiobook_id) DO UPDATE
        SET last_checked_at = EXCLUDED.last_checked_at, absent_at = NULL
        WHERE c.last_checked_at < EXCLUDED.last_checked_at
        """,
        [fetched_at, list(ids)],
    )
