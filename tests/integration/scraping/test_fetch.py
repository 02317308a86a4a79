"""How a store is asked: what leaves the house, and how much of what comes back is taken."""

import datetime as dt
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import requests
from pytest_django import Settings

from scraping.outcomes import Failed
from scraping.pages import Answer
from scraping.sources.http import LARGEST_BODY, fetch, open_session


class Odd(BaseHTTPRequestHandler):
    """Answers oddly, by path; remembers what it was sent."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []
    closing = threading.Event()

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
    assert Odd.seen[0]["accept"] == "application/json"


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
