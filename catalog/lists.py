"""What writes across watch lists: what is in one, its link, and a copy for somebody else."""

import datetime as dt
import secrets
from collections.abc import Collection, Sequence
from typing import Final

from django.db import transaction

from accounts.models import User
from accounts.refreshing import digest_of
from catalog.links import lock_names_of
from catalog.models import Watch, WatchList
from catalog.models.watch import default_event_kinds
from stalkerr import sql

LISTS_MAX: Final = 100  # of a user


class TooManyListsError(Exception):
    """You have 100 lists already; delete one."""


def make_list(*, user: User, name: str, watch_ids: Collection[int], now: dt.datetime) -> WatchList:
    """A list of some of its user's watches; others' do not get in. Raises TooManyListsError."""
    with transaction.atomic():
        # One after the other, or two could both be the last that fits.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if WatchList.objects.filter(user=user).count() >= LISTS_MAX:
            raise TooManyListsError(TooManyListsError.__doc__)
        made = WatchList.objects.create(user=user, name=name, created_at=now)
        fill(watch_list=made, watch_ids=watch_ids)
    return made


def fill(*, watch_list: WatchList, watch_ids: Collection[int]) -> None:
    """Let exactly these of its owner's watches be in a list. The caller holds its row."""
    parameters = {
        "list": watch_list.pk,
        "user": watch_list.user_id,
        "watches": sorted(watch_ids),
    }
    with transaction.atomic():
        sql.count(
            """
            DELETE FROM watch_list_entries
            WHERE watch_list_id = %(list)s AND watch_id <> ALL(%(watches)s::bigint[])
            """,
            parameters,
        )
        sql.count(
            """
            INSERT INTO watch_list_entries (watch_list_id, watch_id, user_id)
            SELECT %(list)s, w.id, w.user_id FROM watches w
            WHERE w.id = ANY(%(watches)s::bigint[]) AND w.user_id = %(user)s AND w.ended_at IS NULL
            ON CONFLICT DO NOTHING
            """,
            parameters,
        )


def share(*, watch_list: WatchList, now: dt.datetime) -> str:
    """A new link's secret, which nobody can look up later; the one before opens nothing any more."""
    secret = secrets.token_urlsafe(32)  # 256 bits
    watch_list.digest, watch_list.shared_at = digest_of(secret), now
    watch_list.save(update_fields=["digest", "shared_at"])
    return secret


def stop_sharing(*, watch_list: WatchList) -> None:
    """Its link opens nothing from the commit on."""
    watch_list.digest = watch_list.shared_at = None
    watch_list.save(update_fields=["digest", "shared_at"])


def copy_list(
    *, shared: WatchList, user: User, name: str, remind_days: Sequence[int], now: dt.datetime
) -> WatchList:
    """A list of the user's own with watches that ask for the same; what they watch already is taken.

    How the other one hears (channels, reminders, mutes) is not copied. The new watches begin with a
    baseline of their own. Raises TooManyListsError.
    """
    with transaction.atomic():
        kinds = Watch.objects.filter(in_lists__watch_list=shared).values_list("kind", flat=True)
        lock_names_of(kinds.distinct())  # an id that comes meanwhile would miss the copies
        made = make_list(user=user, name=name, watch_ids=(), now=now)
        sql.count(
            _COPY,
            {
                "shared": shared.pk,
                "list": made.pk,
                "user": user.pk,
                "event_kinds": default_event_kinds(),
                "remind_days": list(remind_days),
                "now": now,
            },
        )
    return made


_COPY: Final = """
WITH source AS MATERIALIZED (
    SELECT w.* FROM watch_list_entries e JOIN watches w ON w.id = e.watch_id
    WHERE e.watch_list_id = %(shared)s AND w.ended_at IS NULL
), known AS MATERIALIZED (
    SELECT DISTINCT ON (s.id) s.id AS source_id, m.id FROM source s
    JOIN watches m ON m.user_id = %(user)s AND m.ended_at IS NULL AND m.kind = s.kind
                      AND lower(m.query) = lower(s.query)
                      AND (m.asin = s.asin OR '' IN (m.asin, s.asin))
    ORDER BY s.id, m.id
), missing AS MATERIALIZED (
    SELECT s.*, nextval(pg_get_serial_sequence('watches', 'id')) AS new_id FROM (
        SELECT DISTINCT ON (kind, lower(query), asin) * FROM source
        WHERE id NOT IN (SELECT source_id FROM known)
        ORDER BY kind, lower(query), asin, id) s
), made AS (
    INSERT INTO watches (id, user_id, kind, query, asin, aliases, marketplaces, languages, hidden,
                         excluded_words, event_kinds, remind_days, include_announced, per_edition,
                         muted, created_at, required_keys, excluded_keys, phrase)
    SELECT new_id, %(user)s, kind, query, asin, aliases, marketplaces, languages, hidden,
           excluded_words, %(event_kinds)s, %(remind_days)s::smallint[], true, false,
           false, %(now)s, required_keys, excluded_keys, phrase
    FROM missing
), keys AS (
    INSERT INTO watch_keys (key, user_id, watch_id)
    SELECT k.key, %(user)s, m.new_id FROM missing m JOIN watch_keys k ON k.watch_id = m.id
), queries AS (
    INSERT INTO watch_queries (watch_id, marketplace, kind, query)
    SELECT m.new_id, q.marketplace, q.kind, q.query
    FROM missing m JOIN watch_queries q ON q.watch_id = m.id
)
INSERT INTO watch_list_entries (watch_list_id, watch_id, user_id)
SELECT %(list)s, id, %(user)s FROM (SELECT new_id FROM missing UNION SELECT id FROM known) w(id)
"""
