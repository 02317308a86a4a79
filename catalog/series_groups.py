"""One series over marketplaces: same title, and a work or an author's ASIN in common."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from catalog.marketplaces import MARKETPLACES
from stalkerr import sql

Place = tuple[str, str]  # (marketplace, asin of the series)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two series that are one; `groups`: those they are in so far."""

    ids: tuple[int, int]
    groups: frozenset[int]
    title: str


@dataclass(frozen=True, slots=True)
class Group:
    """Series that belong together; `groups`: what they were in so far, the lowest of them stays."""

    ids: frozenset[int]
    groups: frozenset[int]
    title: str

    def __add__(self, other: "Group") -> "Group":
        return Group(self.ids | other.ids, self.groups | other.groups, self.title)


def joined(pairs: Iterable[Pair]) -> list[Group]:
    """The groups that pairs come to: what has a series or a group in common is one. Pure."""
    found: list[Group] = []
    for pair in pairs:
        whole = Group(frozenset(pair.ids), pair.groups, pair.title)
        apart = []
        for group in found:
            if whole.ids & group.ids or whole.groups & group.groups:
                whole = group + whole
            else:
                apart.append(group)
        found = [*apart, whole]
    return found


def group_series(places: Collection[Place]) -> set[str]:
    """Group the series of a page with others of their title; returns the ASINs of changed groups.

    Of two pages that bring one series each at the same moment, one waits here for the other. Their
    entries are in place, and whoever takes the names lock has taken it before.
    """
    _lock(places)
    pairs = _pairs(places)
    return _write(joined(pairs)) if pairs else set()


def _lock(places: Collection[Place]) -> None:
    """Wait for whoever looks at the same titles or ASINs; its own statement, as all locks."""
    sql.rows(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('series ' || n.key, 0))
        FROM (SELECT s.title_key AS key FROM series s
              WHERE (s.marketplace, s.asin) IN (SELECT * FROM unnest(%(codes)s::text[], %(asins)s::text[]))
              UNION SELECT unnest(%(asins)s::text[]) ORDER BY 1 OFFSET 0) n
        """,
        _parameters(places),
    )


def _pairs(places: Collection[Place]) -> list[Pair]:
    rows = sql.rows(
        """
        SELECT s.id, o.id, s.group_id, o.group_id, s.title
        FROM series s
        JOIN series o ON o.title_key = s.title_key AND o.id <> s.id
             AND (s.group_id IS NULL OR o.group_id IS DISTINCT FROM s.group_id)
        WHERE (s.marketplace, s.asin) IN (SELECT * FROM unnest(%(codes)s::text[], %(asins)s::text[]))
          AND s.title_key <> ''
          AND (EXISTS (
                SELECT a.work_id FROM series_entries e JOIN audiobooks a ON a.id = e.audiobook_id
                WHERE e.series_id = s.id
                INTERSECT
                SELECT a.work_id FROM series_entries e JOIN audiobooks a ON a.id = e.audiobook_id
                WHERE e.series_id = o.id)
            OR EXISTS (
                SELECT c.id FROM series_entries e JOIN credits k USING (audiobook_id)
                JOIN contributors c ON c.id = k.contributor_id AND c.asin IS NOT NULL
                WHERE e.series_id = s.id AND k.role = 'author'
                INTERSECT
                SELECT k.contributor_id FROM series_entries e JOIN credits k USING (audiobook_id)
                WHERE e.series_id = o.id AND k.role = 'author'))
        """,
        _parameters(places),
    )
    return [
        Pair((one, other), frozenset(group for group in groups if group), title)
        for one, other, *groups, title in rows
    ]


def _parameters(places: Collection[Place]) -> dict[str, list[str]]:
    ordered = sorted(places)
    return {"codes": [place[0] for place in ordered], "asins": [place[1] for place in ordered]}


def _write(groups: Iterable[Group]) -> set[str]:
    """Give each group one row, the series that were in others with it; returns their ASINs."""
    records = [
        {
            "kept": min(group.groups, default=None),
            "title": group.title,
            "ids": sorted(group.ids),
            "groups": sorted(group.groups),
        }
        for group in groups
    ]
    rows = sql.rows(
        """
        WITH wanted AS (
            SELECT coalesce(kept, nextval(pg_get_serial_sequence('series_groups', 'id'))) AS id,
                   kept IS NULL AS is_new, title, ids, groups
            FROM jsonb_to_recordset(%s) AS n(kept bigint, title text, ids bigint[], groups bigint[])
        ), born AS (
            INSERT INTO series_groups (id, title) SELECT id, title FROM wanted WHERE is_new
        ), emptied AS (
            DELETE FROM series_groups g USING wanted w WHERE g.id = ANY(w.groups) AND g.id <> w.id
        )
        UPDATE series s SET group_id = w.id
        FROM wanted w WHERE s.id = ANY(w.ids) OR s.group_id = ANY(w.groups)
        RETURNING s.asin
        """,
        [json.dumps(records)],
    )
    return {asin for (asin,) in rows}


def places_of(asins: Iterable[str]) -> dict[str, set[Place]]:
    """By a series' ASIN: where it and the rest of its group are sold; nothing if we never met it."""
    rows = sql.rows(
        """
        WITH met AS (
            SELECT id, asin, marketplace, group_id FROM series
            WHERE marketplace = ANY(%(codes)s) AND asin = ANY(%(asins)s)
        )
        SELECT asin, marketplace, asin FROM met
        UNION
        SELECT m.asin, s.marketplace, s.asin FROM met m JOIN series s ON s.group_id = m.group_id
        """,
        {"codes": list(MARKETPLACES), "asins": sorted(set(asins))},
    )
    found: defaultdict[str, set[Place]] = defaultdict(set)
    for asin, *place in rows:
        found[asin].add((place[0], place[1]))
    return dict(found)
