"""Which known audiobook a title in somebody's file is.

By its ASIN, its ISBN, or its author and whole title. When in doubt none: a mark on another work
would lose its news.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from catalog.imports.row import Row
from catalog.listing import CreditLine, Listing
from catalog.normalise import fold
from catalog.works import work_keys
from stalkerr import sql

UNKNOWN: Final = "It may be heard already, but no such audiobook is known here (yet)."
SEVERAL: Final = "It may be heard already, but several works go by this name."
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    audiobook_id: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An audiobook that shares an ASIN (0), an ISBN (1), or an author and a main title (2)."""

    rank: int
    audiobook_id: int
    work_id: int
    title: str


def resolve(rows: Iterable[Row]) -> list[Found]:
    """What each of the rows is, in their order."""
    left = iter(rows)
    found: list[Found] = []
    while some := list(islice(left, _AT_ONCE)):
        candidates = _candidates(some)
        found += [choose(row, candidates[place]) for place, row in enumerate(some)]
    return found


def choose(row: Row, candidates: Sequence[Candidate]) -> Found:
    """The candidate of the best rank, if all of that rank are of one work. Pure."""
    title = fold(row.title)
    fitting = [each for each in candidates if each.rank < 2 or fold(each.title) == title]
    best = min((each.rank for each in fitting), default=0)
    of_best = [each for each in fitting if each.rank == best]
    if not of_best:
        return Found(reason=UNKNOWN)
    if len({each.work_id for each in of_best}) > 1:
        return Found(reason=SEVERAL)
    return Found(min(each.audiobook_id for each in of_best))


def _candidates(rows: Sequence[Row]) -> dict[int, list[Candidate]]:
    said = [
        {"place": place, "asin": row.asin, "keys": keys}
        for place, row in enumerate(rows)
        for keys in [list(_keys(row))]
        if row.asin or keys
    ]
    found: defaultdict[int, list[Candidate]] = defaultdict(list)
    for place, *candidate in sql.rows(
        """
        SELECT s.place, a.rank, a.id, a.work_id, a.title
        FROM jsonb_to_recordset(%s) AS s(place int, asin text, keys text[])
        CROSS JOIN LATERAL (
            SELECT 0 AS rank, b.id, b.work_id, b.title FROM audiobooks b
            WHERE b.asin = s.asin AND s.asin <> ''
            UNION ALL
            SELECT CASE WHEN EXISTS (SELECT FROM unnest(s.keys) k WHERE k LIKE 'isbn:%%'
                                     AND k = ANY(b.work_keys)) THEN 1 ELSE 2 END,
                   b.id, b.work_id, b.title
            FROM audiobooks b WHERE b.work_keys && s.keys) a
        """,
        [sql.as_json(said)],
    ):
        found[place].append(Candidate(*candidate))
    return found


def _keys(row: Row) -> Iterator[str]:
    """The keys under which a listing of this title would look for its work."""
    listing = Listing(
        marketplace=row.marketplace or "us",
        asin=row.asin,
        url="",
        title=row.title,
        isbn=row.isbn,
        credits=tuple(CreditLine(name.text, None, "author") for name in row.authors),
    )
    return (key for key in work_keys(listing) if key.startswith(("isbn:", "book:")))
