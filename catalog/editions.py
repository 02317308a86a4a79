"""Works and their editions as they are stored: who may belong together, and moving them there."""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import F, Func, Value

from catalog.joining import KnownWorks
from catalog.main_title import main_title
from catalog.models import Audiobook, ReleaseEvent, Work
from catalog.works import REISSUE, Edition, places, real_people
from stalkerr import sql

# Works, and the works of which they become part (%(moved)s: as_rows).
MOVED = "moved AS (SELECT * FROM jsonb_to_recordset(%(moved)s) AS m(work bigint, home bigint))"


# The LATERALs with OFFSET 0 look each key up in its index: how rare keys are, the planner can't know,
# and for many of them it would read the whole table.
_EDITIONS = """
WITH near AS MATERIALIZED (
    SELECT n.work_id FROM unnest(%(asins)s::text[]) AS x(asin)
    CROSS JOIN LATERAL (SELECT work_id FROM audiobooks WHERE asin = x.asin OFFSET 0) n
    UNION
    SELECT n.work_id FROM unnest(%(keys)s::text[]) AS k(key)
    CROSS JOIN LATERAL (SELECT work_id FROM audiobooks
                        WHERE work_keys @> ARRAY[k.key] OFFSET 0) n
)
SELECT a.id, a.work_id, a.marketplace, a.asin, a.title, a.subtitle, a.work_keys, a.language,
    a.runtime_minutes, a.release_date, a.traits, a.work_pinned,
    ARRAY(SELECT c.name FROM credits k JOIN contributors c ON c.id = k.contributor_id
          WHERE k.audiobook_id = a.id AND k.role = 'narrator'),
    ARRAY(SELECT ARRAY[s.title_key, e.sequence] FROM series_entries e
          JOIN series s ON s.id = e.series_id
          WHERE e.audiobook_id = a.id AND e.sequence <> '')
FROM near
CROSS JOIN LATERAL (SELECT * FROM audiobooks WHERE work_id = near.work_id OFFSET 0) a
ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class Due:
    """An audiobook whose facts changed so that it may be an edition of another work."""

    id: int
    work: int
    asin: str
    keys: list[str]
    runtime_minutes: int | None


def known_works(*, asins: Collection[str], keys: Collection[str]) -> KnownWorks:
    """Every work that has an edition of one of these ASINs or work keys, with all its editions."""
    rows = sql.rows(_EDITIONS, {"asins": list(asins), "keys": list(keys)})
    works = KnownWorks()
    for row in rows:
        works.add(row[1], _stored(*row))
    return works


def _stored(
    row_id: int,
    _work: int,
    marketplace: str,
    asin: str,
    title: str,
    subtitle: str,
    keys: list[str],
    language: str,
    runtime_minutes: int | None,
    release_date: dt.date | None,
    traits: list[str],
    is_pinned: bool,  # noqa: FBT001 (a column of a row)
    narrators: list[str],
    places_said: list[list[str]],
) -> Edition:
    return Edition(
        marketplace=marketplace,
        asin=asin,
        keys=frozenset(keys),
        language=language,
        runtime_minutes=runtime_minutes,
        release_date=release_date,
        traits=frozenset(traits),
        places=places(((series, sequence) for series, sequence in places_said), subtitle),
        tail=main_title(title)[1],
        narrators=real_people(narrators),
        is_pinned=is_pinned,
        id=row_id,
    )


def due_editions(*, limit: int) -> list[Due]:
    """Those whose other editions are yet to be looked for."""
    rows = sql.rows(
        """
        SELECT id, work_id, asin, work_keys, runtime_minutes FROM audiobooks
        WHERE work_due ORDER BY id LIMIT %s
        """,
        [limit],
    )
    return [Due(*row) for row in rows]


def lock_editions(*, works: Collection[int], audiobooks: Collection[int] = ()) -> None:
    """Lock these and those of these works, in the order in which pages do (catalog/records.py)."""
    sql.rows(
        """
        SELECT FROM audiobooks WHERE work_id = ANY(%s) OR id = ANY(%s)
        ORDER BY marketplace, asin FOR NO KEY UPDATE
        """,
        [list(works), list(audiobooks)],
    )


def merge_works(moved: Mapping[int, int]) -> None:
    """Make the editions and marks of each work those of another (work → the other); it is gone then.

    Of two marks of one user the later one stays; a hidden work hides what becomes part of it. The caller holds the works (catalog/births.py)
    and has seen to what else refers to them.
    """
    parameters = {"moved": as_rows(moved), "works": list(moved)}
    sql.rows(
        f"""
        WITH {MOVED}
        UPDATE audiobooks a SET work_id = m.home, hidden_at = coalesce(a.hidden_at, h.hidden_at)
        FROM moved m JOIN works h ON h.id = m.home WHERE a.work_id = m.work
        """,  # noqa: S608 (no value comes from outside)
        parameters,
    )
    sql.rows(
        f"""
        WITH {MOVED}, ranked AS (
            SELECT k.id, m.home, row_number() OVER (
                PARTITION BY m.home, k.user_id ORDER BY k.created_at DESC, k.id DESC) AS place
            FROM (SELECT * FROM moved UNION SELECT home, home FROM moved) m
            JOIN marks k ON k.work_id = m.work
        )
        DELETE FROM marks k USING ranked r WHERE k.id = r.id AND r.place > 1
        """,  # noqa: S608
        parameters,
    )
    sql.rows(
        f"WITH {MOVED} UPDATE marks k SET work_id = m.home FROM moved m WHERE k.work_id = m.work",  # noqa: S608
        parameters,
    )
    sql.rows("DELETE FROM works WHERE id = ANY(%(works)s)", parameters)


def pin(*, works: Collection[int]) -> None:
    """A person said which work these editions belong to."""
    Audiobook.objects.filter(work_id__in=works).update(work_pinned=True, work_due=False)


def give_own_work(audiobook: Audiobook) -> int | None:
    """Move an edition to a work of its own; returns it, or None where it is the only edition.

    Announcements of what is yet to come are fanned out once more: as editions of one work, some
    may not have been told at all.
    """
    old = audiobook.work_id
    if not Audiobook.objects.filter(work_id=old).exclude(id=audiobook.id).exists():
        return None
    new = Work.objects.create(title=audiobook.title)
    Audiobook.objects.filter(id=audiobook.id).update(
        work=new, traits=Func(F("traits"), Value(REISSUE), function="array_remove")
    )
    ReleaseEvent.objects.not_dropped().filter(
        audiobook__work__in=[old, new],
        audiobook__out_at=None,
        kind=ReleaseEvent.Kind.ANNOUNCED,
    ).update(fanned_out_at=None, fanned_through=0)
    return new.id


def looked_for(due: Iterable[Due], *, reissues: Collection[int]) -> None:
    """Note that the other editions of these were looked for, by the facts that were read then."""
    records = [
        {"id": each.id, "work_keys": each.keys, "runtime_minutes": each.runtime_minutes}
        for each in due
    ]
    sql.rows(
        """
        UPDATE audiobooks a SET work_due = false
        FROM jsonb_to_recordset(%s) AS r(id bigint, work_keys text[], runtime_minutes int)
        WHERE a.id = r.id AND a.work_keys = r.work_keys
          AND a.runtime_minutes IS NOT DISTINCT FROM r.runtime_minutes
        """,
        [json.dumps(records)],
    )
    sql.rows(
        "UPDATE audiobooks SET traits = traits || %s::text WHERE id = ANY(%s) AND NOT %s = ANY(traits)",
        [REISSUE, list(reissues), REISSUE],
    )


def as_rows(moved: Mapping[int, int]) -> str:
    """Works and where they went, for `MOVED`."""
    return json.dumps([{"work": work, "home": home} for work, home in moved.items()])
