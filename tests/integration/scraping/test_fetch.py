"""How a store is asked: what leaves the house, and how much of what comes back is taken."""

import datetime as dt
import gzip
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import requests
from pytest_django import Settings
from redis import Redis

from scraping import remembered
from scraping.outcomes import Failed
from scraping.pages import Answer
from scraping.sources.http import LARGEST_BODY, fetch, open_session

MODIFIED = "Sun, 22 Nov 2026 05:00:00 GMT"


class Odd(BaseHTTPRequestHandler):
    """Answers oddly, by path; remembers what it was sent."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []
    closing = threading.Event()
    mark: ClassVar[str] = "etag"
    mark_holds: ClassVar[bool] = True

    def do_GET(self) -> None:
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append({**sent, "port": str(self.client_address[1])})
        getattr(self, f"answer_{self.path.strip('/')}")()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def send(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_plain(self) -> None:
        self.send(b'{"a": 1}', ETag="x")

    def answer_marked(self) -> None:
        name, mark = ("ETag", '"1"') if self.mark == "etag" else ("Last-Modified", MODIFIED)
        asked_by = self.headers["If-None-Match"] or self.headers["If-Modified-Since"]
        if asked_by == mark and self.mark_holds:
            self.send(b"", status=304, Age="7", **{name: mark})
        else:
            self.send(b'{"a": 1}', status=200, Content_Type="application/json", **{name: mark})

    def answer_unasked(self) -> None:
        self.send(b"", status=304)

    def answer_zipped(self) -> None:
        self.send(gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")

    def answer_moved(self) -> None:
        self.send(b"", status=302, Location="/plain")

    def answer_cookie(self) -> None:
        self.send(b"{}", Set_Cookie="visitor=1; Path=/")

    def answer_huge(self) -> None:
        self.send(b" " * (LARGEST_BODY + 1))

    def answer_bomb(self) -> None:
        packed = gzip.compress(b" " * (LARGEST_BODY * 4))
        self.send(packed, Content_Encoding="gzip")

    def answer_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"products": [')
        self.close_connection = True

    def answer_drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.drip(b" ")

    def answer_dripping_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.drip(b"1\r\n \r\n")

    def drip(self, drop: bytes) -> None:
        while not self.closing.wait(0.05):
            try:
                self.wfile.write(drop)
            except OSError:
                return


@pytest.fixture
def base_url() -> Iterator[str]:
    Odd.seen.clear()
    Odd.closing.clear()
    Odd.mark, Odd.mark_holds = "etag", True
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Odd.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with open_session() as session:
        yield session


def test_it_says_who_is_asking(
    base_url: str, session: requests.Session, settings: Settings
) -> None:
    answer = fetch(f"{base_url}/plain", session)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["etag"], answer.body) == (200, "x", b'{"a": 1}')
    assert Odd.seen[0]["user-agent"] == settings.USER_AGENT
    assert Odd.seen[0]["accept"] == "application/json, text/html;q=0.9"


def test_it_unpacks(base_url: str, session: requests.Session) -> None:
    answer = fetch(f"{base_url}/zipped", session)
    assert isinstance(answer, Answer)
    assert answer.body == b'{"a": 1}'


@pytest.mark.parametrize("path", ["plain", "zipped", "moved"])
def test_it_asks_again_on_the_same_connection(
    base_url: str, session: requests.Session, path: str
) -> None:
    for _ in range(3):
        fetch(f"{base_url}/{path}", session)
    assert len({sent["port"] for sent in Odd.seen}) == 1


def test_it_follows_nobody(base_url: str, session: requests.Session) -> None:
    answer = fetch(f"{base_url}/moved", session)
    assert isinstance(answer, Answer)
    assert (answer.status, len(Odd.seen)) == (302, 1)


def test_it_carries_nothing_from_one_answer_to_the_next(
    base_url: str, session: requests.Session
) -> None:
    fetch(f"{base_url}/cookie", session)
    fetch(f"{base_url}/plain", session)
    assert "cookie" not in Odd.seen[1]


def test_it_ignores_the_environment(
    base_url: str, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert isinstance(fetch(f"{base_url}/plain", session), Answer)


@pytest.mark.parametrize("path", ["huge", "bomb"])
def test_it_takes_only_so_much(base_url: str, session: requests.Session, path: str) -> None:
    expected = Failed("the answer was too large or too slow", blind=True)
    assert fetch(f"{base_url}/{path}", session) == expected


def test_half_an_answer_is_none(base_url: str, session: requests.Session) -> None:
    answer = fetch(f"{base_url}/cut", session)
    assert isinstance(answer, Failed)
    assert answer.blind


@pytest.mark.parametrize("path", ["drip", "dripping_chunks"])
def test_it_does_not_wait_on_for_an_answer_that_drips(
    base_url: str, session: requests.Session, settings: Settings, path: str
) -> None:
    settings.STORE_TIMEOUT = dt.timedelta(seconds=0.3)
    expected = Failed("the answer was too large or too slow", blind=True)
    assert fetch(f"{base_url}/{path}", session) == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://", "nonsense", "http://a..b/"])
def test_a_store_that_is_not_there_is_a_blind_failure(session: requests.Session, url: str) -> None:
    answer = fetch(url, session)
    assert isinstance(answer, Failed)
    assert answer.blind


# -- what is remembered ------------------------------------------------------------------------


@pytest.fixture
def cache(settings: Settings) -> Iterator[Redis]:
    """The cache, without answers."""
    with Redis.from_url(settings.CACHE_URL) as cache:
        for key in cache.scan_iter("stalkerr:answer:*"):
            cache.delete(key)
        yield cache


def fetched(url: str, session: requests.Session) -> Answer:
    answer = fetch(url, session)
    assert isinstance(answer, Answer)
    return answer


def conditions() -> list[str | None]:
    """By what mark each request asked."""
    names = ("if-none-match", "if-modified-since")
    return [next((sent[name] for name in names if name in sent), None) for sent in Odd.seen]


@pytest.mark.parametrize(("mark", "sent"), [("etag", '"1"'), ("modified", MODIFIED)])
def test_what_did_not_change_is_the_answer_it_was(
    mark: str, sent: str, base_url: str, session: requests.Session, cache: Redis
) -> None:
    Odd.mark = mark
    first, second = (fetched(f"{base_url}/marked", session) for _ in range(2))
    assert (second.status, second.body) == (200, first.body)
    assert second.headers["content-type"] == "application/json"
    assert second.headers["age"] == "7"
    assert conditions() == [None, sent]


def test_what_changed_takes_its_place(
    base_url: str, session: requests.Session, cache: Redis
) -> None:
    fetched(f"{base_url}/marked", session)
    Odd.mark_holds = False
    assert fetched(f"{base_url}/marked", session).body == b'{"a": 1}'
    assert conditions() == [None, '"1"']


def test_without_a_mark_nothing_is_kept(
    base_url: str, session: requests.Session, cache: Redis
) -> None:
    fetched(f"{base_url}/zipped", session)
    assert list(cache.scan_iter("stalkerr:answer:*")) == []


def test_what_was_evicted_is_asked_for_plainly(
    base_url: str, session: requests.Session, cache: Redis
) -> None:
    fetched(f"{base_url}/marked", session)
    remembered.forget(f"{base_url}/marked")
    assert fetched(f"{base_url}/marked", session).status == 200
    assert conditions() == [None, None]


@pytest.mark.parametrize(
    "kept", [b"", b"no json", b"[]\n", b'{"etag": 1}\nx', b'{"etag": "1"}\nnot packed', b"\xff\n"]
)
def test_what_cannot_be_read_is_asked_for_plainly(
    kept: bytes, base_url: str, session: requests.Session, cache: Redis
) -> None:
    """Proves the guard unreadable memory: another program's bytes would fail every visit."""
    url = f"{base_url}/marked"
    cache.set(remembered._key(url), kept)
    assert fetched(url, session).status == 200
    assert conditions() == [None]


def test_an_answer_that_nobody_knows_is_a_failure(
    base_url: str, session: requests.Session, cache: Redis
) -> None:
    """Proves the guard unasked 304: an empty body would be taken for an empty page."""
    answer = fetch(f"{base_url}/unasked", session)
    assert isinstance(answer, Failed)
    assert answer.blind


def test_a_cache_that_is_away_fails_no_visit(
    base_url: str, session: requests.Session, settings: Settings
) -> None:
    """Proves the guard cache trouble: the store would seem to be down with it."""
    settings.CACHE_URL = "redis://127.0.0.1:1/0"
    remembered._cache.cache_clear()
    try:
        assert [fetched(f"{base_url}/marked", session).status for _ in range(2)] == [200, 200]
    finally:
        remembered._cache.cache_clear()
    assert conditions() == [None, None]


def test_what_is_kept_ends_a_day_after_it_was_read(
    base_url: str, session: requests.Session, cache: Redis
) -> None:
    """Proves the guard expiry: a store that says 304 for ever would hide what is new for ever."""
    url = f"{base_url}/marked"
    fetched(url, session)
    assert 86_000_000 < cache.pttl(remembered._key(url)) <= 86_400_000
    cache.pexpire(remembered._key(url), 1_000)
    assert fetched(url, session).status == 200
    assert cache.pttl(remembered._key(url)) <= 1_000


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": '"1"', "cache-control": "private, no-store"},
        {"etag": '"1"\r\nEvil: 1'},
        {"etag": ' "1"'},
        {"etag": "x" * 300},
        {},
    ],
)
def test_what_is_not_to_be_kept_is_not(headers: dict[str, str], cache: Redis) -> None:
    remembered.remember("https://store.example/", Answer(200, headers, b"{}"))
    assert remembered.recall("https://store.example/") is None


def test_what_is_large_is_not_kept(cache: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "LARGEST", 100)
    for length, kept in ((10, True), (1000, False)):
        url = f"https://store.example/{length}"
        remembered.remember(url, Answer(200, {"etag": '"1"'}, random.Random(1).randbytes(length)))
        assert (remembered.recall(url) is not None) is kept


def test_nothing_is_kept_where_the_setting_says_so(cache: Redis, settings: Settings) -> None:
    settings.STORE_REMEMBER = dt.timedelta()
    remembered.remember("https://store.example/", Answer(200, {"etag": '"1"'}, b"{}"))
    assert remembered.recall("https://store.example/") is None
