"""What the lane may answer by itself: plain reads by strangers; all else is Django's."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host

from api import throttling
from api.counting import Rate, Rule
from api.edge.counter import Limit
from api.edge.protocol import Scope
from api.forwarded import client_address, is_proxy, network_of
from catalog.marketplaces import MARKETPLACES

UPCOMING: Final = "/api/upcoming"
QUERY_MAX: Final = 512  # bytes of a query that is worth remembering
_FEED: Final = re.compile(r"/feeds/(upcoming|(authors|series)/[0-9]{1,18})\.(rss|atom|json|ics)")
_FORMAT: Final = "<format:extension>"
_PK: Final = f"<int:pk>.{_FORMAT}"
_PARAMETERS: Final = frozenset(
    {
        *("marketplace", "language", "q", "from_date", "to_date", "author", "series"),
        *("cursor", "page_size"),
    }
)
_ALL: Final = tuple(MARKETPLACES)
# With one of these it is no plain read: Django knows what it means.
_UNUSUAL: Final = frozenset(
    {
        *(b"authorization", b"origin", b"range", b"if-match", b"if-unmodified-since"),
        *(b"content-length", b"transfer-encoding"),
    }
)
# Of these, what they hold is remembered: for a while, and only if it is short.
_REMEMBERED: Final = (b"x-forwarded-for", b"host", b"accept-encoding")
_HEADER_MAX: Final = 256  # bytes
_ACCEPTED: Final = frozenset({b"*/*", b"application/json"})

Headers = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; equal questions have equal answers for as long as `codes` do not change."""

    group: str  # of its limit
    path: str
    query: str
    origin: str  # https://host
    codes: tuple[str, ...]  # the stores that its answer is about

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def route(self) -> str:
        """As Django's router spells it, whatever title or page is asked for."""
        if self.path == UPCOMING:
            return UPCOMING[1:]
        _, feeds, name, *_ = self.path.split("/")
        return (
            f"{feeds}/{name}/{_PK}"
            if name in ("authors", "series")
            else f"{feeds}/upcoming.{_FORMAT}"
        )

    @property
    def is_of_page(self) -> bool:
        """Whether PostgreSQL writes the answer."""
        return self.path == UPCOMING


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who asks, and what they have already."""

    question: Question
    limit: Limit
    headers: Headers
    is_head: bool


def read(scope: Scope) -> Asked | None:
    """What a request asks, or None where Django is to answer it."""
    path = scope["path"]
    if (path != UPCOMING and not _FEED.fullmatch(path)) or not scope.get("client"):
        return None
    headers = dict(scope["headers"])
    if not _is_plain(scope, headers) or (path == UPCOMING and not _takes_json(headers)):
        return None
    peer = scope["client"][0]
    origin = _origin(scope, headers, peer)
    question = origin and _question(path, scope["query_string"], origin)
    if not question:
        return None
    forwarded_for = headers.get(b"x-forwarded-for", b"").decode("latin-1")
    proxies = tuple(settings.TRUSTED_PROXIES)
    limit = _limit(question.group, throttling.ANONYMOUS, peer, forwarded_for, proxies)
    return Asked(question, limit, headers, scope["method"] == "HEAD")


def _is_plain(scope: Scope, headers: Headers) -> bool:
    if scope["method"] not in ("GET", "HEAD") or len(headers) != len(scope["headers"]):
        return False  # of a header that came twice, it is Django that knows which counts
    if not _UNUSUAL.isdisjoint(headers) or len(scope["query_string"]) > QUERY_MAX:
        return False
    if any(len(headers.get(name, b"")) > _HEADER_MAX for name in _REMEMBERED):
        return False
    if not scope["query_string"].isascii():  # no browser sends that, and Django refuses some of it
        return False
    return settings.SESSION_COOKIE_NAME.encode() not in headers.get(b"cookie", b"")


def _takes_json(headers: Headers) -> bool:
    accepted = headers.get(b"accept", b"*/*")
    return accepted in _ACCEPTED or (b"*/*" in accepted and b"json" not in accepted)


def _origin(scope: Scope, headers: Headers, peer: str) -> str:
    """Where it was asked, as Django would say it; empty where Django would answer otherwise."""
    is_secure = _came_by_tls(scope, headers, peer)
    if settings.SECURE_SSL_REDIRECT and not is_secure:
        return ""
    host = headers.get(b"host", b"").decode("latin-1")
    if not _is_ours(host, tuple(settings.ALLOWED_HOSTS)):
        return ""
    return f"{'https' if is_secure else 'http'}://{host}"


def _came_by_tls(scope: Scope, headers: Headers, peer: str) -> bool:
    """By our proxy's word, if it says one: it may ask us by TLS and be asked without."""
    said = headers.get(b"x-forwarded-proto")
    if said is None or not settings.SECURE_PROXY_SSL_HEADER or not is_proxy(peer):
        return bool(scope.get("scheme") == "https")
    first = said.decode("latin-1").split(",")[0].strip()
    return bool(first == settings.SECURE_PROXY_SSL_HEADER[1])


@lru_cache(64)
def _is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


@lru_cache(4096)
def _limit(group: str, rate: str, peer: str, forwarded_for: str, _proxies: Any) -> Limit:
    allowed = Rate.of(rate).times(settings.LIMITS_FACTOR)
    return Limit.of(Rule(group, allowed, network_of(client_address(peer, forwarded_for))))


@lru_cache(1024)
def _question(path: str, query_string: bytes, origin: str) -> Question | None:
    asked = QueryDict(query_string)
    named = asked.getlist("marketplace")
    codes = tuple(sorted(set(named))) if named and set(named) <= set(_ALL) else _ALL
    if path == UPCOMING:
        if not _PARAMETERS.issuperset(asked):
            return None
        # As the pagination spells the link to the next page, whatever the order they came in.
        query = urlencode(sorted(asked.lists()), doseq=True)
        return Question("upcoming", path, query, origin, codes)
    of_stores = codes if path.startswith("/feeds/upcoming.") else _ALL
    return Question("feeds", path, query_string.decode("latin-1"), origin, of_stores)
