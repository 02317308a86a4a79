"""New audiobooks to whoever cares, among ten thousand watches and among a million."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from django.conf import settings
from django.db import connection

from catalog.models import ReleaseEvent, Watch, WatchKey, WatchQuery
from catalog.normalise import name_key
from catalog.services import publish_events, record_listings
from notifications import services
from notifications.models import Channel, Delivery, Route
from stalkerr import clock, sql
from tests.benchmarks.rounds import ratio, seconds
from tests.crowd import SECRET, copy, copy_user, make_crowd
from tests.factories import make_listing
from workers.ledger.engine import engine

FEW, MANY = 10_000, 1_000_000  # watches, each of an author of its own
EACH = 10  # watches of one user
BATCH = 200  # new audiobooks, of as many authors that are watched: as many matches
ROUNDS = 9
SMALL = "few_watches"


def measure() -> dict[str, Any]:
    """Milliseconds for each new audiobook from its event to its promises, by number of watches."""
    watch_authors(FEW)
    with copy_of_database(SMALL):
        watch_authors(MANY)
        few, many = [], []
        for number in range(ROUNDS):
            with inside(SMALL):
                few.append(match(number))
            many.append(match(number))
    return {
        "benchmark": "match",
        "batch": BATCH,
        "matches": BATCH,
        "ms_per_audiobook_10k": round(median(few) / BATCH * 1000, 3),
        "ms_per_audiobook_1m": round(median(many) / BATCH * 1000, 3),
        "growth_10k_1m": ratio(many, few),
    }


def watch_authors(watches: int) -> None:
    """Go on to so many watches: watch number n, from 0 on, is of `Author n`."""
    known = Watch.objects.count()
    if not known:
        hook = {"url": "http://127.0.0.1:9/", "secret": SECRET}
        make_crowd(people=1, now=clock.now(), author=author(0), config=hook)
        known = 1
    first = Watch.objects.earliest("id")
    people, all_people = max(1, known // EACH), watches // EACH
    add_people(first, people, all_people)
    copy(
        Watch,
        f"t.id = {first.id}",
        f"""(SELECT u.id, g AS number FROM generate_series({known}, {watches - 1}) g
             JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM accounts_user) u
             ON u.place = g / {EACH} ORDER BY g) AS""",  # noqa: S608 (ours)
        user_id="n.id",
        query="'Author ' || n.number",
    )
    new = f"(SELECT * FROM watches WHERE id > {last_keyed()})"  # noqa: S608 (ours)
    copy(
        WatchKey,
        f"t.watch_id = {first.id}",
        new,
        user_id="n.user_id",
        watch_id="n.id",
        key="'author~' || lower(n.query)",
    )
    copy(WatchQuery, f"t.watch_id = {first.id}", new, watch_id="n.id", query="lower(n.query)")
    assert name_key(author(5)) == author(5).lower()
    assert Watch.objects.count() == WatchKey.objects.count() == watches
    sql.rows("VACUUM ANALYZE")


def last_keyed() -> int:
    ((watch_id,),) = sql.rows("SELECT max(watch_id) FROM watch_keys")
    return int(watch_id)


def add_people(first: Watch, people: int, all_people: int) -> None:
    """Users, each with a channel that hears all of its watches."""
    copy_user(first.user, f"more{people}x", all_people - people)
    unheard = "(SELECT u.id FROM accounts_user u LEFT JOIN channels c ON c.user_id = u.id WHERE c.id IS NULL)"
    channel = first.user.channels.get()
    copy(Channel, f"t.id = {channel.id}", unheard, user_id="n.id")
    unrouted = (
        "(SELECT c.* FROM channels c LEFT JOIN routes r ON r.channel_id = c.id WHERE r.id IS NULL)"
    )
    copy(Route, f"t.channel_id = {channel.id}", unrouted, user_id="n.user_id", channel_id="n.id")


def author(number: int) -> str:
    return f"Author {number}"


def match(number: int) -> float:
    """Seconds from a batch of new audiobooks, recorded and numbered, to all of their promises."""
    now = clock.now()
    day = now.date() + dt.timedelta(days=30)
    step = FEW // BATCH
    authors = [author(number + step * place) for place in range(BATCH)]
    listings = [make_listing(authors=[name], release_date=day) for name in authors]
    record_listings(listings=listings, fetched_at=now, now=now)
    publish_events()
    before = Delivery.objects.count()
    taken = seconds(fan_out_all)
    assert Delivery.objects.count() == before + BATCH
    assert not ReleaseEvent.objects.unprocessed().exists()
    return taken


def fan_out_all() -> None:
    """As the task does."""
    chunk = settings.FAN_OUT_CHUNK
    while services.fan_out_due(now=clock.now(), limit=BATCH, chunk=chunk):
        pass


@contextmanager
def copy_of_database(name: str) -> Iterator[None]:
    """A second database with all that the first one holds now."""
    source = connection.settings_dict["NAME"]
    engine().dispose()
    with inside("postgres"):
        sql.rows(f"DROP DATABASE IF EXISTS {name}")
        sql.rows(f"CREATE DATABASE {name} TEMPLATE {source}")
    try:
        yield
    finally:
        with inside("postgres"):
            sql.rows(f"DROP DATABASE {name}")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Work in another database of the server."""
    before = connection.settings_dict["NAME"]
    _change_to(name)
    try:
        yield
    finally:
        _change_to(before)


def _change_to(name: str) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL only
    connection.settings_dict["NAME"] = name
