"""Ten million people and a release with two million followers, on costs measured here in small."""

import dataclasses
import random
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

from catalog.models import Watch, WatchKey, WatchQuery
from catalog.services import publish_events
from notifications.models import Attempt, Delivery, Message, Told
from scraping.sources.http import open_session
from stalkerr import clock, sql
from tests.benchmarks import ingest, tell, visit
from tests.benchmarks.match import fan_out_all
from tests.benchmarks.responder import responder
from tests.benchmarks.rounds import seconds
from tests.benchmarks.world import Costs, World, kept, release, usual_day
from tests.crowd import SECRET, make_crowd
from tests.factories import make_audiobook

ROUNDS: Final = 3
FANS, FAVOURITE = 20_000, "Grace Example"
NOBODYS = 40  # titles that nobody waits for
PLACES: Final = ((1, 4), (4, 8), (16, 16), (64, 32))  # processes that send, cores of PostgreSQL
_TICK = 100  # of /proc, a second


def measure() -> dict[str, Any]:
    """Costs, the usual day, what is kept, and the release in four places; each names its bottleneck."""
    world, costs = World(), measured()
    places = [release(world, costs, processes=each, cores=cores) for each, cores in PLACES]
    return {
        "benchmark": "simulate",
        "costs_us": {
            name.removesuffix("_s"): round(value * 1e6, 1)
            for name, value in dataclasses.asdict(costs).items()
            if name.endswith("_s")
        },
        "costs_bytes": {
            name.removesuffix("_bytes"): round(value)
            for name, value in dataclasses.asdict(costs).items()
            if name.endswith("_bytes")
        },
        "world": dataclasses.asdict(world),
        "usual_day": usual_day(world, costs),
        "kept": kept(world, costs),
        "release": places,
        "bottleneck": places[-1]["bottleneck"],
    }


def measured() -> Costs:
    """One after the other in one small database; the medians of a few rounds."""
    send_s, send_database_s = sending()
    promise_s, promise_database_s = promising()
    page_s, title_s = visiting()
    return Costs(
        page_s=page_s,
        title_s=title_s,
        match_s=matching(),
        promise_s=promise_s,
        promise_database_s=promise_database_s,
        send_s=send_s,
        send_database_s=send_database_s,
        watch_bytes=bytes_of(Watch, WatchKey, WatchQuery),
        told_bytes=bytes_of(Told),
        delivery_bytes=bytes_of(Delivery) + bytes_of(Message) + bytes_of(Attempt),
    )


def sending() -> tuple[float, float]:
    """(seconds, PostgreSQL's) a message, by one process to a receiver that is quicker than it."""
    taken, of_database = [], []
    with ExitStack() as stack:
        tell.follow(stack.enter_context(responder()))
        for number in range(ROUNDS):
            tell.promise(number)
            before = database_cpu()
            taken.append(seconds(tell.tell))
            of_database.append(database_cpu() - before)
    messages = tell.HOOKS * tell.TITLES
    return median(taken) / messages, median(of_database) / messages


def promising() -> tuple[float, float]:
    """(seconds, PostgreSQL's) a delivery, of one title to many."""
    hook = {"url": "http://127.0.0.1:9/", "secret": SECRET}
    make_crowd(people=FANS, now=clock.now(), name="fan", author=FAVOURITE, config=hook)
    taken, of_database = [], []
    for _ in range(ROUNDS):
        make_audiobook(now=clock.now(), authors=(FAVOURITE,))
        before, promised = database_cpu(), Delivery.objects.count()
        taken.append(seconds(fan_out_all))
        of_database.append(database_cpu() - before)
        assert Delivery.objects.count() == promised + FANS
    return median(taken) / FANS, median(of_database) / FANS


def matching() -> float:
    """Seconds a title that nobody waits for, among all these watches."""
    for number in range(NOBODYS):
        make_audiobook(now=clock.now(), authors=(f"Nobody {number}",))
    publish_events()
    return seconds(fan_out_all) / NOBODYS


def visiting() -> tuple[float, float]:
    """(seconds a page that is known, seconds a title that is new)."""
    with visit.emulated_store():
        urls, session = visit.page_urls(), open_session()
        visit.seconds(visit.record_page, urls, session)
        taken = [visit.seconds(visit.record_page, urls, session) for _ in range(ROUNDS)]
        session.close()
    shelf = list(ingest.make_listings(random.Random(7), 1_000, "S"))
    return median(taken) / visit.PAGES, ingest.seconds_each(ingest.record_pages, shelf)


def database_cpu() -> float:
    """Processor seconds of this database's connections so far; nan where the server is elsewhere."""
    pids = sql.rows("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    try:
        return sum(_cpu(pid) for (pid,) in pids)
    except FileNotFoundError:
        return float("nan")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def bytes_of(*models: Any) -> float:
    """A row of the first with its rows in the others, with indexes and whatever months there are."""
    size = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)"
    total = 0.0
    for model in models:
        table = model._meta.db_table
        ((found,),) = sql.rows(
            f"SELECT coalesce(({size}), pg_total_relation_size(%s))", [table] * 2
        )
        total += float(found)
    return total / int(models[0].objects.count())
