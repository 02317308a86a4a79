"""A page of the store fetched and read, and recorded, against a bare request and json."""

import datetime as dt
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import requests
from django.conf import settings

from catalog.services import record_listings
from scraping.pages import Answer
from scraping.sources.base import Progress, Query
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import DEFAULT, SOURCES
from stalkerr import clock

ROUNDS = 9
PAGES = 6  # of fifty titles, one after the other
AUTHOR = "Ada Example"


def measure() -> dict[str, Any]:
    """Shares of the speed of bare requests + json: read, and read and recorded unchanged.

    The store answers whole every time, in a process of its own; nobody waits for turns.
    `first_vs_bare`: summaries never read before, which is what a first visit meets.
    """
    with emulated_store():
        urls = page_urls()
        session = open_session()
        bare, read, recorded = [], [], []
        first = seconds(read_page, urls, session)
        for url in urls:
            record_page(url, session)
        for _ in range(ROUNDS):
            bare.append(seconds(ask_bare, urls, session))
            read.append(seconds(read_page, urls, session))
            recorded.append(seconds(record_page, urls, session))
        session.close()
    return {
        "benchmark": "visit",
        "titles": PAGES * 50,
        "bare_ms_per_page": round(median(bare) / PAGES * 1000, 1),
        "vs_bare": round(median(bare) / median(read), 2),
        "recorded_vs_bare": round(median(bare) / median(recorded), 2),
        "first_vs_bare": round(median(bare) / first, 2),
    }


@contextmanager
def emulated_store() -> Iterator[None]:
    """A store in a process of its own, with six pages of one author."""
    command = [sys.executable, "-m", "scraping.emulator", "--port", "0", "--marketplaces", "us"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (ours)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        settings.STORE_URL = found[0]
        settings.STORE_REMEMBER = dt.timedelta()
        tell("stock", marketplace="us", author=AUTHOR, count=PAGES * 50)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def tell(verb: str, **arguments: Any) -> None:
    url = f"{settings.STORE_URL}/emulator/{verb}"
    requests.post(url, json=arguments, timeout=30).raise_for_status()


def page_urls() -> list[str]:
    """The addresses of the pages as a visit asks for them."""
    source, query = SOURCES[DEFAULT], Query("us", "author", AUTHOR)
    reading, urls = source.start(query), []
    session = open_session()
    for _ in range(PAGES):
        urls.append(source.url(query, reading))
        result = source.step(query, reading, fetch(urls[-1], session), now=clock.now())
        assert isinstance(result, Progress)
        assert len(result.page.listings) == 50
        reading = result.reading
    session.close()
    return urls


def ask_bare(url: str, session: requests.Session) -> None:
    assert len(json.loads(session.get(url, timeout=30).content)["products"]) == 50


def read_page(url: str, session: requests.Session) -> Any:
    answer = fetch(url, session)
    assert isinstance(answer, Answer)
    page = SOURCES[DEFAULT].parse(answer.body, "us")
    assert len(page.listings) == 50
    return page


def record_page(url: str, session: requests.Session) -> None:
    page = read_page(url, session)
    now = clock.now()
    record_listings(listings=page.listings, fetched_at=now, now=now)


def seconds(
    ask: Callable[[str, requests.Session], Any], urls: list[str], session: requests.Session
) -> float:
    begun = time.monotonic()
    for url in urls:
        ask(url, session)
    return time.monotonic() - begun
