"""All that is kept of a user, part by part, in pages that PostgreSQL makes.

Each page is a statement of its own: a slow reader holds no transaction and no connection.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.db import connection

from notifications.models import Channel
from notifications.registration import shown_config
from stalkerr import sql
from stalkerr.crypto import UnreadableSecretError

PAGE: Final = 500  # rows

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the export. `select` gives its rows (with `id`), `source` where they come from.

    Every `source` ends in a condition on the owner, %(user)s: no part is without one.
    """

    name: str
    columns: tuple[str, ...]
    select: str
    source: str
    id: str = "t.id"
    complete: Callable[[list[Row]], None] = lambda rows: None


def _with_settings(rows: list[Row]) -> None:
    """Channels' settings are encrypted: PostgreSQL can't show them. Secrets stay out."""
    channels = Channel.objects.in_bulk([row["id"] for row in rows])
    for row in rows:
        try:
            row["config"] = shown_config(channels[row["id"]])
        except (KeyError, UnreadableSecretError):
            row["config"] = None


PARTS: Final = (
    Part(
        "profile",
        ("id", "email", "time_zone", "alarms", "created_at", "last_login"),
        "t.id, t.email, t.time_zone, t.alarms, t.created_at, t.last_login",
        "accounts_user t WHERE t.id = %(user)s",
    ),
    Part(
        "preferences",
        (
            *("id", "marketplaces", "languages", "hidden", "remind_days", "digest"),
            *("digest_hour", "digest_weekday", "quiet_from", "quiet_until"),
        ),
        """t.user_id AS id, t.marketplaces, t.languages, t.hidden, t.remind_days, t.digest,
           t.digest_hour, t.digest_weekday, t.quiet_from, t.quiet_until""",
        "preferences t WHERE t.user_id = %(user)s",
        id="t.user_id",
    ),
    Part(
        "watches",
        (
            *("id", "kind", "query", "asin", "aliases", "marketplaces", "languages", "hidden"),
            *("excluded_words", "event_kinds", "remind_days", "include_announced", "per_edition"),
            *("muted", "snoozed_until", "channels", "created_at"),
        ),
        """t.id, t.kind, t.query, t.asin, t.aliases, t.marketplaces, t.languages, t.hidden,
           t.excluded_words, t.event_kinds, t.remind_days, t.include_announced, t.per_edition,
           t.muted, t.snoozed_until,
           ARRAY(SELECT r.channel_id FROM routes r WHERE r.watch_id = t.id ORDER BY 1) AS channels,
           t.created_at""",
        "watches t WHERE t.ended_at IS NULL AND t.user_id = %(user)s",
    ),
    Part(
        "channels",
        (
            *("id", "kind", "name", "config", "hears_every_watch", "digest", "digest_hour"),
            *("digest_weekday", "quiet_from", "quiet_until", "headline_template", "body_template"),
            *("unconfirmed_since", "disabled_at", "disabled_reason", "created_at"),
        ),
        """t.id, t.kind, t.name, EXISTS (SELECT FROM routes r WHERE r.channel_id = t.id
           AND r.watch_id IS NULL) AS hears_every_watch, w.digest, w.hour AS digest_hour,
           w.weekday AS digest_weekday, w.quiet_from, w.quiet_until, t.headline_template,
           t.body_template, t.unconfirmed_since, t.disabled_at, t.disabled_reason, t.created_at""",
        "channels t LEFT JOIN timings w ON w.id = t.timing_id WHERE t.user_id = %(user)s",
        complete=_with_settings,
    ),
    Part(
        "marks",
        ("id", "kind", "title", "editions", "created_at"),
        """t.id, t.kind, w.title, ARRAY(SELECT a.marketplace || ' ' || a.asin FROM audiobooks a
           WHERE a.work_id = w.id ORDER BY 1) AS editions, t.created_at""",
        "marks t JOIN works w ON w.id = t.work_id WHERE t.user_id = %(user)s",
    ),
    Part(
        "deliveries",
        (
            *("id", "kind", "title", "marketplace", "asin", "new_date", "watches", "channel"),
            *("channel_kind", "state", "reason", "webhook_id", "due_at", "finished_at"),
            *("attempts", "created_at"),
        ),
        """t.id, CASE WHEN n.id IS NOT NULL THEN 'notice' WHEN p.id IS NOT NULL THEN 'book'
                      ELSE e.kind END AS kind,
           coalesce(a.title, n.subject, p.book ->> 'title') AS title, a.marketplace, a.asin,
           e.new_date, t.watch_ids AS watches, t.channel_id AS channel, t.channel_kind,
           coalesce(m.state, t.state) AS state, m.reason, m.wire_id AS webhook_id, t.due_at,
           m.finalized_at AS finished_at,
           (SELECT json_agg(json_build_object('started_at', l.started_at, 'verdict', l.verdict,
                'status', l.status, 'detail', l.detail) ORDER BY l.claim_no)
            FROM attempts l WHERE l.message_id = m.id AND l.message_at = m.created_at) AS attempts,
           t.created_at""",
        """deliveries t LEFT JOIN release_events e ON e.id = t.event_id
           LEFT JOIN audiobooks a ON a.id = e.audiobook_id
           LEFT JOIN accounts_notice n ON n.id = t.notice_id
           LEFT JOIN postings p ON p.id = t.posting_id
           LEFT JOIN messages m ON m.id = t.message_id AND m.created_at = t.message_at
           WHERE t.user_id = %(user)s""",
    ),
    Part(
        "told",
        ("id", "kind", "value", "title", "channel", "told_at", "retold_at"),
        "t.id, t.kind, t.value, w.title, t.channel_id AS channel, t.told_at, t.retold_at",
        """channels c JOIN told t ON t.channel_id = c.id JOIN works w ON w.id = t.work_id
           WHERE c.user_id = %(user)s""",
    ),
    Part(
        "notices",
        ("id", "subject", "text", "created_at"),
        "t.id, t.subject, t.text, t.created_at",
        "accounts_notice t WHERE t.user_id = %(user)s",
    ),
    Part(
        "postings",
        ("id", "book", "created_at"),
        "t.id, t.book, t.created_at",
        "postings t WHERE t.user_id = %(user)s",
    ),
    Part(
        "keys",
        ("id", "name", "prefix", "scope", "created_at", "expires_at", "last_used_at"),
        "t.id, t.name, t.prefix, t.scope, t.created_at, t.expires_at, t.last_used_at",
        "accounts_apikey t WHERE t.user_id = %(user)s",
    ),
    Part(
        "feeds",
        ("id", "name", "watch", "watch_list", "remind_days", "created_at"),
        "t.id, t.name, t.watch_id AS watch, t.list_id AS watch_list, t.remind_days, t.created_at",
        "feed_tokens t WHERE t.user_id = %(user)s",
    ),
    Part(
        "lists",
        ("id", "name", "watches", "shared_at", "created_at"),
        """t.id, t.name, ARRAY(SELECT e.watch_id FROM watch_list_entries e
                               WHERE e.watch_list_id = t.id ORDER BY 1) AS watches,
           t.shared_at, t.created_at""",
        "watch_lists t WHERE t.user_id = %(user)s",
    ),
)


def pages(part: Part, *, user_id: int) -> Iterator[list[Row]]:
    """The user's rows of a part, oldest first."""
    last = 0
    while page := _page(part, user_id=user_id, after=last):
        part.complete(page)
        yield page
        last = page[-1]["id"]
        if len(page) < PAGE:
            return


def _page(part: Part, *, user_id: int, after: int) -> list[Row]:
    # Every word of it is ours, in PARTS.
    statement = f"""
        SELECT row_to_json(r)::text FROM (
            SELECT {part.select} FROM {part.source} AND {part.id} > %(after)s
            ORDER BY {part.id} LIMIT %(page)s) r
    """  # noqa: S608
    found = sql.rows(statement, {"user": user_id, "after": after, "page": PAGE})
    if not connection.in_atomic_block:
        connection.close()  # nobody knows when the reader comes for the next page
    return [orjson.loads(text) for (text,) in found]
