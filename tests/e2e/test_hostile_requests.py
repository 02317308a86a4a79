"""Requests that no client would send, over a real web server: each is refused, and breaks nothing."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.api.test_strangers import routes
from tests.web import errors_in, web

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.django_db(transaction=True)]

PATH = "/api/upcoming"
TARGETS = (  # what stands between the method and the version
    *(f"{PATH}?q=%ff%fe", f"{PATH}?q=%00", f"{PATH}?q=%ED%A0%80", f"{PATH}?q=%", f"{PATH}?%zz=%zz"),
    *(f"{PATH}?q=\xff\xfe", f"{PATH}?{'&' * 5000}", f"{PATH}?{'a=1&' * 2000}", f"{PATH}?=&=&==="),
    *(f"{PATH}?page_size=1&page_size=2&page_size=x", f"{PATH}?cursor=a&cursor=b", f"{PATH}?a[]=1"),
    *(
        f"{PATH}?page_size=%D9%A1",
        f"{PATH}?from_date=2027-13-45",
        f"{PATH}?from_date=9999999999-01-01",
    ),
    *(
        f"{PATH}%00",
        f"{PATH}/%2e%2e/%2e%2e/etc/passwd",
        "/api//upcoming",
        "//api/upcoming",
        "*",
        "/",
    ),
    *(
        "/%ff",
        "/%C0%AF",
        f"/{'a' * 20_000}",
        f"{PATH}#fragment",
        f"{PATH};a=b",
        "/api/works/9" * 50,
    ),
    *("/api/works/99999999999999999999999", "/api/works/-1", "/api/works/1e5", "/api/works/%31"),
    *("http://127.0.0.1/api/upcoming", "http://elsewhere.example/api/upcoming", "http://[::1"),
    *(
        "/feeds/private/%00.rss",
        "/feeds/upcoming.%00",
        "/confirm/%ff",
        "/unsubscribe/\x01",
        "/metrics?a",
    ),
)
HEADERS = (
    "Cookie: " + "a=b; " * 3000,
    "Cookie: sessionid=" + "x" * 8000,
    'Cookie: sessionid="\\377\\"; csrftoken=;;;=',
    "Cookie: sessionid=\xff\xfe\x80",
    "Authorization: Bearer",
    "Authorization: Bearer " + "." * 8000,
    "Authorization: Bearer \xff\xfe",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
    "Authorization: Basic !!!!",
    "Authorization: " + "Bearer " * 500,
    "Accept: " + "a/b;q=" * 500,
    "Accept: \xff/*",
    "Accept: */*;q=nan, text/html;level=" + "1" * 500,
    "Accept-Language: " + "x-" * 3000,
    "Accept-Encoding: gzip;q=-1, br;q=x, \xff",
    'If-None-Match: "' + "x" * 5000,
    "If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT",
    "Range: bytes=9-1,-,1-",
    "X-Forwarded-For: \xff, ::1%eth0, 999.1.1.1",
    "X-Forwarded-Proto: \x01",
    "Origin: null\x7f",
    "Origin: http://[::1",
    "Host: [::1",
    "Host: elsewhere.example\xff",
    "Content-Length: -1",
    "Content-Length: 1e3",
    "Content-Length: 99999999999999999999",
    "Content-Length: 5\r\nContent-Length: 6",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Expect: 200-maybe",
    "X: \x00",
    ": nameless",
    "X" * 9000 + ": y",
)
BODIES = (  # (media type, body)
    ("application/json", b"\xff\xfe{"),
    ("application/json; charset=nonsense", b"{}"),
    ("application/json; charset=utf-16", b"{}"),
    ("application/json", b'{"email": "\\ud800", "password": "x"}'),
    ("application/json", b'{"email": 1e999, "password": NaN}'),
    ("application/json", b"[" * 100_000),
    ("application/json", b'{"email": ' + b"9" * 10_000 + b"}"),
    ("multipart/form-data", b"x"),
    ("multipart/form-data; boundary=" + "b" * 300, b"--b\r\n"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n',
    ),
    ("\xff\xfe", b"x"),
    ("a" * 5000, b"x"),
    ("", b"x"),
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The server's address; at the end it has logged no error."""
    log = tmp_path / "web"
    with web(log, LIMITS_FACTOR="1000000") as url:
        yield url
    assert errors_in(log) == [], log.read_text()


def say(url: str, request: bytes, patience: float = 60) -> int:
    """The status of the answer to these bytes; 0: the server hung up, or waits for more."""
    at = urlsplit(url)
    with socket.create_connection((str(at.hostname), at.port or 0), timeout=patience) as connection:
        try:
            connection.sendall(request)
            found = re.match(rb"HTTP/1\.[01] (\d{3})", connection.makefile("rb").readline())
        except (ConnectionError, TimeoutError):
            return 0
    return int(found[1]) if found else 0


def asking(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    host = [] if any(each.startswith("Host:") for each in headers) else ["Host: 127.0.0.1"]
    lines = [f"{method} {target} HTTP/1.1", *host, "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def test_no_request_breaks_the_web_server(site: str) -> None:
    requests = [asking("GET", target) for target in TARGETS]
    requests += [asking("GET", target, header) for header in HEADERS for target in (PATH, "/")]
    requests += [
        asking("POST", path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", body=body)
        for kind, body in BODIES
        for path in ("/api/token", "/api/imports")
    ]
    requests += [b"\x16\x03\x01\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 1000]
    statuses = {request: say(site, request, patience=5) for request in requests}
    assert len(statuses) > 100
    broken = [request[:200] for request, status in statuses.items() if status >= 500]
    assert broken == []
    assert say(site, asking("GET", PATH)) == 200


def test_head_and_options_are_answered_everywhere(site: str) -> None:
    for route in sorted(routes() | {"", "health", "metrics", "feeds/upcoming.rss", "admin/"}):
        target = "/" + re.sub(r"<[^>]+>", "1", route)
        for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND"):
            status = say(site, asking(method, target))
            assert 200 <= status < 500 or (status == 503 and route == "health"), (method, target)
