"""Reads of the edge lane over HTTP, against a bare server, a plain view, and lxml alone."""

import datetime as dt
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from lxml import etree

from api.feeds.entries import Feed
from api.feeds.xml import rss
from catalog import revisions
from catalog.listing import SeriesPlace
from catalog.services import record_listings
from stalkerr import clock, sql
from tests.benchmarks.hurry import ask, request, seconds_each
from tests.benchmarks.rounds import ratio, seconds
from tests.factories import make_listing
from tests.feeds import feed_of
from tests.web import served

ROUNDS = 7
MANY = "1000000"  # times as many requests as are allowed
TITLES = 200
AT_ONCE = 16  # connections
FAST, SLOW = 4_000, 60  # requests of a round
ENTRIES = 200
_SUMMARY = "A lighthouse, a letter nobody sent, and the winter in which both are found. " * 4
_DC = "http://purl.org/dc/elements/1.1/"


def measure() -> dict[str, Any]:
    """Ratios: of rates (`cached`, `not_modified`), of CPU an answer (`uncached`), of feeds.

    The bare server writes no line for a request, so neither does ours; `logged_…` are the same with
    the lines that a deployment has.
    """
    fill()
    with ExitStack() as stack:
        ours, our_process = stack.enter_context(served(LIMITS_FACTOR=MANY, LOG_LEVEL="WARNING"))
        logged, _ = stack.enter_context(served(LIMITS_FACTOR=MANY, LOG_FORMAT="json"))
        plain, plain_process = stack.enter_context(
            served("tests.benchmarks.plain:application", interface="asginl")
        )
        page = ask(ours, request(ours, "/api/upcoming"))
        _, _, body = page.partition(b"\r\n\r\n")
        assert len(json.loads(body)["results"]) == 50
        assert (
            len(
                json.loads(ask(plain, request(plain, "/plain")).partition(b"\r\n\r\n")[2])[
                    "results"
                ]
            )
            == 50
        )
        kept = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "body"
        kept.write_bytes(body)
        bare, _ = stack.enter_context(
            served("tests.benchmarks.bare:application", BARE_BODY=str(kept))
        )
        figures = compare(ours, logged, bare)
        figures |= compare_uncached((ours, our_process), (plain, plain_process))
    return {"benchmark": "api", "bytes": len(body), **figures, **compare_feeds()}


def compare(ours: str, logged: str, bare: str) -> dict[str, Any]:
    ways: dict[str, list[float]] = {}
    tags = {
        url: tag_of(ask(url, request(url, "/api/upcoming")).partition(b"\r\n\r\n")[0])
        for url in (ours, logged)
    }

    def take(name: str, url: str, requests: list[bytes], **options: Any) -> None:
        ways.setdefault(name, []).append(seconds_each(url, requests, **options))

    for _ in range(ROUNDS):
        take("bare", bare, [request(bare, "/")] * FAST, at_once=AT_ONCE)
        for name, url in (("cached", ours), ("logged", logged)):
            take(name, url, [request(url, "/api/upcoming")] * FAST, at_once=AT_ONCE)
        take("bare_304", bare, [request(bare, "/304")] * FAST, at_once=AT_ONCE, status=304)
        for name, url in (("known", ours), ("logged_known", logged)):
            known = request(url, "/api/upcoming", f"If-None-Match: {tags[url]}")
            take(name, url, [known] * FAST, at_once=AT_ONCE, status=304)
    return {
        "bare_per_s": round(1 / median(ways["bare"])),
        "cached_per_s": round(1 / median(ways["cached"])),
        "cached_vs_bare": ratio(ways["bare"], ways["cached"]),
        "not_modified_vs_bare": ratio(ways["bare_304"], ways["known"]),
        "logged_cached_vs_bare": ratio(ways["bare"], ways["logged"]),
        "logged_not_modified_vs_bare": ratio(ways["bare_304"], ways["logged_known"]),
    }


def compare_uncached(ours: tuple[str, int], plain: tuple[str, int]) -> dict[str, Any]:
    """CPU of the web process for an answer that nobody has asked for before; and the time it takes."""
    (our_url, our_process), (url, process) = ours, plain
    fresh = never_asked(our_url)
    our_cpu, drf_cpu, our_time, drf_time = [], [], [], []
    for _ in range(ROUNDS):
        begun = cpu_of(process)
        drf_time.append(seconds_each(url, [request(url, "/plain")] * SLOW))
        drf_cpu.append((cpu_of(process) - begun) / SLOW)
        begun = cpu_of(our_process)
        our_time.append(seconds_each(our_url, [next(fresh) for _ in range(SLOW)]))
        our_cpu.append((cpu_of(our_process) - begun) / SLOW)
    return {
        "uncached_cpu_ms": round(median(our_cpu) * 1000, 2),
        "drf_cpu_ms": round(median(drf_cpu) * 1000, 2),
        "uncached_vs_drf": ratio(drf_cpu, our_cpu),
        "uncached_time_vs_drf": ratio(drf_time, our_time),
    }


def cpu_of(process: int) -> float:
    """Seconds that a server and its workers have worked so far."""
    pids = [
        process,
        *(int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()),
    ]
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def compare_feeds() -> dict[str, Any]:
    feed = feed_of(["The Long Tide"] * ENTRIES, path="/feeds/upcoming.rss", title="Stalkerr")
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(seconds(lambda: with_lxml(feed)))
        ours.append(seconds(lambda: rss(feed)))
    return {"rss_ms": round(median(ours) * 1000, 1), "rss_vs_lxml": ratio(ours, bare)}


def fill() -> None:
    now = clock.now()
    listings = [
        make_listing(
            title=f"The Long Tide {number}",
            subtitle="A Novel",
            authors=[f"Author {number}", "Ada Example"],
            series=[SeriesPlace(f"B0SERIES{number % 9}", f"Tides {number % 9}", str(number))],
            summary=_SUMMARY,
            publisher="Sand & Sons",
            runtime_minutes=612,
            cover_url="https://covers.example.org/tide.jpg",
            release_date=now.date() + dt.timedelta(days=10 + number % 90),
        )
        for number in range(TITLES)
    ]
    record_listings(listings=listings, fetched_at=now, now=now)
    revisions.publish()
    sql.rows("VACUUM ANALYZE")


def never_asked(url: str) -> Iterator[bytes]:
    """Questions that no cache can know, all with the same answer."""
    for number in count():
        day = dt.date(2200, 1, 1) + dt.timedelta(days=number)
        yield request(url, f"/api/upcoming?to_date={day}")


def tag_of(head: bytes) -> str:
    lines = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
    return lines["etag"]


def with_lxml(feed: Feed) -> bytes:
    """The same items, with nothing in between."""
    root = etree.Element("rss", version="2.0", nsmap={"dc": _DC})
    channel = etree.SubElement(root, "channel")
    for name, text in (("title", feed.title), ("description", feed.description)):
        etree.SubElement(channel, name).text = text
    for entry in feed.entries:
        item = etree.SubElement(channel, "item")
        etree.SubElement(item, "title").text = entry.title
        etree.SubElement(item, "link").text = entry.link
        etree.SubElement(item, "description").text = entry.html()
        etree.SubElement(item, "guid", isPermaLink="false").text = entry.id
        etree.SubElement(item, "pubDate").text = entry.announced_at.isoformat()
        for author in entry.authors:
            etree.SubElement(item, f"{{{_DC}}}creator").text = author
        etree.SubElement(item, "enclosure", url=entry.cover, length="0", type=entry.cover_type)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written
