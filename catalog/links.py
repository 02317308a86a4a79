"""People and series: linked to a page of audiobooks at once, and their ids made known to watches.

A watch by name hears of a person or a series with an id only once it has learnt that id.

Lock order, after the page's audiobooks (catalog/records.py): names of authors, shared; people; names
of series, shared; series; their titles (catalog/series_groups.py). Who edits watches takes their rows,
then the names alone.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from catalog.changes import Change
from catalog.normalise import name_key, sequence_position
from catalog.people import Sighting, tell_of_others
from catalog.records import Row
from catalog.series_groups import group_series
from catalog.watch_queries import refresh_authors, refresh_series
from stalkerr import locks, sql

_BARE = re.compile(r"[A-Za-z0-9 ]*")
_IN_ADDRESSES = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def link_people(changes: Mapping[Row, Change], now: dt.datetime) -> None:
    """Make the credits of changed audiobooks what the facts say; let watches know who is new."""
    credits = [
        {
            "audiobook_id": row.id,
            "asin": credit.asin,
            "name": credit.name,
            "name_key": name_key(credit.name),
            "role": credit.role,
            "position": position,
        }
        for row, change in changes.items()
        for position, credit in enumerate(change.facts.credits)
    ]
    parameters = {"credits": json.dumps(credits), "ids": [row.id for row in changes]}
    met = _insert_contributors(parameters)
    learn_ids("author", met)
    sql.rows(
        """
        WITH said AS (
            SELECT DISTINCT ON (n.audiobook_id, n.role, c.id)
                   n.audiobook_id, n.role, c.id AS contributor_id, n.position
            FROM jsonb_to_recordset(%(credits)s) AS n(audiobook_id bigint, asin text, name text,
                 name_key text, role text, position int)
            JOIN contributors c ON c.asin = n.asin OR (n.asin IS NULL AND c.asin IS NULL
                                                       AND c.name_key = n.name_key)
            ORDER BY n.audiobook_id, n.role, c.id, n.position
        ), gone AS (
            DELETE FROM credits k WHERE k.audiobook_id = ANY(%(ids)s) AND NOT EXISTS (
                SELECT FROM said s WHERE s.audiobook_id = k.audiobook_id AND s.role = k.role
                                     AND s.contributor_id = k.contributor_id)
        )
        INSERT INTO credits (audiobook_id, contributor_id, role, position)
        SELECT audiobook_id, contributor_id, role, position FROM said
        ON CONFLICT (audiobook_id, role, contributor_id) DO UPDATE SET position = EXCLUDED.position
        """,
        parameters,
    )
    if met:
        tell_of_others(met, _sightings(changes), now)
        refresh_authors({asin for _, asin in met})


def _sightings(changes: Mapping[Row, Change]) -> list[Sighting]:
    """The authors with ASINs on changed audiobooks."""
    return [
        Sighting(row.place[0], credit.asin, credit.name, change.facts.title or "")
        for row, change in changes.items()
        for credit in change.facts.credits
        if credit.role == "author" and credit.asin
    ]


def _insert_contributors(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    """Insert the people not yet known; returns the (name_key, asin) that watches may yet learn.

    Those are of new people, of known ones who go by another name than where we met them, and of
    those whom we did not know as authors.
    """
    return sql.rows(
        """
        WITH said AS (
            SELECT * FROM jsonb_to_recordset(%(credits)s) AS n(asin text, name text, name_key text,
                                                                       role text)
        ), new AS (
            INSERT INTO contributors (asin, name, name_key)
            SELECT DISTINCT ON (coalesce(n.asin, ''), CASE WHEN n.asin IS NULL THEN n.name_key END)
                   n.asin, n.name, n.name_key
            FROM said n
            WHERE NOT EXISTS (SELECT FROM contributors c WHERE c.asin = n.asin
                              OR (n.asin IS NULL AND c.asin IS NULL AND c.name_key = n.name_key))
            ORDER BY coalesce(n.asin, ''), CASE WHEN n.asin IS NULL THEN n.name_key END
            ON CONFLICT DO NOTHING
            RETURNING name_key, asin
        )
        SELECT name_key, asin FROM new WHERE asin IS NOT NULL
        UNION
        SELECT n.name_key, n.asin FROM said n
        JOIN contributors c ON c.asin = n.asin
        WHERE c.name_key <> n.name_key OR (n.role = 'author' AND NOT EXISTS (
              SELECT FROM credits k WHERE k.contributor_id = c.id AND k.role = 'author'))
        """,
        parameters,
    )


def link_series(changes: Mapping[Row, Change]) -> None:
    """Make the series places of changed audiobooks what the facts say."""
    places = [
        {
            "audiobook_id": row.id,
            "marketplace": row.place[0],
            "asin": place.asin,
            "title": place.title,
            "title_key": name_key(place.title),
            "bare_keys": _bare_keys(place.title),
            "sequence": place.sequence or "",
            "position": sequence_position(place.sequence or ""),
        }
        for row, change in changes.items()
        for place in change.facts.series
        if place.asin
    ]
    parameters = {"places": json.dumps(places, default=str), "ids": [row.id for row in changes]}
    found = sql.rows(
        """
        WITH said AS (
            SELECT * FROM jsonb_to_recordset(%(places)s) AS n(marketplace text, asin text, title text,
                                                              title_key text, bare_keys text[])
        ), new AS (
            INSERT INTO series (marketplace, asin, title, title_key)
            SELECT DISTINCT ON (n.marketplace, n.asin) n.marketplace, n.asin, n.title, n.title_key
            FROM said n
            WHERE NOT EXISTS (SELECT FROM series s
                              WHERE s.marketplace = n.marketplace AND s.asin = n.asin)
            ORDER BY n.marketplace, n.asin
            ON CONFLICT DO NOTHING
            RETURNING title_key, asin
        ), named AS (  -- a page without a heading met it first, and had at most its address
            UPDATE series s SET title = n.title, title_key = n.title_key
            FROM said n
            WHERE s.marketplace = n.marketplace AND s.asin = n.asin
              AND (s.title = '' AND n.title <> '' OR s.title !~ '[^[:alnum:] ]'
                   AND replace(s.title_key, ' ', '') = ANY (n.bare_keys))
        )
        SELECT title_key, asin FROM new
        UNION
        SELECT n.title_key, n.asin FROM said n
        JOIN series s ON s.marketplace = n.marketplace AND s.asin = n.asin
                         AND s.title_key <> n.title_key
        """,
        parameters,
    )
    learn_ids("series", [(title_key, asin) for title_key, asin in found if title_key])
    sql.rows(
        """
        WITH said AS (
            SELECT DISTINCT ON (n.audiobook_id, s.id) n.audiobook_id, s.id AS series_id,
                   n.sequence, n.position
            FROM jsonb_to_recordset(%(places)s) AS n(audiobook_id bigint, marketplace text,
                 asin text, sequence text, position numeric)
            JOIN series s ON s.marketplace = n.marketplace AND s.asin = n.asin
            ORDER BY n.audiobook_id, s.id
        ), gone AS (
            DELETE FROM series_entries e WHERE e.audiobook_id = ANY(%(ids)s) AND NOT EXISTS (
                SELECT FROM said s WHERE s.audiobook_id = e.audiobook_id
                                     AND s.series_id = e.series_id)
        )
        INSERT INTO series_entries (audiobook_id, series_id, sequence, position)
        SELECT audiobook_id, series_id, sequence, position FROM said
        ON CONFLICT (audiobook_id, series_id)
        DO UPDATE SET sequence = EXCLUDED.sequence, position = EXCLUDED.position
        """,
        parameters,
    )
    if places:
        _group(changes, met={asin for _, asin in found})


def _bare_keys(title: str) -> list[str]:
    """The keys, without blanks, that addresses leave of a title; none where they leave it all."""
    if _BARE.fullmatch(title):
        return []
    return [name_key(text).replace(" ", "") for text in (title, title.translate(_IN_ADDRESSES))]


def _group(changes: Mapping[Row, Change], *, met: set[str]) -> None:
    """Group the series of a page over marketplaces; `met`: those that are new or newly named."""
    lock_names("series", shared=True)
    places = {
        (row.place[0], place.asin)
        for row, change in changes.items()
        for place in change.facts.series
        if place.asin
    }
    refresh_series(met | group_series(places))


def learn_ids(kind: str, found: Iterable[tuple[str, str]]) -> None:
    """Give watches that know only a folded name the id found for it: (name key, asin) pairs."""
    pairs = [{"name": f"{kind}~{name_key}", "id": f"{kind}:{asin}"} for name_key, asin in found]
    if not pairs:
        return
    lock_names(kind, shared=True)
    sql.rows(
        """
        INSERT INTO watch_keys (key, user_id, watch_id)
        SELECT DISTINCT n.id, k.user_id, k.watch_id
        FROM jsonb_to_recordset(%s) AS n(name text, id text)
        JOIN watch_keys k ON k.key = n.name
        JOIN watches w ON w.id = k.watch_id AND w.asin = ''
        ON CONFLICT DO NOTHING
        """,
        [json.dumps(pairs)],
    )


def lock_names(kind: str, *, shared: bool = False) -> None:
    """Those who bring ids hold it shared, those who bring watches alone: one sees the other."""
    locks.lock("names", str(kind), shared=shared)


def lock_names_of(kinds: Iterable[str]) -> None:
    """Those of several kinds alone; in one order, as all who lock several."""
    locks.lock_each(*[("names", str(kind)) for kind in sorted(kinds)])
