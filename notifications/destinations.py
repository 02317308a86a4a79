"""How much a destination may be given: its breaker, its share, its budget for retries.

A breaker opens after so many contacts in a row that came to nothing, for a pause that doubles;
after it one message alone finds out how things are. Failed retries cost credit, which comes back
with success and with time: a host in trouble is not kept there by our retries.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notifications.channels.base import Outcome, Verdict
from notifications.models.channel import RETRY_CREDIT
from stalkerr import sql

AT_ONCE = 32  # under way to one destination, over all workers
BREAKER_AFTER = 5
BREAKER_FIRST = dt.timedelta(minutes=1)
BREAKER_LONGEST = dt.timedelta(hours=1)
CREDIT_EVERY = dt.timedelta(seconds=15)  # a failed retry's worth comes back by itself
CREDIT_OF_SUCCESS = 0.1

# -- what a statement asks of a destination `t` at `now` ----------------------------------------
IS_SPARED = "coalesce(t.open_until > %(now)s, false)"
_UNDER_WAY = "FROM messages m WHERE m.destination_id = t.id AND m.state = 'sending'"
# How many more messages it takes: of one in trouble, a single one finds out how things are.
ROOM = f"""(CASE WHEN {IS_SPARED} THEN 0 WHEN t.failures >= {BREAKER_AFTER} THEN 1 ELSE {AT_ONCE} END
    - (SELECT count(*) {_UNDER_WAY}))"""
_CREDIT = f"""least({RETRY_CREDIT}, t.retry_credit + coalesce(
    extract(epoch FROM %(now)s - t.credited_at), 0) / {CREDIT_EVERY.total_seconds()})"""
# How many more retries it may cost: those under way may all fail.
RETRIES = f"""(floor({_CREDIT}) - (SELECT count(*) {_UNDER_WAY} AND m.tries > 0))"""

# In one order everywhere; whoever refers to it (a new message) does not wait for us.
_LOCK = "SELECT FROM destinations WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE"
# A statement of its own: what others did while we waited for the lock is counted.
_ROOMS = f"SELECT t.id, {ROOM}, {RETRIES} FROM destinations t WHERE t.id = ANY(%(ids)s)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Room:
    """How many more messages a destination takes just now, and how many of them may be retries."""

    messages: int
    retries: int


def lock_rooms(ids: Iterable[int], *, now: dt.datetime) -> dict[int, Room]:
    """The rooms of these destinations, which nobody else gives anything until the commit."""
    parameters = {"ids": sorted(set(ids)), "now": now}
    if not parameters["ids"]:
        return {}
    sql.rows(_LOCK, parameters)
    rows = sql.rows(_ROOMS, parameters)
    return {
        destination_id: Room(max(0, messages), max(0, min(messages, int(retries))))
        for destination_id, messages, retries in rows
    }


@dataclass(frozen=True, slots=True)
class Contact:
    """What one attempt told of a channel's destination."""

    channel_id: int
    outcome: Outcome
    state: str  # of its message now
    is_retry: bool
    was_made: bool = True  # False where we never got so far as to ask


def note_contacts(contacts: Sequence[Contact], *, now: dt.datetime) -> None:
    """Count for metrics, open or close the breakers, and keep the retry budgets."""
    if contacts:
        rows = [_row(each) for each in contacts]
        sql.rows(
            _NOTE,
            {
                "contacts": json.dumps(rows),
                "now": now,
                "first": BREAKER_FIRST,
                "longest": BREAKER_LONGEST,
            },
        )


# A breaker that tripped closes with the first answer; what was asked for by Retry-After stays.
_NOTE = f"""
WITH contacts AS (
    SELECT c.destination_id, count(*) FILTER (WHERE n.state = 'sent') AS sent,
           count(*) FILTER (WHERE n.state = 'failed') AS failed, bool_or(n.answered) AS answered,
           count(*) FILTER (WHERE n.was_made) AS contacts, max(n.wait_s) AS wait_s,
           sum(n.credit) AS credit
    FROM jsonb_to_recordset(%(contacts)s) AS n(channel_id bigint, state text, answered boolean,
         was_made boolean, wait_s float, credit float)
    JOIN channels c ON c.id = n.channel_id GROUP BY c.destination_id
), locked AS MATERIALIZED (
    SELECT t.id, c.sent, c.failed, c.wait_s, c.answered,
           CASE WHEN c.answered THEN 0 ELSE t.failures + c.contacts END AS failures,
           NOT c.answered AND c.contacts > 0 AND t.failures + c.contacts >= {BREAKER_AFTER} AND NOT {IS_SPARED} AS trips,
           least({RETRY_CREDIT}, greatest(0, c.credit + {_CREDIT})) AS credit
    FROM destinations t JOIN contacts c ON c.destination_id = t.id
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE destinations t SET failures = l.failures,
    sent_total = t.sent_total + l.sent, failed_total = t.failed_total + l.failed,
    retry_credit = l.credit, credited_at = %(now)s,
    trips = CASE WHEN l.answered THEN 0 WHEN l.trips THEN t.trips + 1 ELSE t.trips END,
    open_until = greatest(
        CASE WHEN NOT (l.answered AND t.trips > 0) THEN t.open_until END,
        CASE WHEN l.wait_s > 0 THEN %(now)s + make_interval(secs => l.wait_s) END,
        CASE WHEN l.trips
             THEN %(now)s + least(%(longest)s, %(first)s * power(2, least(t.trips, 10))) END)
FROM locked l WHERE t.id = l.id
"""  # noqa: S608 (numbers of ours)


def _row(contact: Contact) -> dict[str, object]:
    outcome = contact.outcome
    wait = outcome.retry_after
    credit = 0.0
    if outcome.verdict is Verdict.ACCEPTED:
        credit = CREDIT_OF_SUCCESS
    elif contact.was_made and contact.is_retry and outcome.costs_try:
        credit = -1.0
    return {
        "channel_id": contact.channel_id,
        "state": contact.state,
        "answered": contact.was_made and _is_answered(outcome),
        "was_made": contact.was_made,
        "wait_s": wait.total_seconds() if wait else 0,
        "credit": credit,
    }


def _is_answered(outcome: Outcome) -> bool:
    """Whether somebody is there: a yes, a clear no, or a complaint about this one message."""
    clear = outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED)
    return clear or (outcome.status is not None and 400 <= outcome.status < 500)
