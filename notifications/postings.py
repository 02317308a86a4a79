"""One audiobook from a program to one address: what POST /api/webhooks/new-book sends."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from accounts.models import User
from notifications.messages import Content
from notifications.models import Delivery, Posting
from notifications.registration import find_or_register

BOOK: Final = "book"  # the kind of its content

_DATES = ("release_date",)
_LISTS = ("authors", "narrators")


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a posting; `made` has the signing secret where one was made for it."""

    delivery: Delivery
    made: Mapping[str, Any]


def post_book(*, user: User, book: Mapping[str, Any], url: str, now: dt.datetime) -> Posted:
    """Promise `book` to the user's webhook at `url`, made where there is none; it hears no watch.

    Raises ConfigError where nothing may be sent there, ValueError where that channel is disabled.
    """
    with transaction.atomic():
        registered = find_or_register(user=user, kind="webhook", url=url)
        channel = registered.channel
        if channel.disabled_at is not None:
            raise ValueError(f"Your channel {channel} is disabled; enable it first.")
        posting = Posting.objects.create(user=user, book=dict(book), created_at=now)
        delivery = Delivery.objects.create(
            posting=posting,
            source_at=now,
            user=user,
            channel=channel,
            channel_kind=channel.kind,
            due_at=now,
            created_at=now,
        )
    return Posted(delivery, registered.made)


def posted_content(book: Mapping[str, Any]) -> Content:
    """A posting's book as a content; its fields were checked when it was taken."""
    facts: dict[str, Any] = {name: value for name, value in book.items() if value is not None}
    facts |= {name: dt.date.fromisoformat(facts[name]) for name in _DATES if name in facts}
    facts |= {name: tuple(facts[name]) for name in _LISTS if name in facts}
    return Content(kind=BOOK, **facts)
