"""Rows for tests. Audiobooks and watches come about as in the product, by its services."""

import datetime as dt
from collections.abc import Iterable
from itertools import count
from typing import Any

from accounts.models import User
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import MARKETPLACES, store_date
from catalog.models import Audiobook, ReleaseEvent, Watch
from catalog.services import record_listings
from catalog.watching import save_watch
from notifications.models import Channel, Delivery, Destination, Route
from scraping.models import Target

SOON = 30  # days
_numbers = count(1)


def make_asin() -> str:
    """One that no other row of this run has."""
    return f"B{next(_numbers):09d}"


def make_listing(
    *,
    marketplace: str = "us",
    asin: str = "",
    authors: Iterable[str] = ("Ada Example",),
    narrators: Iterable[str] = ("Nora Reader",),
    series: Iterable[SeriesPlace] = (),
    **facts: Any,
) -> Listing:
    """What a store says of an audiobook; `facts` are further fields of Listing."""
    asin = asin or make_asin()
    credits = [CreditLine(name, None, "author") for name in authors]
    credits += [CreditLine(name, None, "narrator") for name in narrators]
    facts = {"title": f"The Book {asin}", "language": MARKETPLACES[marketplace].language} | facts
    return Listing(
        marketplace=marketplace,
        asin=asin,
        url=MARKETPLACES[marketplace].url_of(asin),
        credits=tuple(credits),
        series=tuple(series),
        **facts,
    )


def make_audiobook(*, now: dt.datetime, out_in: int | None = SOON, **facts: Any) -> Audiobook:
    """An audiobook first seen at `now` and out in so many days by its store's calendar.

    With `out_in` None it has no date; a known one keeps its own unless another is given. Its event
    is written as well. `facts`: make_listing.
    """
    place = {name: facts.get(name, "us") for name in ("marketplace", "asin")}
    known = Audiobook.objects.filter(**place).first()
    if out_in == SOON and known:
        facts.setdefault("release_date", known.release_date)
    elif out_in is not None:
        today = store_date(facts.get("marketplace", "us"), now)
        facts.setdefault("release_date", today + dt.timedelta(days=out_in))
    listing = make_listing(**facts)
    record_listings(listings=[listing], fetched_at=now, now=now)
    return Audiobook.objects.get(marketplace=listing.marketplace, asin=listing.asin)


def event_of(audiobook: Audiobook) -> ReleaseEvent:
    """The latest news of it."""
    return audiobook.events.latest("revision")


def make_watch(
    user: User,
    query: str = "Ada Example",
    *,
    now: dt.datetime,
    kind: str = Watch.Kind.AUTHOR,
    is_active: bool = True,
    **fields: Any,
) -> Watch:
    """A watch; with `is_active`, its baseline is over and it hears what comes after `now`."""
    watch = save_watch(watch=Watch(user=user, kind=kind, query=query, **fields), now=now)
    if is_active:
        watch.queries.update(active_from=now)
    return watch


def make_channel(
    user: User,
    *,
    kind: str = "webhook",
    config: dict[str, Any] | None = None,
    address: str = "hooks.example.org",
    is_default: bool = True,
    **fields: Any,
) -> Channel:
    """A channel; with `is_default`, it hears all of the user's watches that have no own route."""
    destination, _ = Destination.objects.get_or_create(kind=kind, address=address)
    channel = Channel(user=user, kind=kind, destination=destination, **fields)
    channel.config = config or {"url": f"https://{address}/hook", "secret": "whsec_" + "A" * 32}
    channel.save()
    if is_default:
        Route.objects.create(user=user, channel=channel)
    return channel


def make_delivery(
    channel: Channel, event: ReleaseEvent, *, now: dt.datetime, **fields: Any
) -> Delivery:
    """A promise to tell an event over a channel."""
    fields = {"due_at": now, "created_at": now, "source_at": event.seen_at} | fields
    return Delivery.objects.create(
        event=event,
        user=channel.user,
        channel=channel,
        channel_kind=channel.kind,
        destination=channel.destination,
        **fields,
    )


def make_target(
    query: str = "ada example", *, now: dt.datetime, kind: str = "author", **fields: Any
) -> Target:
    """A query that is due for a visit."""
    fields = {"marketplace": "us", "next_visit_at": now} | fields
    return Target.objects.create(kind=kind, query=query, **fields)
