"""Messages from due rows to the wire and settled, by one process, against three other ways."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from statistics import median
from typing import Any

import aiohttp
from django.conf import settings

from notifications import services, telling
from notifications.models import Message
from notifications.sender import sender
from stalkerr import clock, sql
from tests.benchmarks import one_by_one
from tests.benchmarks.responder import Sent, kept, responder
from tests.benchmarks.rounds import ratio, seconds
from tests.crowd import SECRET, make_crowd
from tests.factories import make_audiobook

MESSAGES = 20_000
ROUNDS = 5
HOOKS = 500  # channels, all at one host
TITLES = MESSAGES // ROUNDS // HOOKS  # of each round, told to every hook
SHARE = 200  # messages a round of the ways that send them one by one
_SUMMARY = "A lighthouse, a letter nobody sent, and the winter in which both are found. " * 8


def measure() -> dict[str, Any]:
    """How many times as long others take for a message, and how many we send a second.

    `vs_bare`: a bare aiohttp loop that posts the same requests over as many connections.
    `cpu_us_per_message`: of the thread that talks to the database, of the one on the network.
    """
    with ExitStack() as stack:
        url = stack.enter_context(responder())
        follow(url)
        ours, bare, tasks, apprised, cpu = [], [], [], [], []
        stack.enter_context(one_by_one.worker(url))
        notify, missing = load_apprise(url)
        for number in range(ROUNDS):
            promise(number)
            cpu.append(cpu_of(lambda: ours.append(seconds(tell))))
            requests = [(f"{url}{path}", headers, body) for path, headers, body in kept(url)]
            assert answered_ids(requests) == HOOKS * TITLES
            bare.append(seconds(lambda: asyncio.run(post_all(requests))))  # noqa: B023 (run at once)
            tasks.append(one_by_one.send(requests[:SHARE], url))
            if notify:
                apprised.append(seconds(lambda: [notify() for _ in range(SHARE)]))
        assert Message.objects.filter(state=Message.State.SENT).count() == MESSAGES
    each = [taken / HOOKS / TITLES for taken in ours]
    return {
        "benchmark": "tell",
        "messages": MESSAGES,
        "in_flight": settings.TELL_IN_FLIGHT,
        "messages_per_s": round(1 / median(each)),
        "vs_bare": ratio(bare, ours),
        "vs_task_per_message": ratio([taken / SHARE for taken in tasks], each),
        "vs_apprise": ratio([t / SHARE for t in apprised], each) if apprised else None,
        **({"why_no_apprise": missing} if missing else {}),
        "cpu_us_per_message": {
            "rows": round(median(rows for rows, _ in cpu) / HOOKS / TITLES * 1e6),
            "wire": round(median(wire for _, wire in cpu) / HOOKS / TITLES * 1e6),
        },
    }


def follow(url: str) -> None:
    """Listeners of one author, each with a hook of its own."""
    make_crowd(
        people=HOOKS,
        now=clock.now(),
        config=lambda number: {"url": f"{url}/hook/{number}", "secret": SECRET},
    )


def promise(number: int) -> None:
    """A few new titles, promised to every hook."""
    for title in range(TITLES):
        now = clock.now()
        name = f"The Book {number} of {title}"
        make_audiobook(now=now, title=name, subtitle="A Novel", summary=_SUMMARY)
        while services.fan_out_due(now=now, limit=200, chunk=HOOKS * 2):
            pass
    sql.rows("ANALYZE")


def tell() -> None:
    """As the task does, over and over, until everything is written down."""
    while telling.tell(kind="webhook", clock=clock.now):
        pass
    assert sender().wait(left=0, within=60)


def cpu_of(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of this thread, and of all others of this process."""
    mine, whole = time.thread_time(), time.process_time()
    work()
    mine = time.thread_time() - mine
    return mine, time.process_time() - whole - mine


def answered_ids(requests: Sequence[Sent]) -> int:
    return len({headers["webhook-id"] for _, headers, _ in requests})


async def post_all(requests: Sequence[Sent]) -> None:
    """The bare loop: as many sends at once, over kept connections."""
    left = iter(requests)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(post(session, left) for _ in range(settings.TELL_IN_FLIGHT)))


async def post(session: aiohttp.ClientSession, left: Iterator[Sent]) -> None:
    for url, headers, body in left:
        async with session.post(url, data=body.encode(), headers=headers) as answer:
            await answer.read()
            assert answer.status == 200


def load_apprise(url: str) -> tuple[Callable[[], object] | None, str]:
    """What sends one notification with Apprise's JSON plugin; or why it can't."""
    try:
        apprise: Any = import_module("apprise")
    except ImportError as error:
        return None, str(error)
    target = apprise.Apprise()
    target.add(url.replace("http://", "json://") + "/hook/0")

    def notify() -> None:
        assert target.notify(title="The Book is out on 9 June", body=_SUMMARY)

    return notify, ""
