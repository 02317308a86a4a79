"""A page of GET /api/upcoming, written by PostgreSQL: one statement, whoever asks it of whom."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.http import QueryDict
from django.utils.http import quote_etag
from rest_framework.utils.urls import replace_query_param

from api.catalogue import Rows
from api.rest.paging import behind, cursor_of, size_of

KEYSET: Final = ("release_date", "id")

# Of the page and one row more, which says whether there is another: how many, the texts, the last.
# The names are those of the answer, in its order (UpcomingSerializer describes them).
_PAGE: Final = """
WITH page AS MATERIALIZED (
    SELECT found.*, row_number() OVER (ORDER BY release_date, id) AS nth FROM ({found}) found
), people AS MATERIALIZED (
    SELECT k.audiobook_id AS id,
        array_agg(c.name ORDER BY k.position, k.id) FILTER (WHERE k.role = 'author') AS authors,
        array_agg(c.name ORDER BY k.position, k.id) FILTER (WHERE k.role = 'narrator') AS narrators
    FROM page JOIN credits k ON k.audiobook_id = page.id JOIN contributors c ON c.id = k.contributor_id
    GROUP BY 1
), places AS MATERIALIZED (
    SELECT e.audiobook_id AS id,
        array_agg((SELECT row_to_json(place) FROM (SELECT s.title, s.asin, e.sequence) place)
                  ORDER BY e.id) AS series
    FROM page JOIN series_entries e ON e.audiobook_id = page.id JOIN series s ON s.id = e.series_id
    GROUP BY 1
)
SELECT count(*), string_agg(row_to_json(shown)::text, ',' ORDER BY nth)
           FILTER (WHERE nth <= {size}),
       max(page.release_date) FILTER (WHERE nth = {size}), max(page.id) FILTER (WHERE nth = {size})
FROM page JOIN audiobooks a USING (id) LEFT JOIN people USING (id) LEFT JOIN places USING (id)
CROSS JOIN LATERAL (
    SELECT a.marketplace, a.asin, a.title, a.subtitle, coalesce(authors, '{{}}') AS authors,
        coalesce(narrators, '{{}}') AS narrators, coalesce(series, '{{}}') AS series,
        a.release_date, a.language, a.publisher, a.runtime_minutes, a.format_type, a.cover_url,
        a.url, a.summary,
        to_char(a.first_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            AS first_seen_at
) shown
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What to ask PostgreSQL for a page, and what to make of its one row."""

    size: int
    statement: str
    parameters: Sequence[Any] = ()

    def body(self, row: Sequence[Any], url: str) -> bytes:
        """The answer; `url` is what was asked."""
        count, texts, *last = row
        following = None
        if count > self.size:
            following = replace_query_param(url, "cursor", cursor_of(last))
        return f'{{"next":{json.dumps(following)},"results":[{texts or ""}]}}'.encode()


def page_of(rows: Rows, asked: QueryDict) -> Page:
    """The page of `rows` that a query string asks for; ValidationError where it can't be meant."""
    size = size_of(asked)
    found = behind(rows.order_by(*KEYSET), KEYSET, asked.get("cursor", "")).values_list(
        "id", "release_date"
    )
    try:
        statement, parameters = found[: size + 1].query.sql_with_params()
    except EmptyResultSet:  # nothing can be what was asked for
        return Page(size, "SELECT 0, NULL, NULL, NULL")
    text = _PAGE.format(found=statement, size=size)
    return Page(size, text, parameters)


def tag_of(body: bytes) -> str:
    """Whoever has an answer of this tag has this one."""
    return quote_etag(hashlib.blake2b(body, digest_size=16).hexdigest())
