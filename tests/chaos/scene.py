"""What the drills on telling share: people and news, and what came of it at the receivers."""

import datetime as dt
import time
from collections import Counter
from typing import Any

from catalog.services import record_listings
from notifications.models import Attempt, Message
from stalkerr import clock
from tests.crowd import AUTHOR, SECRET, make_crowd
from tests.factories import make_listing
from tests.sinks import HttpSink, Request, wait_until

MAX_COPIES = 4  # of any message, whatever happens
# Leases and retries as short as a drill's patience.
SETTINGS: dict[str, Any] = {"TELL_LEASE": "8", "OUTBOUND_TIMEOUT": "3", "RETRY_BASE": "0.5"}


def promise(sink: HttpSink, messages: int) -> None:
    """One announcement that so many users hear, each over a hook of their own."""
    follow(sink, messages)
    announce()


def follow(sink: HttpSink, messages: int) -> None:
    """So many users, each with a hook of their own, wait for one author."""
    make_crowd(
        people=messages,
        now=clock.now(),
        name="hook",
        config=lambda number: {"url": f"{sink.url}/hook/{number}", "secret": SECRET},
    )


def announce(author: str = AUTHOR) -> None:
    """A new title, as a visit would record it; a sweep finds it."""
    now = clock.now()
    day = now.date() + dt.timedelta(days=30)
    listing = make_listing(release_date=day, authors=(author,))
    record_listings(listings=[listing], fetched_at=now, now=now)


def wait_for_the_end(messages: int, within: float = 300) -> float:
    """Until every message has an end, good or bad; how many seconds that took."""
    begun = time.monotonic()
    ended = Message.objects.filter(state__in=[Message.State.SENT, Message.State.FAILED])
    wait_until(lambda: ended.count() == messages, within=within, every=0.1)
    return time.monotonic() - begun


def figures(
    drill: str,
    sink: HttpSink,
    *,
    messages: int,
    kills: int,
    in_flight: int,
    heal_s: float,
    children: int,
) -> dict[str, Any]:
    """What arrived, and whether that is no less than promised and no more than the bound."""
    copies = Counter(request.path for request in sink.requests)
    ids = {(request.path, wire_id(request)) for request in sink.requests}
    verdicts = Counter(Attempt.objects.values_list("verdict", flat=True))
    lost = messages - len(copies)
    duplicates = len(sink.requests) - len(copies)
    # What a child has claimed is on the wire or not yet settled: TELL_IN_FLIGHT in all.
    bound = kills * children * in_flight + verdicts["ambiguous"]
    visible = len(ids) - len(copies)  # to receivers that drop ids they have seen
    kept = not lost and not visible and verdicts["accepted"] == messages
    most = max(copies.values())
    return {
        "drill": drill,
        "deliveries": messages,
        "kills": kills,
        "in_flight": in_flight,
        "lost": lost,
        "duplicates": duplicates,
        "max_copies": most,
        "heal_s": round(heal_s, 1),
        "held": kept and duplicates <= bound and most <= MAX_COPIES,
        "bound": bound,
        "duplicate_share": round(duplicates / messages, 4),
        "ambiguous": verdicts["ambiguous"],
        "visible_duplicates": visible,
    }


def wire_id(request: Request) -> str:
    return request.headers["webhook-id"]
