"""The last whole answer to each URL, kept in the cache, so that a store can say "nothing new".

An answer is kept for STORE_REMEMBER after it came, however often the store says that it still
holds: that often at least everything is read anew. Cache trouble means that nothing is remembered.
"""

import hashlib
import json
import math
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings

from scraping.pages import Answer

LARGEST = 1_000_000  # bytes, packed; the site's largest pages take half of it
_QUICK = 1  # zlib's level: a fifth of the default's time for a quarter more bytes
_KEPT = ("etag", "last-modified", "content-type")
# What we send back: nothing that would break a header.
_PRINTABLE = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer that the store gave with status 200."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for an answer only if it is another one."""
        names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
        return {sent: self.headers[kept] for kept, sent in names.items() if kept in self.headers}

    def renewed(self, headers: Mapping[str, str]) -> Answer:
        """The same answer as if given now, with the `headers` of the 304."""
        return Answer(status=200, headers={**self.headers, **headers}, body=self.body)


def recall(url: str) -> Remembered | None:
    """The answer kept for a URL, if there is one that can be read."""
    if not settings.STORE_REMEMBER:
        return None
    with suppress(redis.RedisError, ValueError, zlib.error):
        kept = _cache().get(_key(url))
        if isinstance(kept, bytes):
            head, _, packed = kept.partition(b"\n")
            return Remembered(_clean(json.loads(head)), zlib.decompress(packed))
    return None


def remember(url: str, answer: Answer) -> None:
    """Keep an answer, if the store gave it a mark to ask by and it is not too large."""
    headers = _clean(answer.headers)
    if answer.status != 200 or not headers.keys() & {"etag", "last-modified"}:
        return
    if not settings.STORE_REMEMBER or "no-store" in answer.headers.get("cache-control", ""):
        return
    packed = zlib.compress(answer.body, _QUICK)
    if len(packed) <= LARGEST:
        length = math.ceil(settings.STORE_REMEMBER.total_seconds() * 1000)
        with suppress(redis.RedisError):
            _cache().set(_key(url), json.dumps(headers).encode() + b"\n" + packed, px=length)


def forget(url: str) -> None:
    """Ask plainly next time: what is kept could not be read."""
    with suppress(redis.RedisError):
        _cache().delete(_key(url))


def _clean(headers: object) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        raise ValueError("not what was kept")
    kept = {name: headers.get(name) for name in _KEPT}
    return {
        name: value
        for name, value in kept.items()
        if isinstance(value, str) and _PRINTABLE.fullmatch(value)
    }


@cache
def _cache() -> "redis.Redis":
    # Who asks a cache that hangs must not hang with it.
    return redis.Redis.from_url(settings.CACHE_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def _key(url: str) -> str:
    return f"stalkerr:answer:{hashlib.blake2b(url.encode(), digest_size=16).hexdigest()}"
