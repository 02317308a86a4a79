"""News to one destination while another, with much pending, hangs or refuses."""

import datetime as dt
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from notifications import services
from notifications.models import Channel, Delivery, Destination, Message
from stalkerr import clock
from stalkerr.embedded.server import free_port
from tests.benchmarks.rounds import ratio
from tests.chaos.leaps import leap_until, own_clock
from tests.crowd import SECRET, make_crowd
from tests.e2e.crew import crew
from tests.factories import make_audiobook
from tests.sinks import HttpSink, RawSink, wait_until
from workers.hints import hint_once

PENDING = 10_000
ROUNDS = 5
TITLES, LISTENERS, GAP = 10, 20, 0.5  # a round: so many news to so many, one every 0.5 s
DEAD, DEAD_AUTHOR = "localhost", "Dee Parted"  # another destination than 127.0.0.1
CHUNK = 2 * PENDING
HOUR = dt.timedelta(hours=1)
UNKNOWN = {"failures": 0, "trips": 0, "open_until": None, "answered_at": None}  # as at first


def measure() -> dict[str, Any]:
    """By how much the 95th percentile of seen → told grows; connections to the dead one an hour.

    `p95_ratio`: of the worse of two deaths, the median over rounds. Each round begins with an
    endpoint that nobody knows to be dead yet; two processes send, with a time-out of 5 s. The
    hour passes by the clock only.
    """
    with ExitStack() as stack:
        sink = stack.enter_context(HttpSink())
        hole = stack.enter_context(RawSink())  # takes connections and says nothing
        hook = {"url": f"{sink.url}/hook", "secret": SECRET}
        make_crowd(people=LISTENERS, now=clock.now(), config=hook)
        urls = {
            "hanging": f"http://{DEAD}:{hole.port}/",
            "refusing": f"http://{DEAD}:{free_port()}/",  # nobody listens there
        }
        dead = {"url": urls["refusing"], "secret": SECRET}
        make_crowd(people=PENDING, now=clock.now(), config=dead, name="dead", author=DEAD_AUTHOR)
        # the 95th percentile of each round
        taken: dict[str, list[float]] = {"alone": [], "hanging": [], "refusing": []}
        with _crew(OUTBOUND_TIMEOUT="5", TICK_INTERVAL="10", SWEEP_INTERVAL="10"):
            tell(sink)  # everybody has started
            for _ in range(ROUNDS):
                for how, seconds in taken.items():
                    with pending_to(urls.get(how)):
                        seconds.append(quantiles(tell(sink), n=20)[-1])
        attempts = attempts_in_an_hour(hole, urls["hanging"])
    ratios = {how: ratio(taken[how], taken["alone"]) for how in urls}
    return {
        "benchmark": "dead_endpoint",
        "pending": PENDING,
        "messages": ROUNDS * TITLES * LISTENERS,
        "p95_ratio": max(ratios.values()),
        "p95_ms": {how: round(median(seconds) * 1000) for how, seconds in taken.items()},
        "attempts_per_hour": attempts,
    }


@contextmanager
def _crew(**settings: Any) -> Iterator[None]:
    with (
        tempfile.TemporaryDirectory() as logs,
        crew(Path(logs), workers=1, children=2, **settings),
    ):
        yield


@contextmanager
def pending_to(url: str | None) -> Iterator[None]:
    """Much that is pending to an endpoint whose breaker is closed; nothing where there is none."""
    if url:
        promise_to(url)
    yield
    forget()


def forget() -> None:
    """Give up what is left for the dead endpoint, as soon as nothing is on its wire."""
    promised = Delivery.objects.filter(channel__destination__address=DEAD)
    promised.filter(state=Delivery.State.PENDING).update(state=Delivery.State.CANCELLED)
    made = Message.objects.filter(channel__destination__address=DEAD)
    sending = made.filter(state=Message.State.SENDING)
    wait_until(lambda: not sending.exists(), within=60, every=0.1)
    made.filter(state=Message.State.DUE).update(
        state=Message.State.FAILED, next_attempt_at=None, finalized_at=clock.now()
    )


def promise_to(url: str) -> None:
    channel = Channel.objects.filter(destination__address=DEAD).first()
    assert channel
    channel.config = {"url": url, "secret": SECRET}
    dead = Channel.objects.filter(destination__address=DEAD)
    dead.update(sealed_config=channel.sealed_config)
    Destination.objects.filter(address=DEAD).update(**UNKNOWN)
    make_audiobook(now=clock.now(), authors=[DEAD_AUTHOR])
    while services.fan_out_due(now=clock.now(), limit=200, chunk=CHUNK):
        pass


def tell(sink: HttpSink) -> list[float]:
    """Seconds from the moment a title was seen to the moment each listener heard of it."""
    before = len(sink.requests)
    seen = {}
    for _ in range(TITLES):
        begun = time.monotonic()
        seen[make_audiobook(now=clock.now()).asin] = begun
        hint_once("notifications.fan_out", "tell")  # as a visit ends
        time.sleep(GAP)
    heard = sink.wait_for(before + TITLES * LISTENERS, within=120)[before:]
    return [request.at - seen[request.json()["data"]["audiobook"]["asin"]] for request in heard]


def attempts_in_an_hour(hole: RawSink, url: str) -> int:
    """Connections to an endpoint that never answers, with all the patience a sender has left."""
    Delivery.objects.all()._raw_delete("default")
    promise_to(url)
    before = hole.connections
    with own_clock(), _crew(OUTBOUND_TIMEOUT="1"):
        leap_until(clock.now() + HOUR, PENDING, together=dt.timedelta(seconds=1))
    return hole.connections - before
