"""What the drill on the API's description finds there, and what it may not hold against an operation."""

import datetime as dt
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from accounts.models import User
from catalog.listing import SeriesPlace
from stalkerr import clock
from tests.crowd import SECRET
from tests.factories import event_of, make_audiobook, make_channel, make_delivery, make_watch
from tests.people import make_user
from workers.ledger import slots

JOB: Final = "workers.prune"  # one of it is under way
_LEASE: Final = dt.timedelta(hours=1)
_WATCH: Final = frozenset({"query", "asin", "aliases", "excluded_words", "channels"})
_LIST: Final = frozenset({"watches"})  # yours
_HOURS: Final = frozenset(  # of a digest only; not when they begin
    {"digest_hour", "digest_weekday", "quiet_until"}
)
_PREFERENCES: Final = _HOURS | {"time_zone"}  # by its name, of six hundred
_CHANNEL: Final = _HOURS | {
    *("config", "headline_template", "body_template")  # what a kind wants, and a small language
}
# Fields that may be refused although they look as the description says, since what they must agree
# with is no matter of form. Where nothing else is wrong, schemathesis's `positive_data_acceptance`
# is not held against that operation. The empty name is a sentence about the whole.
OF_EVERY_LIST: Final = frozenset({"cursor"})  # made by us
UNTELLABLE: Final[dict[str, frozenset[str]]] = {
    "DELETE /api/me": frozenset({"password"}),  # yours, which nobody guesses
    "GET /api/audiobooks": frozenset({"role", "ordering"}),  # beside a person, beside a search
    "GET /api/explain": frozenset({"", "asin"}),  # one of three ways to name a title
    "GET /api/admin/jobs": frozenset({"job"}),  # by its name; the refusal has them all
    "GET /api/admin/jobs/slots": frozenset({"job"}),
    # None is corrected and let go at once; Django knows addresses; no day of a year that means "unknown".
    "PATCH /api/admin/books/{id}": frozenset({"", "cover_url", "release_date"}),
    "PATCH /api/channels/{id}": _CHANNEL | {"kind"},  # it keeps its kind
    "PATCH /api/lists/{id}": _LIST,
    "PATCH /api/preferences": _PREFERENCES,
    "PATCH /api/watches/{id}": _WATCH,
    "POST /api/admin/works/{id}/merge": frozenset({"works"}),  # others, that there are
    "POST /api/channels": _CHANNEL,
    "POST /api/channels/preview": frozenset({"event", "audiobook"}),  # that there are
    "POST /api/channels/{id}/rotate-secret": frozenset({"config"}),  # where a kind has a secret
    "POST /api/deliveries/replay": frozenset({"channel"}),  # yours
    "POST /api/feeds": frozenset({"watch", "watch_list"}),  # yours; one of the two
    "POST /api/imports": frozenset({"file"}),  # of one of seven kinds
    "POST /api/keys": frozenset({"expires_at", "scope"}),  # to come; no more than you may do
    "POST /api/lists": _LIST,
    "POST /api/marks": frozenset({""}),  # one of three ways to name a work that there is
    "POST /api/token": frozenset({"email"}),  # Django knows addresses better than a format does
    "POST /api/watches": _WATCH,  # by kind
    "POST /api/watches/bulk": _WATCH,
    "POST /api/watches/preview": _WATCH,
    "POST /api/watches/replay": _WATCH,
    "POST /api/watches/{id}/replay": _WATCH,
    "POST /api/webhooks/new-book": frozenset({"book_data", "webhook_url"}),  # addresses we may ask
    "PUT /api/channels/{id}": _CHANNEL | {"kind"},
    "PUT /api/lists/{id}": _LIST,
    "PUT /api/watches/{id}": _WATCH,
}


def furnish(names: Sequence[str], staff: str, receiver: str) -> list[User]:
    """People with a little of everything, in a catalogue with a little of everything; staff last.

    Their webhooks lead to `receiver`, so that a test message has somewhere to go. Nothing else
    leaves: no worker runs, and made-up addresses are hosts that there are not.
    """
    now = clock.now()
    books = [
        make_audiobook(
            now=now - dt.timedelta(days=number),
            out_in=number * 10,
            title=f"The Glass Tide {number}",
            marketplace=code,
            series=[SeriesPlace("B00SERIES1", "The Glass Tide", str(number))],
        )
        for number in range(1, 4)
        for code in ("us", "de")
    ]
    users = [make_user(name) for name in names]
    for user in users:
        make_channel(
            user, kind="email", config={"address": user.email}, address="", unconfirmed_since=now
        )
        hook = {"url": f"{receiver}/{user.pk}", "secret": SECRET}
        channel = make_channel(user, config=hook)
        make_watch(user, now=now)
        for book, state in zip(books, cycle(["held", "pending"]), strict=False):
            make_delivery(channel, event_of(book), now=now, state=state)
    slot = now.replace(second=0, microsecond=0)
    slots.open_slots(slots=[(JOB, slot)])
    slots.claim(job=JOB, slot=slot, now=now, lease=_LEASE, task_id="", worker="")
    return [*users, make_user(staff, is_staff=True)]
