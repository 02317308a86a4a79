"""What a watch would have told in the last months, had it been there. Asking writes nothing.

The watch is made by the service that makes watches, in a savepoint that is undone before anything
else is asked; then its events are held against the matching statement's own conditions, as things
stand today: works, marks and titles are those of now.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from django.db import OperationalError, transaction
from psycopg.errors import QueryCanceled

from catalog.models import ReleaseEvent, Watch
from catalog.watching import save_watch
from notifications.explain import reasons
from notifications.matching import matcher
from notifications.predicates import suppose
from stalkerr import sql

SPAN: Final = dt.timedelta(days=90)
EVENTS_MAX: Final = 2000
AT_ONCE: Final = 500  # events in one statement
PATIENCE: Final = dt.timedelta(seconds=5)  # of each statement

End = Literal["sent", "folded", "hidden"]
Found = TypeVar("Found")


class TooMuchError(Exception):
    """The watch meets more news than is looked through for an answer."""


class TooSlowError(Exception):
    """The database was not done in time."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A piece of news that shares a key with the watch, and what it would have come to."""

    event: ReleaseEvent  # with its audiobook
    end: End
    same_as: ReleaseEvent | None = None  # of a folded one: what told the same before
    because: tuple[str, ...] = ()  # of a hidden one


@dataclass(frozen=True, slots=True)
class Draft:
    """A watch as it would be stored."""

    watch: Watch
    row: str  # JSON
    keys: list[str]


def replay(*, watch: Watch, now: dt.datetime) -> list[Replayed]:
    """What `watch`, not stored and heard since 90 days, would have made of the news; newest first.

    As if it were its user's only watch and all channels heard it; reminders are left out. Raises
    TooMuchError or TooSlowError.
    """
    since = now - SPAN
    return with_draft(watch, now, lambda draft: _judged(draft, _events(draft, since), since))[::-1]


def with_draft(watch: Watch, now: dt.datetime, look: Callable[[Draft], Found]) -> Found:
    """What `look` finds of a watch that is not stored. Raises TooSlowError."""
    try:
        with transaction.atomic():
            _be_quick()
            found = look(_drafted(watch, now))
            transaction.set_rollback(True)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlowError from error
        raise
    return found


def _be_quick() -> None:
    milliseconds = int(PATIENCE.total_seconds() * 1000)
    sql.rows("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])


def _drafted(watch: Watch, now: dt.datetime) -> Draft:
    """Make the watch, keep what it would be, and undo it; locks go with the savepoint."""
    watch.pk = -1 - secrets.randbelow(2**62)  # no other's, and none of those still to be given
    with transaction.atomic():
        save_watch(watch=watch, now=now)
        ((row, keys),) = sql.rows(
            """
            SELECT to_jsonb(w)::text, ARRAY(SELECT key FROM watch_keys WHERE watch_id = w.id)
            FROM watches w WHERE w.id = %s
            """,
            [watch.pk],
        )
        transaction.set_rollback(True)
    return Draft(watch, row, keys)


def _events(draft: Draft, since: dt.datetime) -> list[ReleaseEvent]:
    """The published news of all titles that share a key with the watch, oldest first."""
    found = sql.rows(
        """
        WITH met AS MATERIALIZED (  -- by its keys; not through all news there is, from its end
            SELECT id FROM audiobooks
            WHERE match_keys && %(keys)s::text[] AND marketplace = ANY(%(marketplaces)s)
              AND hidden_at IS NULL
        )
        SELECT e.id FROM met JOIN release_events e ON e.audiobook_id = met.id
        WHERE e.seen_at >= %(since)s AND e.published_seq IS NOT NULL AND e.kind <> 'reminder'
        LIMIT %(most)s
        """,
        {
            "keys": draft.keys,
            "marketplaces": draft.watch.marketplaces,
            "since": since,
            "most": EVENTS_MAX + 1,
        },
    )
    if len(found) > EVENTS_MAX:
        raise TooMuchError
    events = ReleaseEvent.objects.not_dropped().filter(id__in=[event_id for (event_id,) in found])
    return list(
        events.select_related("audiobook")
        .defer("audiobook__metadata", "audiobook__search_vector", "audiobook__summary")
        .order_by("id")
    )


def _judged(draft: Draft, events: Sequence[ReleaseEvent], since: dt.datetime) -> list[Replayed]:
    held: dict[int, dict[str, bool]] = {}
    for start in range(0, len(events), AT_ONCE):
        batch = [matcher(event) for event in events[start : start + AT_ONCE]]
        held |= suppose(batch, watch=draft.row, since=since)
    wanted = _folded(draft.watch, (event for event in events if all(held[event.pk].values())))
    return [wanted.get(event.pk) or _hidden(draft.watch, event, held[event.pk]) for event in events]


def _folded(watch: Watch, events: Iterable[ReleaseEvent]) -> dict[int, Replayed]:
    """By event: told, or the same as one before; the rule is that of `Told`."""
    told: dict[tuple[object, ...], ReleaseEvent] = {}
    found = {}
    for event in events:
        edition = event.audiobook_id if watch.per_edition else None
        same = event.audiobook.work_id, edition, event.kind, event.value
        first = told.setdefault(same, event)
        is_first = first is event
        found[event.pk] = Replayed(
            event, "sent" if is_first else "folded", same_as=None if is_first else first
        )
    return found


def _hidden(watch: Watch, event: ReleaseEvent, held: dict[str, bool]) -> Replayed:
    because = reasons(watch=watch, audiobook=event.audiobook, held=held)
    return Replayed(event, "hidden", because=tuple(because))
