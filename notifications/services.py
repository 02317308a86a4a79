"""What writes across promises: who is to be told, and who is no longer."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Exists, OuterRef

from catalog.models import ReleaseEvent, Watch
from notifications.matching import ALL_USERS, FIELDS, Range, Want, chunked, matcher, promise
from notifications.models import Channel, Delivery, Message, Refan, Told
from notifications.wishes import next_digests
from stalkerr import sql
from stalkerr.locks import lock

# Chunks hold it shared, edits exclusive: an edit sees every promise made before it.
PROMISES = "promises"


def has_untold() -> bool:
    """Whether there is news that has not been promised to everybody yet."""
    return ReleaseEvent.objects.unprocessed().exists()


def fan_out_due(*, now: dt.datetime, limit: int, chunk: int) -> int:
    """Promise the oldest untold news of up to `limit` works, all in one statement.

    One of a work at a time, the oldest: what a second edition repeats is told by the first, and a
    date that has moved on is not heard last. What has more than `chunk` candidates gets as far as
    that. Returns how many events had their turn: 0 says that nothing is left, or that others are
    at what is.
    """
    with transaction.atomic():
        lock(PROMISES, shared=True)
        events = list(
            ReleaseEvent.objects.unprocessed()
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("audiobook")
            .alias(
                older=Exists(
                    ReleaseEvent.objects.unprocessed().filter(
                        audiobook__work=OuterRef("audiobook__work"), id__lt=OuterRef("id")
                    )
                )
            )
            .filter(older=False)
            .only(*FIELDS)[:limit]
        )
        return _promise_each(events, now=now, chunk=chunk) if events else 0


def _promise_each(events: Iterable[ReleaseEvent], *, now: dt.datetime, chunk: int) -> int:
    """Promise events of different works to their next candidates, `chunk` in all.

    Returns how many had their turn. How far each got is kept on its own row, moved in the
    transaction that inserts the deliveries: whoever dies half-way, the next caller goes on there.
    """
    untold = [Range(matcher(event), event.fanned_through) for event in events]
    ranges = chunked(untold, rows=chunk)
    promise(ranges, now=now, digests=next_digests(now))
    through = {each.match.facts["event_id"]: each.through for each in ranges}
    sql.rows(
        """
        UPDATE release_events e SET fanned_through = t.through,
            fanned_out_at = CASE WHEN t.through = %(all)s THEN %(now)s::timestamptz END
        FROM unnest(%(ids)s::bigint[], %(throughs)s::bigint[]) AS t(id, through)
        WHERE e.id = t.id
        """,
        {
            "ids": list(through),
            "throughs": list(through.values()),
            "all": ALL_USERS,
            "now": now,
        },
    )
    return len(through)


def fan_out_again(*, now: dt.datetime, limit: int) -> int:
    """Run the fan-out once more for users to whom something was given back; returns how many."""
    if not Refan.objects.exists():
        return 0
    with transaction.atomic():
        # Alone: its many statements and the one of a chunk could wait for each other in a ring.
        lock(PROMISES)
        again = list(
            Refan.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event__audiobook")
            .filter(event__held_by=None)
            .order_by("event__audiobook__work_id", "user_id", "id")[:limit]
        )
        digests = next_digests(now)
        for refan in again:
            one = Range(matcher(refan.event), refan.user_id - 1, refan.user_id)
            promise([one], now=now, digests=digests)
        Refan.objects.filter(id__in=[refan.id for refan in again]).delete()
        return len(again)


def fan_out_notices(*, now: dt.datetime) -> int:
    """Promise what the system has to say to its readers' enabled channels; returns how many."""
    with transaction.atomic():
        lock(PROMISES, shared=True)  # a channel that has to be confirmed anew waits for it
        return sql.count(
            """
            WITH new AS (
                UPDATE accounts_notice SET fanned_out_at = %(now)s
                WHERE id IN (SELECT id FROM accounts_notice WHERE fanned_out_at IS NULL
                             ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
                RETURNING id, user_id, created_at
            )
            INSERT INTO deliveries (notice_id, source_at, user_id, channel_id, channel_kind,
                                    destination_id, watch_ids, state, due_at, created_at)
            SELECT n.id, n.created_at, u.id, c.id, c.kind, c.destination_id, '{}', 'pending', %(now)s, %(now)s
            FROM new n
            JOIN accounts_user u ON u.id = n.user_id
                 OR (n.user_id IS NULL AND u.is_staff AND u.is_active AND u.alarms)
            JOIN channels c ON c.user_id = u.id AND c.disabled_at IS NULL
                 AND c.unconfirmed_since IS NULL
                 -- not to where a program merely had a book sent (notifications/postings.py)
                 AND EXISTS (SELECT FROM routes r WHERE r.channel_id = c.id)
            ON CONFLICT DO NOTHING
            """,
            {"now": now},
        )


def cancel_unwanted(*, now: dt.datetime, limit: int = 100) -> int:
    """Take back promises, not yet composed, that edited or ended watches no longer want.

    Returns how many watches were looked at.
    """
    with transaction.atomic():
        lock(PROMISES)
        # Locked, so that an edit made meanwhile waits, and asks for another look.
        edited = list(
            Watch.objects.select_for_update(no_key=True)
            .filter(edited_at__isnull=False)
            .order_by("id")[:limit]
        )
        if edited:
            _cancel(_promises_of([watch.id for watch in edited]), now)
        ids = [watch.id for watch in edited]
        Watch.objects.filter(id__in=ids, ended_at__isnull=False).delete()
        Watch.objects.filter(id__in=ids).update(edited_at=None)
        return len(edited)


def _promises_of(watch_ids: list[int]) -> list[Delivery]:
    """Promises for these reasons that can still be taken back."""
    return list(
        Delivery.objects.select_for_update(of=("self",))
        .select_related("event__audiobook")
        .filter(watch_ids__overlap=watch_ids, state__in=Delivery.REVOCABLE)
        .order_by("id")
    )


def _cancel(promises: Iterable[Delivery], now: dt.datetime) -> None:
    groups: defaultdict[tuple[int, int], list[Delivery]] = defaultdict(list)
    for delivery in promises:
        groups[delivery.event_id or 0, delivery.user_id].append(delivery)
    digests = next_digests(now)
    for (_, user_id), deliveries in groups.items():
        event = deliveries[0].event
        if event is None:
            continue
        wanted = matcher(event).wanted(user_id=user_id, now=now, digests=digests)
        for delivery in deliveries:
            _keep_reasons(delivery, wanted)


def _keep_reasons(delivery: Delivery, wanted: Mapping[tuple[int, int], Want]) -> None:
    """Leave the reasons that still hold, due when they say; with the last one goes the promise."""
    reasons = [each for each in delivery.watch_ids if (delivery.channel_id, each) in wanted]
    delivery.watch_ids = reasons
    if reasons:
        wants = [wanted[delivery.channel_id, each] for each in reasons]
        delivery.due_at = min(want.due_at for want in wants)
        delivery.in_digest = wants[0].in_digest  # it is the channel's wish
    else:
        delivery.state = Delivery.State.CANCELLED
        _give_back(delivery)
    delivery.save(update_fields=["watch_ids", "state", "due_at", "in_digest"])


def _give_back(delivery: Delivery) -> None:
    """Forget that the channel was told, and let every event that says the same try again.

    Another watch of the user may have wanted this news and met a channel that "knew" it.
    """
    event = delivery.event
    if event is None:
        return
    Told.objects.filter(event=event, channel_id=delivery.channel_id).delete()
    same = ReleaseEvent.objects.not_dropped().filter(
        audiobook__work_id=event.audiobook.work_id, kind=event.kind
    )
    Refan.objects.bulk_create(
        [
            Refan(event_id=event_id, user_id=delivery.user_id)
            for event_id in same.values_list("id", flat=True)
        ],
        ignore_conflicts=True,
    )


def lock_channels(ids: Iterable[int]) -> list[Channel]:
    """These channels, nobody else's to change until the commit: taken before PROMISES, in one order.

    What refers to them may still be added.
    """
    rows = Channel.objects.select_for_update(no_key=True).filter(id__in=list(ids))
    return list(rows.order_by("id"))


def disable_channel(*, channel: Channel, reason: str, now: dt.datetime) -> bool:
    """Stop sending there; what is promised or due is held for when it is enabled again.

    Returns whether it was enabled: one that is disabled keeps its reason.
    """
    with transaction.atomic():
        enabled = Channel.objects.enabled().filter(id=channel.id)
        is_first = bool(enabled.update(disabled_at=now, disabled_reason=reason))
        if is_first:
            hold(channel_ids=[channel.id])
    return is_first


def hold(*, channel_ids: list[int]) -> int:
    """Hold what waits for these channels (each already marked as disabled); returns how much."""
    if not channel_ids:
        return 0
    statements = (_HOLD_DELIVERIES, _HOLD_MESSAGES)
    return sum(sql.count(each, {"channels": channel_ids}) for each in statements)


def hold_strays(*, now: dt.datetime) -> int:
    """Hold what was promised, or came to be due, in the moment in which its channel was disabled.

    So also what was promised to an address that is yet to be confirmed, but for what asks for that.
    Returns how much.
    """
    since = now - dt.timedelta(days=1)
    disabled = list(Channel.objects.filter(disabled_at__gt=since).values_list("id", flat=True))
    return hold(channel_ids=disabled) + sql.count(_HOLD_UNCONFIRMED, {"since": since})


# What somebody is at is left to hold_strays: whoever composes waits for a destination that may be
# ours by now.
_HOLD_DELIVERIES = """
UPDATE deliveries SET state = 'held' WHERE state = 'pending' AND id IN (
    SELECT id FROM deliveries WHERE channel_id = ANY(%(channels)s) AND state = 'pending'
    FOR UPDATE SKIP LOCKED)
"""
_HOLD_MESSAGES = """
UPDATE messages SET state = 'held', next_attempt_at = NULL WHERE state = 'due' AND id IN (
    SELECT id FROM messages WHERE channel_id = ANY(%(channels)s) AND state = 'due'
    FOR UPDATE SKIP LOCKED)
"""
_HOLD_UNCONFIRMED = """
UPDATE deliveries SET state = 'held' WHERE state = 'pending' AND id IN (
    SELECT d.id FROM channels c JOIN deliveries d ON d.channel_id = c.id
    WHERE c.unconfirmed_since > %(since)s AND d.state = 'pending' AND d.notice_id IS NULL
    FOR UPDATE OF d SKIP LOCKED)
"""


def enable_channel(*, channel: Channel) -> None:
    """Send there again from now on; what was held stays held until it is replayed.

    An address that was never confirmed still waits for that.
    """
    with transaction.atomic():
        lock_channels([channel.id])
        # After every chunk that saw it disabled: what they held is there to be replayed.
        lock(PROMISES)
        Channel.objects.filter(id=channel.id).update(disabled_at=None, disabled_reason="")


def drop_held(*, before: dt.datetime, now: dt.datetime) -> int:
    """Give up what was held for a disabled channel since before then; returns how much."""
    promised = Delivery.objects.filter(state=Delivery.State.HELD, created_at__lt=before)
    due = Message.objects.filter(state=Message.State.HELD, created_at__lt=before)
    with transaction.atomic():
        dropped = promised.update(state=Delivery.State.CANCELLED)
        return dropped + due.update(
            state=Message.State.FAILED, reason="held for too long", finalized_at=now
        )
