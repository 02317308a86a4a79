"""Which titles a user's watches find: the matching statement, asked the other way round."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models.expressions import RawSQL

from catalog.marketplaces import MARKETPLACES
from notifications.matching import CONDITIONS
from stalkerr import sql

# What says nothing of when and how news is told, only of the title.
_ASKED: Final = ("ended", "language", "hidden", "required", "excluded", "phrase")


def _found(watches: str, *further: str) -> str:
    """Titles that wait for a person (catalog/brake.py) are not spoken of."""
    conditions = " AND ".join(f"({CONDITIONS[name]})" for name in (*_ASKED, *further))
    return f"""
        SELECT n.audiobook_id FROM watches w
        JOIN watch_keys k ON k.watch_id = w.id AND k.user_id = w.user_id
        JOIN audiobooks a ON a.match_keys @> ARRAY[k.key COLLATE "default"]
        CROSS JOIN LATERAL (
            SELECT a.id AS audiobook_id, a.work_id, a.language, a.traits, a.match_keys AS keys,
                   a.folded, %s::jsonb ->> a.marketplace AS own_language) n
        WHERE {watches} AND a.marketplace = ANY(w.marketplaces) AND {conditions}
          AND NOT EXISTS (SELECT FROM release_events e
                          WHERE e.audiobook_id = a.id AND e.braked_at IS NOT NULL)
    """  # noqa: S608 (no value comes from outside)


_IN_LIST: Final = "w.id IN (SELECT watch_id FROM watch_list_entries WHERE watch_list_id = %s)"
# Nor is it spoken to their owner of what is muted or marked.
_OWN: Final = _found(
    f"""w.user_id = %s AND (%s::bigint IS NULL OR w.id = %s) AND (%s::bigint IS NULL OR {_IN_LIST})
        AND NOT w.muted""",
    "mark",
)
# To others: a title that is not there must not say what the owner has, or does not want to hear.
_SHARED: Final = _found(_IN_LIST)


def found_by(*, user_id: int, watch_id: int | None, list_id: int | None = None) -> RawSQL:
    """Ids of the titles that this watch, or any in this list, or with neither any of the user's finds."""
    parameters = [_own_languages(), user_id, watch_id, watch_id, list_id, list_id]
    return RawSQL(_OWN, parameters)  # noqa: S611


def found_in(*, list_id: int) -> RawSQL:
    """Ids of the titles that a shared list's watches find, whoever looks."""
    return RawSQL(_SHARED, [_own_languages(), list_id])  # noqa: S611


def _own_languages() -> str:
    own: Mapping[str, Any] = {code: each.language for code, each in MARKETPLACES.items()}
    return sql.as_json(own)
