"""What a watch that is not kept yet would find: how many titles, how many to come, how much news."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.marketplaces import MARKETPLACES, store_date
from catalog.models import Watch
from notifications.matching import CONDITIONS
from notifications.replays import Draft, TooMuchError, replay, with_draft
from stalkerr import sql

TITLES_MAX: Final = 10_000  # that are counted
# What says nothing of when and how news is told, only of the title.
_ASKED: Final = ("language", "hidden", "required", "excluded", "phrase", "mark")

# The watch is a parameter here, under the name of the table that the conditions speak of.
_COUNT: Final = f"""
WITH watches AS (
    SELECT * FROM jsonb_populate_record(NULL::watches, %(watch)s::jsonb)
), found AS (
    SELECT a.release_date > (%(todays)s::jsonb ->> a.marketplace)::date AS is_to_come
    FROM watches w
    JOIN audiobooks a ON a.match_keys && %(keys)s::text[] AND a.marketplace = ANY(%(marketplaces)s)
    CROSS JOIN LATERAL (
        SELECT a.work_id, a.language, a.traits, a.match_keys AS keys, a.folded,
               %(languages)s::jsonb ->> a.marketplace AS own_language) n
    WHERE a.withdrawn_at IS NULL AND a.hidden_at IS NULL AND {" AND ".join(f"({CONDITIONS[name]})" for name in _ASKED)}
      AND NOT EXISTS (SELECT FROM release_events e
                      WHERE e.audiobook_id = a.id AND e.braked_at IS NOT NULL)
    LIMIT %(most)s
)
SELECT count(*), count(*) FILTER (WHERE is_to_come) FROM found
"""  # noqa: S608 (no value comes from outside)


@dataclass(frozen=True, slots=True)
class Preview:
    """Counts; None: more than are counted, or looked through."""

    titles: int | None
    upcoming: int | None
    news: int | None


def preview(*, watch: Watch, now: dt.datetime) -> Preview:
    """What `watch`, not stored, finds now and would have told in 90 days. Asking writes nothing.

    Raises TooSlowError.
    """
    titles, upcoming = with_draft(watch, now, lambda draft: _count(draft, now))
    is_counted = titles <= TITLES_MAX
    return Preview(
        titles=titles if is_counted else None,
        upcoming=upcoming if is_counted else None,
        news=_news(watch, now),
    )


def _news(watch: Watch, now: dt.datetime) -> int | None:
    try:
        return len([each for each in replay(watch=watch, now=now) if each.end == "sent"])
    except TooMuchError:
        return None


def _count(draft: Draft, now: dt.datetime) -> Sequence[Any]:
    (counted,) = sql.rows(
        _COUNT,
        {
            "watch": draft.row,
            "keys": draft.keys,
            "marketplaces": draft.watch.marketplaces,
            "languages": sql.as_json({code: each.language for code, each in MARKETPLACES.items()}),
            "todays": sql.as_json({code: str(store_date(code, now)) for code in MARKETPLACES}),
            "most": TITLES_MAX + 1,
        },
    )
    return counted
