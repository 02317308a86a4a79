"""Answers as they are kept: in each coding that was asked for, with the headers that go with it."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Self

import brotli
import orjson
import zstandard

from api.edge.protocol import Headers, Send

KEEP: Final = 300_000  # ms: no answer is older, whatever was missed
_SMALLEST: Final = 1_000  # bytes that are worth packing
# The best first. Only what anybody may read comes here: what holds a secret is never packed.
_PACKERS: Final[Mapping[str, Any]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": lambda body: zstandard.compress(body, 6),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
_PLAIN: Final = ""
# Said anew with each answer.
_OWN: Final = frozenset({b"content-length", b"content-encoding", b"etag", b"vary", b"date"})
_OF_REQUEST: Final = (b"ratelimit-", b"retry-after", b"set-cookie")
# All that is said again to who has the rest (RFC 9110, 15.4.5): each line costs as it is sent.
_OF_KNOWN: Final = frozenset({b"cache-control", b"content-location", b"expires"})


@dataclass(frozen=True, slots=True)
class Answer:
    """The body in each coding made so far; `stamp`: of which state of the stores, on which day."""

    stamp: str
    made_at: int  # ms, by Redis's clock
    headers: Headers  # as Django gave them
    bodies: Mapping[str, bytes]
    _heads: dict[tuple[str, bool], list[tuple[bytes, bytes]]] = field(
        default_factory=dict, compare=False
    )

    @classmethod
    def of(cls, stamp: str, made_at: int, headers: Headers, body: bytes) -> Self:
        kept = tuple(each for each in headers if not each[0].startswith(_OF_REQUEST))
        return cls(stamp, made_at, kept, {_PLAIN: body})

    def is_good(self, stamp: str, now: int) -> bool:
        return self.stamp == stamp and now - self.made_at < KEEP

    @property
    def size(self) -> int:
        return sum(map(len, self.bodies.values()))

    def packed(self, coding: str) -> Self:
        """With its body in that coding as well."""
        body = _PACKERS[coding](self.bodies[_PLAIN])
        return replace(self, bodies={**self.bodies, coding: body}, _heads={})

    def coding_for(self, accepted: bytes) -> str:
        """How to send it to who accepts this."""
        return chosen(accepted) if len(self.bodies[_PLAIN]) >= _SMALLEST else _PLAIN

    def is_known_to(self, tags: bytes) -> bool:
        """Whether a request's If-None-Match names it, however it was packed."""
        return _opaque(self.headers, self.bodies[_PLAIN]) in tags or tags.strip() == b"*"

    def head(self, coding: str, *, is_known: bool) -> list[tuple[bytes, bytes]]:
        """The headers of 200, or of 304 where it `is_known`."""
        found = self._heads.get((coding, is_known))
        if found is None:
            found = self._heads[coding, is_known] = self._made_head(coding, is_known=is_known)
        return found

    def _made_head(self, coding: str, *, is_known: bool) -> list[tuple[bytes, bytes]]:
        head = [each for each in self.headers if each[0] not in _OWN]
        if is_known:
            head = [each for each in head if each[0] in _OF_KNOWN]
        tag = _opaque(self.headers, self.bodies[_PLAIN])
        varies = [value for name, value in self.headers if name == b"vary"]
        head.append((b"etag", b"W/" + tag if coding else tag))  # packed, other bytes mean the same
        head.append((b"vary", b", ".join([*varies, b"Accept-Encoding"])))
        if not is_known:
            head.append((b"content-length", b"%d" % len(self.bodies[coding])))
            if coding:
                head.append((b"content-encoding", coding.encode()))
        return head

    def dumped(self) -> bytes:
        """As Redis keeps it."""
        about = {
            "stamp": self.stamp,
            "made_at": self.made_at,
            "headers": [[part.decode("latin-1") for part in each] for each in self.headers],
            "sizes": {coding: len(body) for coding, body in self.bodies.items()},
        }
        return b"\n".join([orjson.dumps(about), b"".join(self.bodies.values())])

    @classmethod
    def loaded(cls, kept: bytes) -> Self:
        line, _, rest = kept.partition(b"\n")
        about = orjson.loads(line)
        bodies, start = {}, 0
        for coding, size in about["sizes"].items():
            bodies[coding] = rest[start : start + size]
            start += size
        headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in about["headers"]
        )
        return cls(about["stamp"], about["made_at"], headers, bodies)


def _opaque(headers: Headers, body: bytes) -> bytes:
    """The tag that Django gave, else one of the same kind."""
    for name, value in headers:
        if name == b"etag":
            return value
    return b'"' + hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"'


@lru_cache(256)
def chosen(accepted: bytes) -> str:
    """The best coding that an Accept-Encoding allows; empty: none."""
    weights = {}
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, rest = part.partition(";")
        weights[name.strip()] = _weight(rest)
    allowed = {name: weights.get(name, weights.get("*", 0.0)) for name in _PACKERS}
    best = max(allowed, key=lambda name: allowed[name])
    return best if allowed[best] > 0 and allowed[best] >= weights.get("identity", 0.0) else _PLAIN


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


async def send(
    answer: Answer,
    coding: str,
    extra: list[tuple[bytes, bytes]],
    to: Send,
    *,
    is_head: bool,
    is_known: bool,
) -> None:
    """The answer, or that it is known; `extra` headers are this request's own."""
    head = answer.head(coding, is_known=is_known) + extra
    status = 304 if is_known else 200
    body = b"" if is_known or is_head else answer.bodies[coding]
    await to({"type": "http.response.start", "status": status, "headers": head})
    await to({"type": "http.response.body", "body": body})
