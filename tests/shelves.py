"""A library of 100,000 audiobooks, made by a few statements, to see how they are asked for."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import transaction

from stalkerr import sql

TITLES: Final = 100_000
AUTHORS: Final = 4_000
SERIES: Final = 2_000

_STATEMENTS: Final = (
    "INSERT INTO works (title) SELECT 'Book ' || n FROM generate_series(1, %(titles)s) n",
    # One in fifty is still to come, one in a hundred has no date.
    """
    INSERT INTO audiobooks (marketplace, asin, work_id, title, subtitle, language, release_date,
        publisher, runtime_minutes, format_type, content_type, delivery_type, kind, voice, traits,
        cover_url, summary, sku, isbn, url, genres, metadata, provenance, work_keys, work_due,
        work_pinned, match_keys, folded, search_vector, fingerprint, fetched_at, revision,
        first_seen_at)
    SELECT (ARRAY['us', 'uk', 'de', 'fr', 'ca', 'au', 'it', 'es', 'in', 'jp', 'br'])[1 + n %% 11],
           'B' || lpad(n::text, 9, '0'), n + (SELECT min(id) - 1 FROM works), 'Book ' || n, '',
           'english', CASE WHEN n %% 100 > 0
                      THEN %(now)s::date - (n %% 5000) + CASE WHEN n %% 50 = 1 THEN 5100 ELSE 0 END END,
           'Press ' || n %% 300, 600, '', '', '', 'single', 'human', '{}', '', repeat('Sand. ', 20),
           '', '', '', '[]', '{}', 'audible_api', '{}', false, false,
           ARRAY['publisher~press ' || n %% 300, 'genre:' || n %% 400],
           ' book ' || md5(n::text) || ' ',
           setweight(to_tsvector('simple', 'book ' || md5(n::text) || ' w' || n %% 3000), 'A'),
           '', %(now)s, 1, %(now)s
    FROM generate_series(1, %(titles)s) n
    """,
    """
    INSERT INTO contributors (name, name_key)
    SELECT 'Author ' || n, 'author ' || n FROM generate_series(1, %(authors)s) n
    """,
    """
    INSERT INTO credits (audiobook_id, contributor_id, role, position)
    SELECT a.id, (SELECT min(id) FROM contributors) + (a.id * k * 7919) %% %(authors)s,
           (ARRAY['author', 'narrator'])[k], k
    FROM audiobooks a, generate_series(1, 2) k
    """,
    """
    INSERT INTO series (marketplace, asin, title, title_key)
    SELECT 'us', 'S' || lpad(n::text, 9, '0'), 'Series ' || n, 'series ' || n
    FROM generate_series(1, %(series)s) n
    """,
    """
    INSERT INTO series_entries (series_id, audiobook_id, sequence, position)
    SELECT (SELECT min(id) FROM series) + a.id %% %(series)s, a.id, a.id %% 40, a.id %% 40
    FROM audiobooks a WHERE a.id %% 3 = 0
    """,
    """
    INSERT INTO audiobook_checks (audiobook_id, last_checked_at)
    SELECT id, %(now)s::timestamptz - id * interval '1 second' FROM audiobooks
    """,
    """
    INSERT INTO release_events (audiobook_id, kind, revision, seen_at, found_late, unconfirmed,
                                fanned_through, published_seq)
    SELECT id, 'announced', 1, %(now)s, false, false, 1, row_number() OVER (ORDER BY id)
    FROM audiobooks
    """,
    "ANALYZE works, audiobooks, contributors, credits, series, series_entries",
    "ANALYZE audiobook_checks, release_events",
)


@contextmanager
def library(now: dt.datetime, titles: int = TITLES) -> Iterator[None]:
    """The tables so filled, for all connections, and empty again afterwards."""
    numbers = {"titles": titles, "authors": AUTHORS, "series": SERIES, "now": now}
    try:
        with transaction.atomic():
            for statement in _STATEMENTS:
                sql.rows(statement, numbers)
        yield
    finally:
        sql.rows("TRUNCATE works, contributors, series RESTART IDENTITY CASCADE")
