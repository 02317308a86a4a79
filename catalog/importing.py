"""What writes across imports: the preview of a file, then what its owner chose of it.

A preview is made at once. What is chosen is made in chunks, each a transaction that also notes what
is done: whoever dies half-way, the next goes on there, and nothing is made twice.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from django.db import transaction

from accounts.models import User
from catalog.births import lock_works
from catalog.imports.plan import Plan, Wanted, plan, wanted_of
from catalog.imports.reading import Reading
from catalog.imports.row import Row
from catalog.models import Import, ImportItem, Mark, Watch
from catalog.resolving import resolve
from catalog.watching import save_watch
from stalkerr import sql

WATCHES_AT_ONCE: Final = 20  # whoever brings ids waits for as long as their names are ours
MARKS_AT_ONCE: Final = 500
_INSERTED_AT_ONCE: Final = 2000


def prepare(*, user: User, reading: Reading, now: dt.datetime) -> Import:
    """Keep what a file would make for this user; nothing of it is made yet."""
    made = plan(reading.rows, watched=_watched(user.pk))
    with transaction.atomic():
        imported = Import.objects.create(
            user=user, kind=reading.kind, known=made.known, created_at=now
        )
        items = [*_wishes(made), *_marks(made.heard), *_unresolved(made)]
        for item in items:
            item.imported = imported
        ImportItem.objects.bulk_create(items, batch_size=_INSERTED_AT_ONCE)
    return imported


def _watched(user_id: int) -> set[Wanted]:
    watches = Watch.objects.of(user_id).values_list("kind", "query")
    return {wanted_of(kind, query) for kind, query in watches}


def _wishes(made: Plan) -> Iterator[ImportItem]:
    """Those for most titles first."""
    for wish in sorted(made.wishes.values(), key=lambda wish: -wish.titles):
        yield ImportItem(
            kind=ImportItem.Kind.WATCH,
            watch_kind=wish.kind,
            title=wish.query,
            asin=wish.asin,
            titles=wish.titles,
        )


def _marks(heard: Sequence[Row]) -> Iterator[ImportItem]:
    for row, found in zip(heard, resolve(heard), strict=True):
        kind = ImportItem.Kind.MARK if found.audiobook_id else ImportItem.Kind.UNRESOLVED
        yield ImportItem(
            kind=kind,
            title=row.title,
            asin=row.asin,
            audiobook_id=found.audiobook_id,
            reason=found.reason,
        )


def _unresolved(made: Plan) -> Iterator[ImportItem]:
    for title, reason in made.unresolved:
        yield ImportItem(kind=ImportItem.Kind.UNRESOLVED, title=title, reason=reason)


def begin(*, imported: Import, chosen: Collection[int] | None, marketplaces: Sequence[str]) -> None:
    """Have the chosen items made (None: all that can be); those that are made stay as they are."""
    can_be = imported.items.exclude(kind=ImportItem.Kind.UNRESOLVED).filter(done_at=None)
    with transaction.atomic():
        (can_be if chosen is None else can_be.filter(id__in=chosen)).update(is_chosen=True)
        Import.objects.filter(id=imported.pk).update(
            state=Import.State.APPLYING, marketplaces=list(marketplaces)
        )


def apply_some(*, now: dt.datetime) -> int:
    """Make the next items of the oldest import that is under way; 0 if there is none.

    An import that another worker is at is left to it. Returns 1 where all that was left to do is to
    say that it is done.
    """
    with transaction.atomic():
        imported = (
            Import.objects.select_for_update(skip_locked=True)
            .filter(state=Import.State.APPLYING)
            .order_by("id")
            .first()
        )
        if imported is None:
            return 0
        return _make_next(imported, now) or _finish(imported, now)


def _finish(imported: Import, now: dt.datetime) -> int:
    imported.state, imported.applied_at = Import.State.DONE, now
    imported.save(update_fields=["state", "applied_at"])
    return 1


def _make_next(imported: Import, now: dt.datetime) -> int:
    """Watches, or once they are there marks: never both, for they take their locks another way."""
    left = imported.items.filter(is_chosen=True, done_at=None).order_by("id")
    watches = list(left.filter(kind=ImportItem.Kind.WATCH)[:WATCHES_AT_ONCE])
    if watches:
        _save_watches(imported, watches, now)
    marks = [] if watches else list(left.filter(kind=ImportItem.Kind.MARK)[:MARKS_AT_ONCE])
    if marks:
        mark_heard(
            user_id=imported.user_id,
            audiobook_ids=[item.audiobook_id for item in marks if item.audiobook_id],
            now=now,
        )
    done = [item.pk for item in (*watches, *marks)]
    return ImportItem.objects.filter(id__in=done).update(done_at=now)


def _save_watches(imported: Import, items: Iterable[ImportItem], now: dt.datetime) -> None:
    watched = _watched(imported.user_id)
    # Kinds in one order, as all who lock the names of several.
    for item in sorted(items, key=lambda item: (item.watch_kind, item.pk)):
        wanted = wanted_of(item.watch_kind, item.title)
        if wanted not in watched:
            watch = Watch(
                user_id=imported.user_id,
                kind=item.watch_kind,
                query=item.title,
                asin=item.asin,
                marketplaces=imported.marketplaces,
            )
            save_watch(watch=watch, now=now)
            watched.add(wanted)


def mark_heard(*, user_id: int, audiobook_ids: Sequence[int], now: dt.datetime) -> None:
    """Mark the works of these audiobooks as "have it"; what the user said of one before stays.

    The sweep looks again at the watches that may have promised some of them.
    """
    lock_works(shared=True)
    works = [
        work
        for (work,) in sql.rows(
            """
            INSERT INTO marks (user_id, work_id, kind, created_at)
            SELECT DISTINCT %(user)s::bigint, a.work_id, %(kind)s, %(now)s::timestamptz
            FROM audiobooks a WHERE a.id = ANY(%(ids)s)
            ON CONFLICT DO NOTHING RETURNING work_id
            """,
            {
                "user": user_id,
                "kind": Mark.Kind.HAVE_IT,
                "now": now,
                "ids": list(audiobook_ids),
            },
        )
    ]
    sql.rows(
        """
        WITH hearing AS (
            SELECT w.id FROM watches w WHERE w.user_id = %(user)s AND w.ended_at IS NULL
            AND EXISTS (SELECT FROM watch_keys k JOIN audiobooks a ON a.work_id = ANY(%(works)s)
                        WHERE k.watch_id = w.id AND k.user_id = w.user_id
                          AND k.key = ANY(a.match_keys))
            ORDER BY w.id FOR NO KEY UPDATE
        )
        UPDATE watches w SET edited_at = %(now)s FROM hearing h WHERE h.id = w.id
        """,
        {"user": user_id, "works": works, "now": now},
    )


def drop_old(*, before: dt.datetime) -> int:
    """Forget imports from before then that nobody is at: what they made stays."""
    old = Import.objects.filter(created_at__lt=before).exclude(state=Import.State.APPLYING)
    return old.delete()[0]
