"""Abuse of /graphql against a web server as it is deployed: what each refusal takes, and costs others."""

import asyncio
import itertools
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from catalog.services import record_listings
from stalkerr import clock
from tests.abuse import ABUSES, Abuse
from tests.benchmarks.ingest import make_listings
from tests.web import served

TITLES = 2_000
TIMES = 20  # that each abuse is sent, one after the other
ROUNDS = 10
SECONDS = 6  # a round, with abuse or without
LEGIT_PER_S, ABUSE_PER_S = 10, 50
STATED = (  # the list of reliability.md
    *("depth of 50", "1,000 aliases", "1,000 operations in a batch", "10,000 directives"),
    *("a field 5,000 times", "a fragment that holds itself", "introspection", "a misspelt field"),
    *("a mutation over GET", "a form", "@defer"),
)
_ADDRESSES = (f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1" for n in itertools.count())  # a /64 each
QUESTION = Abuse(
    json.dumps(
        {
            "query": "{ audiobooks(pageSize: 20) { next results { title releaseDate authors "
            "series { title sequence } work { editions(pageSize: 3) { asin marketplace } } } } }"
        }
    ),
    status=200,
)


def measure() -> dict[str, Any]:
    """Milliseconds of the slowest kind of refusal, and by how much abuse slows others down.

    Everybody comes from an address of their own: no limit of requests helps here.
    `p99_ratio`: of legitimate questions with 50 abuses a second and without, by turns.
    """
    listings = list(make_listings(random.Random(7), TITLES, "G"))
    record_listings(listings=listings, fetched_at=clock.now(), now=clock.now())
    # It believes what we say of who asks.
    with (
        tempfile.TemporaryDirectory() as folder,
        served(log=Path(folder) / "web", TRUSTED_PROXIES="127.0.0.1") as (url, _),
    ):
        refusals = asyncio.run(refuse_each(url))
        quiet, busy = asyncio.run(ask_by_turns(url))
    slowest = max(refusals, key=lambda name: refusals[name])
    return {
        "benchmark": "graphql_abuse",
        "kinds": len(refusals),
        "refused_ms": round(refusals[slowest], 1),
        "slowest": slowest,
        "stated_ms": {name: round(refusals[name], 1) for name in STATED},
        "questions": len(quiet) + len(busy),
        "p50_ms": {"alone": round(median(quiet) * 1000), "abused": round(median(busy) * 1000)},
        "p99_ratio": round(p99(busy) / p99(quiet), 2),
        "p99_ms": {"alone": round(p99(quiet) * 1000), "abused": round(p99(busy) * 1000)},
    }


async def refuse_each(url: str) -> dict[str, float]:
    """Milliseconds of each kind of abuse, the median of many, nothing else going on."""
    taken: dict[str, list[float]] = {name: [] for name in ABUSES}
    async with aiohttp.ClientSession() as session:
        for _ in range(TIMES):
            for name, abuse in ABUSES.items():
                begun = time.perf_counter()
                await send(session, url, abuse)
                taken[name].append(time.perf_counter() - begun)
    return {name: median(seconds) * 1000 for name, seconds in taken.items()}


async def ask_by_turns(url: str) -> tuple[list[float], list[float]]:
    """Seconds of legitimate questions: alone, and beside abuse."""
    quiet: list[float] = []
    busy: list[float] = []
    abuses = [ABUSES[name] for name in STATED]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await spread(session, url, [QUESTION], LEGIT_PER_S, seconds=2)  # everything is loaded
        for _ in range(ROUNDS):
            quiet += await spread(session, url, [QUESTION], LEGIT_PER_S)
            legit, _ = await asyncio.gather(
                spread(session, url, [QUESTION], LEGIT_PER_S),
                spread(session, url, abuses, ABUSE_PER_S),
            )
            busy += legit
    return quiet, busy


async def spread(
    session: aiohttp.ClientSession,
    url: str,
    kinds: Sequence[Abuse],
    per_second: int,
    seconds: int = SECONDS,
) -> list[float]:
    """Send so many a second, in turn, whatever becomes of those before; seconds of each."""
    begun = time.perf_counter()

    async def send_at(moment: float, kind: Abuse) -> float:
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        await send(session, url, kind)
        return time.perf_counter() - moment

    moments = [begun + number / per_second for number in range(per_second * seconds)]
    return await asyncio.gather(*map(send_at, moments, itertools.cycle(kinds)))


async def send(session: aiohttp.ClientSession, url: str, kind: Abuse) -> None:
    """From an address that nobody has used yet; anything but the expected status is an error."""
    headers = {"Content-Type": kind.content_type, "X-Forwarded-For": next(_ADDRESSES)}
    target = f"{url}/graphql{kind.query}"
    async with session.request(kind.method, target, data=kind.body, headers=headers) as answer:
        body = await answer.read()
    if answer.status != kind.status:
        raise RuntimeError(f"{answer.status} instead of {kind.status}: {body[:200]!r}")


def p99(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100)[-1]
