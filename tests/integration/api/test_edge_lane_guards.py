"""The lane before Django, among those who mean it harm and servers that fail."""

import asyncio
import datetime as dt
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from pytest_django import Settings
from redis import Redis

from api.edge import making
from api.edge.answers import Answer
from api.edge.flights import Flights
from api.edge.line import Line, LineError
from api.edge.memory import Memory
from api.edge.questions import Question
from api.edge.shelf import PREFIX, Shelf
from catalog import revisions
from catalog.models import Audiobook
from notifications.hiding import hide_audiobook
from stalkerr import figures
from tests.e2e.crew import database_url
from tests.edge import PEER, Edge, titles
from tests.factories import make_audiobook
from tests.sinks import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]

UPCOMING = "/api/upcoming"
RSS = "/feeds/upcoming.rss"


@pytest.fixture
def book(now: dt.datetime) -> Audiobook:
    made = make_audiobook(now=now, title="Of Sand", out_in=5)
    revisions.publish()
    return made


@pytest.fixture
def edge(book: Audiobook) -> Generator[Edge]:
    with Edge() as begun:
        yield begun


def question(query: str) -> Question:
    return Question("upcoming", UPCOMING, query, "http://testserver", ("us",))


def answer(body: bytes = b"{}") -> Answer:
    return Answer.of("us 1", 0, ((b"content-type", b"application/json"),), body)


def test_many_small_answers_fill_the_memory_too() -> None:
    """Proves the guard _AROUND: what finds nothing can be asked in any words, by anybody."""
    memory = Memory(size=100_000)
    questions = [question(f"q=nothing{number}") for number in range(500)]
    for each in questions:
        memory.put(each, answer())
    kept = [each for each in questions if memory.get(each)]
    assert 1 < len(kept) < 50
    assert kept == questions[-len(kept) :]


def test_a_page_that_takes_too_long_is_left_to_django(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard LONGEST: who asks waits for as long as a database that hangs."""
    assert titles(edge.get(UPCOMING)) == ["Of Sand"]
    before = len(edge.asked_of_django)
    monkeypatch.setattr(making, "LONGEST", 0.05)
    with ThreadPoolExecutor(1) as asking, psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE audiobooks")
        waiting = asking.submit(edge.get, f"{UPCOMING}?q=sand")
        try:
            wait_until(lambda: len(edge.asked_of_django) > before)
        finally:
            other.rollback()
        assert titles(waiting.result(30)) == ["Of Sand"]


def test_hosts_in_many_spellings_are_not_all_remembered(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard ORIGINS: any port makes another origin."""
    monkeypatch.setattr(making, "ORIGINS", 3)
    for port in range(1, 9):
        assert titles(edge.get(UPCOMING, host=f"testserver:{port}")) == ["Of Sand"]
    assert 1 <= len(edge.open._maker._manners) <= 3


@pytest.mark.parametrize(
    "headers",
    [{"if_match": '"another"'}, {"if_unmodified_since": "Thu, 01 Jan 2026 00:00:00 GMT"}],
)
@pytest.mark.parametrize("path", [UPCOMING, RSS])
def test_conditions_that_only_django_knows_are_left_to_it(
    edge: Edge, path: str, headers: dict[str, str]
) -> None:
    edge.get(path)
    assert edge.get(path, **headers).status == 412


def test_a_query_that_is_no_text_is_left_to_django(edge: Edge) -> None:
    edge.get(UPCOMING)
    edge.asked_of_django.clear()
    edge.get(f"{UPCOMING}?q=\xfc")
    assert edge.asked_of_django == [UPCOMING]


@pytest.mark.usefixtures("book")
def test_a_proxy_that_comes_by_tls_may_say_it_was_asked_without(settings: Settings) -> None:
    """Proves the order in _came_by_tls: else a page asked for in the clear would be answered."""
    settings.TRUSTED_PROXIES = [f"{PEER}/32"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    with Edge() as edge:
        said = {
            way: edge.get(UPCOMING, scheme="https", x_forwarded_proto=way).status
            for way in ("https", "http")
        }
    assert said == {"https": 200, "http": 301}


def test_what_is_hidden_is_gone_at_once(edge: Edge, book: Audiobook, now: dt.datetime) -> None:
    paths = [UPCOMING, RSS, "/feeds/upcoming.ics"]
    before = edge.get_all(paths)
    assert all(b"Of Sand" in reply.body for reply in before)
    hide_audiobook(audiobook=book, now=now)
    after = [
        edge.get(p, if_none_match=r.headers["etag"]) for p, r in zip(paths, before, strict=True)
    ]
    assert [(reply.status, b"Of Sand" in reply.body) for reply in after] == [(200, False)] * 3


def test_what_cannot_be_read_from_the_cache_is_made_anew(edge: Edge) -> None:
    """Proves the guard in _good: another version of this program may have written it."""
    edge.get(UPCOMING)
    first = edge.get(f"{UPCOMING}?q=sand")
    with Redis.from_url(django_settings.CACHE_URL) as redis:
        wait_until(lambda: len(list(redis.scan_iter(f"{PREFIX}*"))) >= 2)
        kept = list(redis.scan_iter(f"{PREFIX}{'?' * 32}"))
        redis.set(kept[0], b"{}")
        redis.set(kept[1], b"no\n")
    with Edge() as other:
        assert other.get(UPCOMING).status == 200
        assert other.get(f"{UPCOMING}?q=sand").body == first.body


def test_of_those_who_wait_for_an_answer_one_packs_it(edge: Edge, now: dt.datetime) -> None:
    """Proves the look into memory in _packed: packing holds up all else that a process does."""
    make_audiobook(now=now, title="Long", summary="Sand & more of it. " * 100)
    replies = edge.get_all([UPCOMING] * 20, accept_encoding="br")
    assert {reply.headers["content-encoding"] for reply in replies} == {"br"}
    assert len({id(reply.body) for reply in replies}) == 1  # they are the very same bytes


def test_who_leaves_stops_nobody() -> None:
    """Proves the guard shield in Flights: what others wait for goes on."""

    async def leave() -> tuple[int, int]:
        flights: Flights[int] = Flights()
        landed, begun = asyncio.Event(), 0

        async def begin() -> int:
            nonlocal begun
            begun += 1
            await landed.wait()
            return 7

        first, second = (asyncio.create_task(flights.join("it", begin)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        landed.set()
        return await second, begun

    assert asyncio.run(leave()) == (7, 1)


def test_a_commit_outlives_a_hint_that_fails(now: dt.datetime) -> None:
    """Proves the guard robust: what is committed is done, whatever becomes of the hint."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_revisions RENAME TO elsewhere")
        try:
            book = make_audiobook(now=now)
        finally:
            cursor.execute("ALTER TABLE elsewhere RENAME TO store_revisions")
    assert Audiobook.objects.filter(pk=book.pk).exists()


def test_what_is_known_costs_one_question_to_redis(edge: Edge) -> None:
    first = edge.get(UPCOMING)
    edge.get(UPCOMING, accept_encoding="br")
    with Redis.from_url(django_settings.BUCKETS_URL) as redis:
        wait_until(lambda: redis.hlen(figures.POOLS) > 0)  # the first beat is over
    with (
        asked_of(django_settings.BUCKETS_URL) as counted,
        asked_of(django_settings.CACHE_URL) as kept,
    ):
        for _ in range(3):
            assert edge.get(UPCOMING).body == first.body
            assert edge.get(UPCOMING, accept_encoding="br").status == 200
            assert edge.get(UPCOMING, if_none_match=first.headers["etag"]).status == 304
    if django_settings.BUCKETS_URL != django_settings.CACHE_URL:
        assert kept == []
    assert counted == ["EVALSHA"] * 9


@contextmanager
def asked_of(url: str) -> Iterator[list[str]]:
    """The commands that clients send to a Redis in the meantime."""
    said: list[str] = []
    with ExitStack() as stack:
        redis, other = (stack.enter_context(Redis.from_url(url)) for _ in range(2))
        other.ping()  # says hello now
        monitor = stack.enter_context(redis.monitor())
        number = other.get_connection_kwargs().get("db") or 0
        yield said
        other.echo("ended")
        for each in monitor.listen():
            if each["command"].upper() == "ECHO ENDED":
                break
            if each["db"] == number and each["client_type"] != "lua":
                said.append(each["command"].split()[0].upper())


def test_a_redis_that_hangs_is_left_alone_for_a_while() -> None:
    """Proves the guard has_hung: its kernel takes connections, and each would be waited for."""

    async def ask_twice() -> int:
        taken = 0

        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            taken += 1
            await reader.read()
            writer.close()

        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        line = Line(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        for _ in range(3):
            with pytest.raises(LineError):
                await line.ask("PING")
        await line.close()
        server.close()
        return taken

    assert asyncio.run(ask_twice()) == 1


def test_a_line_that_is_closed_stays_closed() -> None:
    async def ask_after() -> None:
        line = Line(django_settings.BUCKETS_URL)
        assert await line.ask("PING") == b"PONG"
        await line.close()
        for _ in range(2):  # the first may find the old connection
            with pytest.raises(LineError):
                await line.ask("PING")

    asyncio.run(ask_after())


def test_what_nobody_waits_for_is_done_before_the_end() -> None:
    """Proves the guard in Shelf.close: else others would wait for a turn that nobody gives back."""

    async def put_and_leave() -> None:
        shelf = Shelf()
        shelf.put(question("q=last"), answer(b"kept"))
        await shelf.close()

    asyncio.run(put_and_leave())
    with Redis.from_url(django_settings.CACHE_URL) as redis:
        (key,) = redis.scan_iter(f"{PREFIX}{'?' * 32}")
        assert Answer.loaded(redis.get(key)).bodies[""] == b"kept"
