"""How much a destination may be given: its breaker, its share, its budget for retries.

A breaker opens after so many contacts in a row that came to nothing, for a pause that doubles;
after it one message alone finds out how things are. Failed retries cost credit, which comes back
with success and with time: a host in trouble is not kept there by our retries.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from notifications.channels.base import Outcome, Verdict
from notifications.models.channel import RETRY_CREDIT
from stalkerr import sql

AT_ONCE = 32  # claimed for one destination at a time, over all workers
PROVEN_AT_ONCE = 1000  # for one that has answered lately
PROVEN_FOR = dt.timedelta(minutes=5)
BREAKER_AFTER = 5
BREAKER_FIRST = dt.timedelta(minutes=1)
BREAKER_LONGEST = dt.timedelta(hours=1)
CREDIT_EVERY = dt.timedelta(seconds=15)  # a failed retry's worth comes back by itself
CREDIT_OF_SUCCESS = 0.1

# -- what a statement asks of a destination `t` at `now` ----------------------------------------
IS_SPARED = "coalesce(t.open_until > %(now)s, false)"
_UNDER_WAY = "FROM messages m WHERE m.destination_id = t.id AND m.state = 'sending'"
_IS_PROVEN = f"""(t.failures = 0 AND coalesce(
    t.answered_at > %(now)s - interval '{PROVEN_FOR.total_seconds()} seconds', false))"""
# How many messages it takes at a time: of one in trouble, a single one finds out how things are.
MOST = f"""CASE WHEN {IS_SPARED} THEN 0 WHEN t.failures >= {BREAKER_AFTER} THEN 1
    WHEN {_IS_PROVEN} THEN {PROVEN_AT_ONCE} ELSE {AT_ONCE} END"""
ROOM = f"({MOST} - (SELECT count(*) {_UNDER_WAY}))"
_CREDIT = f"""least({RETRY_CREDIT}, t.retry_credit + coalesce(
    extract(epoch FROM %(now)s - t.credited_at), 0) / {CREDIT_EVERY.total_seconds()})"""
# How many more retries it may cost: those under way may all fail.
RETRIES = f"""(floor({_CREDIT}) - (SELECT count(*) {_UNDER_WAY} AND m.tries > 0))"""

# In one order everywhere; whoever refers to it (a new message) does not wait for us.
# A proven one is not locked for first tries: results of others would wait for a claim's commit.
_LOCK = f"""SELECT FROM destinations t WHERE id = ANY(%(ids)s) AND (%(retries)s OR NOT {_IS_PROVEN})
    ORDER BY id FOR NO KEY UPDATE"""
# A statement of its own: what others did while we waited for the lock is counted.
_ROOMS = f"SELECT t.id, {ROOM}, {RETRIES} FROM destinations t WHERE t.id = ANY(%(ids)s)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Room:
    """How many more messages a destination takes just now, and how many of them may be retries."""

    messages: int
    retries: int


def lock_rooms(ids: Iterable[int], *, now: dt.datetime, retries: bool = False) -> dict[int, Room]:
    """The rooms of these destinations, to which nobody else gives anything until the commit.

    But to those that answered lately: their share is large, and without `retries` it is not locked.
    """
    parameters = {"ids": sorted(set(ids)), "now": now, "retries": retries}
    if not parameters["ids"]:
        return {}
    sql.rows(_LOCK, parameters)
    rows = sql.prepared(_ROOMS, parameters)
    return {
        destination_id: Room(max(0, messages), max(0, min(messages, int(retries))))
        for destination_id, messages, retries in rows
    }


# A breaker that tripped closes with the first answer; what was asked for by Retry-After stays.
# Beside a statement whose CTE `results` says what came of each attempt, and `done` which of them
# counted, and for which destination: counts for metrics, breakers, retry budgets.
NOTE_CONTACTS = f"""
contacts AS (
    SELECT done.destination_id, count(*) FILTER (WHERE r.state = 'sent') AS sent,
           count(*) FILTER (WHERE r.state = 'failed') AS failed, bool_or(r.answered) AS answered,
           count(*) FILTER (WHERE r.was_made) AS contacts, max(r.wait_s) AS wait_s,
           sum(r.credit) AS credit
    FROM results r JOIN done ON done.id = r.id
    GROUP BY done.destination_id
), places AS MATERIALIZED (
    SELECT t.id, c.sent, c.failed, c.wait_s, c.answered,
           CASE WHEN c.answered THEN 0 ELSE t.failures + c.contacts END AS failures,
           NOT c.answered AND c.contacts > 0 AND t.failures + c.contacts >= {BREAKER_AFTER} AND NOT {IS_SPARED} AS trips,
           least({RETRY_CREDIT}, greatest(0, c.credit + {_CREDIT})) AS credit
    FROM destinations t JOIN contacts c ON c.destination_id = t.id
    ORDER BY t.id FOR NO KEY UPDATE OF t
), noted AS (
    UPDATE destinations t SET failures = p.failures,
        sent_total = t.sent_total + p.sent, failed_total = t.failed_total + p.failed,
        retry_credit = p.credit, credited_at = %(now)s,
        answered_at = CASE WHEN p.answered THEN %(now)s ELSE t.answered_at END,
        trips = CASE WHEN p.answered THEN 0 WHEN p.trips THEN t.trips + 1 ELSE t.trips END,
        open_until = greatest(
            CASE WHEN NOT (p.answered AND t.trips > 0) THEN t.open_until END,
            CASE WHEN p.wait_s > 0 THEN %(now)s + make_interval(secs => p.wait_s) END,
            CASE WHEN p.trips THEN %(now)s + least(
                interval '{BREAKER_LONGEST.total_seconds()} seconds',
                interval '{BREAKER_FIRST.total_seconds()} seconds' * power(2, least(t.trips, 10)))
            END)
    FROM places p WHERE t.id = p.id
)"""  # noqa: S608 (numbers of ours)


def wait_of(outcome: Outcome) -> float:
    """Seconds of peace that the other side asked for."""
    return outcome.retry_after.total_seconds() if outcome.retry_after else 0.0


def credit_of(outcome: Outcome, *, is_retry: bool) -> float:
    """What an attempt that was made adds to the retry budget."""
    if outcome.verdict is Verdict.ACCEPTED:
        return CREDIT_OF_SUCCESS
    return -1.0 if is_retry and outcome.costs_try else 0.0


def is_answered(outcome: Outcome) -> bool:
    """Whether somebody is there: a yes, a clear no, or a complaint about this one message."""
    clear = outcome.verdict in (Verdict.ACCEPTED, Verdict.REFUSED)
    return clear or (outcome.status is not None and 400 <= outcome.status < 500)
