"""One audiobook from a program to one address: what POST /api/webhooks/new-book sends."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from accounts.models import User
from notifications.messages import BOOK, Content
from notifications.models import Channel, Delivery, Posting
from notifications.registration import find_or_register
from stalkerr import sql
from stalkerr.locks import lock

ADDRESSES_MAX: Final = 100  # webhooks of one user: no further one is made by a posting

_DATES = ("release_date",)
_LISTS = ("authors", "narrators")


class NotSentError(Exception):
    """Nothing can be sent to that address as things stand; says what to do."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a posting; `made` has the signing secret where one was made for it."""

    delivery: Delivery
    made: Mapping[str, Any]


def post_book(*, user: User, book: Mapping[str, Any], url: str, now: dt.datetime) -> Posted:
    """Promise `book` to the user's webhook at `url`, made where there is none; it hears no watch.

    Raises ConfigError where nothing may be sent there, NotSentError where nothing can be now.
    """
    with transaction.atomic():
        lock("channels", user.pk)
        registered = find_or_register(user=user, kind="webhook", url=url)
        channel = _usable(registered.channel, is_new=bool(registered.made))
        posting = Posting.objects.create(user=user, book=dict(book), created_at=now)
        delivery = Delivery.objects.create(
            posting=posting,
            source_at=now,
            user=user,
            channel=channel,
            channel_kind=channel.kind,
            destination_id=channel.destination_id,
            due_at=now,
            created_at=now,
        )
    return Posted(delivery, registered.made)


def _usable(channel: Channel, *, is_new: bool) -> Channel:
    """The channel, locked: nobody disables or deletes it before the promise is made."""
    webhooks = Channel.objects.filter(user_id=channel.user_id, kind=channel.kind)
    if is_new and webhooks.count() > ADDRESSES_MAX:
        raise NotSentError(
            f"You have {ADDRESSES_MAX} webhooks, which is as many as there may be; "
            "delete one that you no longer need (DELETE /api/channels/…)."
        )
    locked = webhooks.select_for_update(no_key=True).filter(pk=channel.pk).first()
    if locked is None:
        raise NotSentError("Your webhook to this address has just been deleted; post it again.")
    if locked.disabled_at is not None:
        raise NotSentError(
            f"Your webhook to this address is disabled ({locked.disabled_reason or 'by you'}); "
            f"enable it first: POST /api/channels/{locked.pk}/enable."
        )
    return locked


def drop_postings(*, before: dt.datetime) -> int:
    """Forget books taken before then whose deliveries are gone with their month; returns how many."""
    return sql.count(
        """
        DELETE FROM postings p WHERE p.created_at < %s
        AND NOT EXISTS (SELECT FROM deliveries d WHERE d.posting_id = p.id)
        """,
        [before],
    )


def posted_content(book: Mapping[str, Any]) -> Content:
    """A posting's book as a content; its fields were checked when it was taken."""
    facts: dict[str, Any] = {name: value for name, value in book.items() if value is not None}
    facts |= {name: dt.date.fromisoformat(facts[name]) for name in _DATES if name in facts}
    facts |= {name: tuple(facts[name]) for name in _LISTS if name in facts}
    return Content(kind=BOOK, **facts)
