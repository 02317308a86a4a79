"""What so many people, watches and stores ask of the machines: sums and a queue, no database."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

DAY = 24 * 3600
YEAR = 365
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured, in seconds and bytes."""

    page_s: float  # of a visit: a page of fifty titles fetched, read and recorded unchanged
    title_s: float  # a new title recorded
    match_s: float  # a piece of news to nobody
    promise_s: float  # the same to one more listener: what the event's lock is held for
    promise_database_s: float  # of that, PostgreSQL's processor
    send_s: float  # a message, by one process alone
    send_database_s: float  # of that, PostgreSQL's processor
    watch_bytes: float  # a watch with its keys, in tables and indexes
    told_bytes: float  # what was told, which stays for good
    delivery_bytes: float  # a delivery with its message and attempt, kept for months


@dataclass(frozen=True, slots=True)
class World:
    """Whom it is for. What is no count of ours is assumed, and said so."""

    users: int = 10_000_000
    watches: int = 100_000_000
    marketplaces: int = 11
    followers: int = 2_000_000  # of the release
    targets: int = 400_000  # assumed: so many different authors, series and words, by marketplace
    visits_a_day: float = 1.0  # assumed, of a target: most are quiet, and visited once a day
    pages: float = 1.3  # assumed, of a visit
    request_interval_s: float = 3.0  # STORE_REQUEST_INTERVAL
    titles_a_day: int = 3_000  # assumed, new ones and changed ones, over all marketplaces
    news_a_year: float = 6.0  # assumed, that a watch hears
    months_kept: float = 13.0  # KEEP_MESSAGES


def usual_day(world: World, costs: Costs) -> dict[str, Any]:
    """How busy each station is on an ordinary day; 1.0 is all that one of it can do."""
    requests = world.targets * world.visits_a_day * world.pages
    turns = world.marketplaces * DAY / world.request_interval_s
    told = world.watches * world.news_a_year / YEAR
    database = told * (costs.promise_database_s + costs.send_database_s)
    busy = {
        "turns at stores (of all there are)": requests / turns,
        "visitors (processes)": (requests * costs.page_s + world.titles_a_day * costs.title_s)
        / DAY,
        "fan-out (processes)": (world.titles_a_day * costs.match_s + told * costs.promise_s) / DAY,
        "senders (processes)": told * costs.send_s / DAY,
        "PostgreSQL (cores, for telling)": database / DAY,
    }
    return {
        "requests": round(requests),
        "deliveries": round(told),
        "busy": {name: round(share, 3) for name, share in busy.items()},
        "hours_between_visits": round(24 * max(1.0, requests / turns) / world.visits_a_day, 1),
        "bottleneck": max(busy, key=lambda name: busy[name]),
    }


def kept(world: World, costs: Costs) -> dict[str, float]:
    """Gigabytes: what there is at once, what a year adds for good, what months hold."""
    told = world.watches * world.news_a_year
    return {
        "watches_gb": round(world.watches * costs.watch_bytes / GIGA),
        "told_gb_a_year": round(told * costs.told_bytes / GIGA),
        "messages_gb": round(told * costs.delivery_bytes * world.months_kept / 12 / GIGA),
    }


def release(world: World, costs: Costs, *, processes: int, cores: int) -> dict[str, Any]:
    """One title to all its followers, second by second: promised by one, sent by many.

    `cores`: PostgreSQL's. The fan-out of one event is one queue, whatever the number of processes:
    its chunks come one after the other.
    """
    promised = sent = 0.0
    now, backlog = 0, 0.0
    reached: dict[float, int] = {}
    bounds: Counter[str] = Counter()
    while sent < world.followers and now < 7 * DAY:
        now += 1
        fresh = min(
            world.followers - promised, 1 / costs.promise_s, cores / costs.promise_database_s
        )
        promised += fresh
        spare = max(0.0, cores - fresh * costs.promise_database_s)
        limits = {
            "fan-out": promised - sent,
            "senders": processes / costs.send_s,
            "PostgreSQL": spare / costs.send_database_s,
        }
        bound = min(limits, key=lambda name: limits[name])
        bounds[bound] += 1
        sent += limits[bound]
        backlog = max(backlog, promised - sent)
        for share in (0.5, 0.95, 1.0):
            if sent >= share * world.followers - 1e-6:
                reached.setdefault(share, now)
    return {
        "processes": processes,
        "cores": cores,
        "p50_s": reached.get(0.5),
        "p95_s": reached.get(0.95),
        "all_s": reached.get(1.0),
        "waiting_at_most": round(backlog),
        "bottleneck": bounds.most_common(1)[0][0],
    }
