"""Who hears of news: one statement from match keys to deliveries, for many events at once.

The same statement promises a batch of small news, a chunk of users of large news, fans out again
for one user, and says after an edit what is still wanted. Candidates come from an index join on
match keys; the LATERALs with OFFSET 0 keep the planner from scanning all watches instead. All else
is a predicate on candidates. `n` is one piece of news with its range of users, `w` a watch.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import transaction

from catalog.marketplaces import MARKETPLACES
from catalog.models import ReleaseEvent
from stalkerr import figures, sql

ALL_USERS = 2**63 - 1

# What a watch that shares a key must fulfil besides. `q`: since when it is heard in that marketplace.
CONDITIONS = {
    "ended": "w.ended_at IS NULL",
    # a reminder is wanted by its days, all else by its kind
    "event_kind": """n.kind = ANY(w.event_kinds)
        OR (n.kind = 'reminder' AND n.days_before = ANY(w.remind_days))""",
    # younger than the event: it does not take part, nor during its baseline
    "age": "q.active_from <= n.seen_at",
    # a title that was there before the watch: only if asked for, and if not out by then
    "announced_before": """q.active_from <= n.first_seen_at OR (w.include_announced AND coalesce(
        n.planned_date >= (q.active_from AT TIME ZONE n.zone)::date, true))""",
    # one title that was asked for by its ASIN is wanted whatever it is
    "language": """w.kind = 'asin' OR n.language = '' OR w.languages && ARRAY['any', n.language]
        OR (w.languages = '{}' AND n.language = n.own_language)""",
    "shown": "NOT n.is_hidden",  # to anybody: staff have not hidden it
    "hidden": "w.kind = 'asin' OR NOT w.hidden && n.traits",
    "required": "w.required_keys <@ n.keys",
    "excluded": "NOT w.excluded_keys && n.keys",
    "phrase": "w.phrase = '' OR strpos(n.folded, w.phrase) > 0",
    "mark": "NOT EXISTS (SELECT FROM marks m WHERE m.work_id = n.work_id AND m.user_id = w.user_id)",
}
# Heard there since the first of its queries is.
HEARD_SINCE = """CROSS JOIN LATERAL (
        SELECT min(wq.active_from) AS active_from FROM watch_queries wq
        WHERE wq.watch_id = w.id AND wq.marketplace = n.marketplace
        OFFSET 0) q"""
NEWS = """
news AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(news)s) AS n(event_id bigint, kind text, value text,
        seen_at timestamptz, days_before int, planned_date date, audiobook_id bigint,
        work_id bigint, marketplace text, zone text, first_seen_at timestamptz, language text,
        own_language text, traits text[], keys text[], folded text, is_hidden boolean, after bigint, through bigint)
)"""

_ROUTED = f"""
{NEWS}, matched AS (
    SELECT n.event_id, w.id AS watch_id, w.user_id, w.per_edition, w.muted,
           greatest(%(now)s, coalesce(w.snoozed_until, %(now)s)) AS due_at
    FROM news n
    CROSS JOIN LATERAL unnest(n.keys) AS k(key)
    CROSS JOIN LATERAL (
        SELECT wk.watch_id FROM watch_keys wk
        WHERE wk.key = k.key COLLATE "C" AND wk.user_id > n.after AND wk.user_id <= n.through
        OFFSET 0) c
    CROSS JOIN LATERAL (SELECT * FROM watches w WHERE w.id = c.watch_id OFFSET 0) w
    {HEARD_SINCE}
    WHERE {" AND ".join(f"({asked})" for asked in CONDITIONS.values())}
), routed AS (
    SELECT m.*, r.channel_id, r.event_kinds FROM matched m
    JOIN routes r ON r.user_id = m.user_id AND r.watch_id = m.watch_id
    UNION ALL
    SELECT m.*, r.channel_id, r.event_kinds FROM matched m
    JOIN routes r ON r.user_id = m.user_id AND r.watch_id IS NULL
    WHERE NOT EXISTS (SELECT FROM routes own WHERE own.watch_id = m.watch_id)
), heard AS (
    SELECT DISTINCT r.event_id, r.channel_id, r.watch_id, r.user_id, r.per_edition, r.muted, r.due_at
    FROM routed r JOIN news n ON n.event_id = r.event_id
    WHERE cardinality(r.event_kinds) = 0 OR n.kind = ANY(r.event_kinds) OR n.kind = 'reminder'
)"""  # noqa: S608 (no value comes from outside)

# When a channel's digest is due: notifications/wishes.py, by row of `timings`.
DIGESTS = "jsonb_to_recordset(%(digests)s) AS g(timing_id bigint, due_at timestamptz)"

_PROMISE = f"""
WITH {_ROUTED}, offered AS MATERIALIZED (
    SELECT n.work_id, h.channel_id, CASE WHEN h.per_edition THEN n.audiobook_id END AS audiobook_id,
           n.kind, n.value, n.event_id
    FROM heard h JOIN news n ON n.event_id = h.event_id
    GROUP BY n.work_id, h.user_id, h.channel_id, h.per_edition, n.event_id, n.audiobook_id, n.kind,
             n.value
    -- in one order everywhere, or two events of one work would wait for each other in a ring
    ORDER BY n.work_id, h.user_id, h.channel_id, h.per_edition, n.event_id
), remembered AS (
    INSERT INTO told (work_id, channel_id, audiobook_id, kind, value, event_id, told_at)
    SELECT work_id, channel_id, audiobook_id, kind, value, event_id, %(now)s FROM offered
    ON CONFLICT (work_id, channel_id, audiobook_id, kind, value) DO NOTHING
    RETURNING event_id, channel_id, audiobook_id
), promised AS (
INSERT INTO deliveries (event_id, source_at, user_id, channel_id, channel_kind, destination_id,
                        watch_ids, state, due_at, in_digest, created_at)
SELECT h.event_id, n.seen_at, h.user_id, h.channel_id, c.kind, c.destination_id,
       array_agg(DISTINCT h.watch_id),
       CASE WHEN c.disabled_at IS NULL AND c.unconfirmed_since IS NULL
            THEN 'pending' ELSE 'held' END,
       greatest(min(h.due_at), g.due_at), g.due_at IS NOT NULL, %(now)s
FROM heard h
JOIN news n ON n.event_id = h.event_id
JOIN channels c ON c.id = h.channel_id
LEFT JOIN {DIGESTS} ON g.timing_id = c.timing_id
-- Looked up in a hash, by the coalesce: a join would be planned for a few rows, row by row with each.
WHERE NOT h.muted AND coalesce((h.event_id, h.channel_id, h.per_edition) IN (
    SELECT event_id, channel_id, audiobook_id IS NOT NULL FROM remembered), false)
GROUP BY h.event_id, n.seen_at, h.channel_id, h.user_id, c.kind, c.destination_id, c.disabled_at,
         c.unconfirmed_since, g.due_at
ON CONFLICT (event_id, channel_id, source_at) DO UPDATE
SET state = EXCLUDED.state, watch_ids = EXCLUDED.watch_ids, due_at = EXCLUDED.due_at,
    in_digest = EXCLUDED.in_digest, destination_id = EXCLUDED.destination_id
WHERE deliveries.state = 'cancelled'
)
SELECT (SELECT count(*) FROM offered) - (SELECT count(*) FROM remembered)
"""  # noqa: S608 (no value comes from outside)

_WANTED = f"""
WITH {_ROUTED}
SELECT h.channel_id, h.watch_id, greatest(h.due_at, g.due_at), g.due_at IS NOT NULL
FROM heard h JOIN channels c ON c.id = h.channel_id
LEFT JOIN {DIGESTS} ON g.timing_id = c.timing_id
WHERE NOT h.muted
"""  # noqa: S608

# How many candidates a piece of news has over all keys, counted to `rows`, and the user of the
# last of these: each key's scan stops there.
_CANDIDATES = """
SELECT n.event_id, c.candidates, c.through
FROM jsonb_to_recordset(%(news)s) AS n(event_id bigint, keys text[], after bigint)
CROSS JOIN LATERAL (
    SELECT count(*) AS candidates, max(user_id) FILTER (WHERE place = %(rows)s) AS through
    FROM (SELECT u.user_id, row_number() OVER (ORDER BY u.user_id) AS place
          FROM unnest(n.keys) AS k(key)
          CROSS JOIN LATERAL (
              SELECT wk.user_id FROM watch_keys wk
              WHERE wk.key = k.key COLLATE "C" AND wk.user_id > n.after
              ORDER BY wk.user_id LIMIT %(rows)s) u
          LIMIT %(rows)s) numbered) c
"""

Digests = Mapping[int, dt.datetime]  # by Timing: when its channels' next digest is due


@dataclass(frozen=True, slots=True)
class Want:
    """A (channel, watch) pair that wants a piece of news: from when on, and whether in a digest."""

    due_at: dt.datetime
    in_digest: bool


@dataclass(frozen=True, slots=True)
class Matcher:
    """A piece of news with all that matching asks of it and of its audiobook."""

    facts: Mapping[str, Any]

    def wanted(
        self, *, user_id: int, now: dt.datetime, digests: Digests | None = None
    ) -> dict[tuple[int, int], Want]:
        """The (channel, watch) pairs of one user that want this event as things stand."""
        parameters = asked([Range(self, user_id - 1, user_id)], now=now, digests=digests)
        return {
            (channel_id, watch_id): Want(due_at, in_digest)
            for channel_id, watch_id, due_at, in_digest in sql.rows(_WANTED, parameters)
        }


@dataclass(frozen=True, slots=True)
class Range:
    """A piece of news, for users in (after, through]."""

    match: Matcher
    after: int = 0
    through: int = ALL_USERS


def chunked(ranges: Sequence[Range], *, rows: int) -> list[Range]:
    """The first of these with about `rows` candidates in all, the last of them cut where it must be.

    The first alone may have more than that: it is cut at the `rows`-th candidate's user.
    """
    news = [
        {**{name: each.match.facts[name] for name in ("event_id", "keys")}, "after": each.after}
        for each in ranges
    ]
    found = sql.rows(_CANDIDATES, {"news": sql.as_json(news), "rows": rows})
    counted = {event_id: (candidates, through) for event_id, candidates, through in found}
    taken: list[Range] = []
    left = rows
    for each in ranges:
        candidates, through = counted[each.match.facts["event_id"]]
        left -= candidates
        if taken and left < 0:
            break
        taken.append(replace(each, through=through or ALL_USERS))
    return taken


def promise(ranges: Sequence[Range], *, now: dt.datetime, digests: Digests) -> None:
    """Insert what users in these ranges are to be told and have not been, in one statement.

    Of one audiobook there is one piece of news at most: what is older goes first.
    """
    ((prevented,),) = sql.rows(_PROMISE, asked(ranges, now=now, digests=digests))
    transaction.on_commit(partial(figures.DUPLICATES.inc, prevented))


def asked(
    ranges: Iterable[Range], *, now: dt.datetime | None = None, digests: Digests | None = None
) -> dict[str, Any]:
    """The parameters of a statement that begins with NEWS."""
    news = [{**each.match.facts, "after": each.after, "through": each.through} for each in ranges]
    return {
        "news": sql.as_json(news),
        "digests": digest_rows(digests or {}),
        "now": now,
    }


def digest_rows(digests: Digests) -> str:
    """The parameter that statements join to say when a channel's digest is due."""
    rows = [{"timing_id": timing, "due_at": due_at} for timing, due_at in digests.items()]
    return sql.as_json(rows)


# All of an event and its audiobook that `matcher` reads.
FIELDS = (
    *("kind", "revision", "seen_at", "days_before", "old_date", "new_date", "fanned_through"),
    *("audiobook__work", "audiobook__marketplace", "audiobook__release_date"),
    *("audiobook__first_seen_at", "audiobook__language", "audiobook__traits"),
    *("audiobook__match_keys", "audiobook__folded", "audiobook__hidden_at"),
)


def matcher(event: ReleaseEvent) -> Matcher:
    """`event` with its audiobook loaded (FIELDS)."""
    audiobook = event.audiobook
    return Matcher(
        {
            "event_id": event.id,
            "kind": event.kind,
            "value": event.value,
            "seen_at": event.seen_at,
            "days_before": event.days_before,
            "planned_date": event.old_date or audiobook.release_date,
            "audiobook_id": audiobook.id,
            "work_id": audiobook.work_id,
            "marketplace": audiobook.marketplace,
            "zone": str(MARKETPLACES[audiobook.marketplace].zone),
            "first_seen_at": audiobook.first_seen_at,
            "language": audiobook.language,
            "own_language": MARKETPLACES[audiobook.marketplace].language,
            "traits": audiobook.traits,
            "keys": audiobook.match_keys,
            "folded": audiobook.folded,
            "is_hidden": audiobook.hidden_at is not None,
        }
    )
