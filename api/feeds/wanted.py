"""Which titles a user's watches find: the matching statement, asked the other way round."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models.expressions import RawSQL

from catalog.marketplaces import MARKETPLACES
from notifications.matching import CONDITIONS
from stalkerr import sql

# What says nothing of when and how news is told, only of the title.
_ASKED: Final = ("ended", "language", "hidden", "required", "excluded", "phrase", "mark")

# Titles that wait for a person (catalog/brake.py) are not spoken of; nor is it for muted watches.
_FOUND: Final = f"""
SELECT n.audiobook_id FROM watches w
JOIN watch_keys k ON k.watch_id = w.id AND k.user_id = w.user_id
JOIN audiobooks a ON a.match_keys @> ARRAY[k.key COLLATE "default"]
CROSS JOIN LATERAL (
    SELECT a.id AS audiobook_id, a.work_id, a.language, a.traits, a.match_keys AS keys, a.folded,
           %s::jsonb ->> a.marketplace AS own_language) n
WHERE w.user_id = %s AND (%s::bigint IS NULL OR w.id = %s) AND NOT w.muted
  AND a.marketplace = ANY(w.marketplaces)
  AND {" AND ".join(f"({CONDITIONS[name]})" for name in _ASKED)}
  AND NOT EXISTS (SELECT FROM release_events e
                  WHERE e.audiobook_id = a.id AND e.braked_at IS NOT NULL)
"""  # noqa: S608 (no value comes from outside)


def found_by(*, user_id: int, watch_id: int | None) -> RawSQL:
    """Ids of the titles that this watch finds, or with None any of the user's."""
    own: Mapping[str, Any] = {code: each.language for code, each in MARKETPLACES.items()}
    return RawSQL(_FOUND, [sql.as_json(own), user_id, watch_id, watch_id])  # noqa: S611
