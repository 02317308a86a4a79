"""The way of one piece of news, by its trace id: visit, events, deliveries, messages, attempts.

Reads only, and no addresses. What is many (a release with a million listeners) is counted, and
the first of it is shown.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stalkerr import sql

SHOWN: Final = 20  # rows of each sort


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened; `facts` say what of it is worth knowing."""

    at: dt.datetime
    what: str
    facts: Mapping[str, Any]


def trace_of(named: str) -> str | None:
    """The trace of an event (its public number, `published_seq`) or of a message (its wire id)."""
    if named.isascii() and named.isdecimal() and len(named) < 19:  # of a bigint
        rows = sql.rows(
            "SELECT trace_id::text FROM release_events WHERE published_seq = %s", [int(named)]
        )
        return rows[0][0] if rows else None
    try:
        wire_id = uuid.UUID(named)
    except ValueError:
        return None
    return _trace_of_message(wire_id) or wire_id.hex


def _trace_of_message(wire_id: uuid.UUID) -> str | None:
    rows = sql.rows(
        """
        SELECT e.trace_id::text FROM messages m
        JOIN deliveries d ON d.message_id = m.id JOIN release_events e ON e.id = d.event_id
        WHERE m.wire_id = %s AND e.trace_id IS NOT NULL LIMIT 1
        """,
        [wire_id],
    )
    return rows[0][0] if rows else None


def follow(trace_id: str) -> list[Step]:
    """All that came of a trace, in the order in which it happened."""
    steps = [
        Step(at, what, {name: fact for name, fact in facts.items() if fact is not None})
        for statement, names in _STEPS
        for at, what, facts in _steps(statement, names, trace_id)
    ]
    return sorted(steps, key=lambda step: step.at)


def _steps(
    statement: str, names: tuple[str, ...], trace_id: str
) -> Iterator[tuple[dt.datetime, str, dict[str, Any]]]:
    rows = sql.rows(statement, {"trace_id": trace_id, "shown": SHOWN + 1})
    for at, what, *facts in rows[:SHOWN]:
        yield at, what, dict(zip(names, facts, strict=True))
    if len(rows) > SHOWN:
        last_at, what, *_ = rows[SHOWN]
        yield last_at, what, {"and": f"more than {SHOWN}: the first of them are shown"}


_OF_TRACE = """
    release_events e JOIN deliveries d ON d.event_id = e.id AND d.source_at = e.seen_at
"""
_STEPS: Final = (
    (
        """
        SELECT v.finished_at, 'visit', v.id, t.marketplace, t.kind, v.source, v.outcome, v.products,
               v.new, v.changed
        FROM visits v JOIN targets t ON t.id = v.target_id
        WHERE v.trace_id = %(trace_id)s ORDER BY v.id LIMIT %(shown)s
        """,
        ("visit", "marketplace", "target", "source", "outcome", "products", "new", "changed"),
    ),
    (
        """
        SELECT e.seen_at, 'event', e.published_seq, e.kind, a.marketplace, a.asin, a.title,
               CASE WHEN e.fanned_out_at IS NOT NULL THEN 'told to all' ELSE 'being told' END
        FROM release_events e JOIN audiobooks a ON a.id = e.audiobook_id
        WHERE e.trace_id = %(trace_id)s ORDER BY e.id LIMIT %(shown)s
        """,
        ("event", "kind", "marketplace", "asin", "title", "state"),
    ),
    (
        f"""
        SELECT d.created_at, 'delivery', d.id, e.published_seq, d.channel_id, d.channel_kind, d.state
        FROM {_OF_TRACE} WHERE e.trace_id = %(trace_id)s ORDER BY d.id LIMIT %(shown)s
        """,  # noqa: S608 (words of ours)
        ("delivery", "event", "channel", "kind", "state"),
    ),
    (
        f"""
        SELECT DISTINCT t.started_at, 'attempt', m.wire_id::text, m.channel_id, t.claim_no, t.verdict,
               t.status, t.duration_ms, m.state
        FROM {_OF_TRACE} JOIN messages m ON m.id = d.message_id AND m.created_at = d.message_at
        JOIN attempts t ON t.message_id = m.id AND t.message_at = m.created_at
        WHERE e.trace_id = %(trace_id)s ORDER BY 1 LIMIT %(shown)s
        """,  # noqa: S608 (words of ours)
        ("message", "channel", "attempt", "verdict", "status", "ms", "state"),
    ),
)
