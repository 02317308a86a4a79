"""People who write to the API and read it all the time, and remember what it promised them."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from accounts.keys import make_key
from catalog.models import Watch
from stalkerr import clock
from tests.people import make_user

PATIENCE = 30.0  # seconds; an answer that takes longer is none
PAUSE = 0.1  # seconds between two writes of one


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what became of it; status 0: no answer at all."""

    what: str  # the query of the watch that was made; of a read nothing
    at: float  # time.monotonic()
    seconds: float
    status: int
    retry_after: str = ""
    content_type: str = ""


class Writers:
    """So many users, each of whom makes one watch after the other while the block lasts.

    Readers ask strangers' questions that nobody has asked before, so that none is answered from memory.
    """

    def __init__(self, url: str, *, writers: int, readers: int = 0) -> None:
        self._where = urlsplit(url)
        self._keys = [_key(number) for number in range(writers)]
        self._over = threading.Event()
        self.written: list[Asked] = []
        self.read: list[Asked] = []
        self._threads = [
            threading.Thread(target=self._write, args=(number, key), daemon=True)
            for number, key in enumerate(self._keys)
        ]
        self._threads += [
            threading.Thread(target=self._read, args=(number,), daemon=True)
            for number in range(readers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)

    def accepted(self, since: float = 0.0) -> int:
        """How many writes that began after `since` (time.monotonic()) were acknowledged."""
        return sum(1 for each in list(self.written) if each.status == 201 and each.at > since)

    def _write(self, writer: int, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        for number in count():
            if self._over.wait(PAUSE):
                return
            what = f"Writer {writer} Volume {number}"
            body = json.dumps({"kind": "author", "query": what})
            self.written.append(self._ask(what, "POST", "/api/watches", body, headers))

    def _read(self, reader: int) -> None:
        for number in count():
            if self._over.wait(PAUSE):
                return
            path = f"/api/upcoming?q=reader{reader}x{number}"
            self.read.append(self._ask("", "GET", path, None, {}))

    def _ask(
        self, what: str, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> Asked:
        door = http.client.HTTPConnection(self._where.netloc, timeout=PATIENCE)
        at, status, said = time.monotonic(), 0, dict[str, str]()
        try:
            door.request(method, path, body=body, headers=headers)
            answer = door.getresponse()
            answer.read()
            status, said = answer.status, {n.lower(): text for n, text in answer.getheaders()}
        except (OSError, http.client.HTTPException):
            pass
        finally:
            door.close()
        return Asked(
            what=what,
            at=at,
            seconds=time.monotonic() - at,
            status=status,
            retry_after=said.get("retry-after", ""),
            content_type=said.get("content-type", ""),
        )


def _key(number: int) -> str:
    user = make_user(f"writer{number}")
    _, key = make_key(user=user, name="drill", scope="write", expires_at=None, now=clock.now())
    return key


def lost(written: Iterable[Asked]) -> int:
    """How many were acknowledged and are not there."""
    kept = set(
        Watch.objects.filter(user__email__startswith="writer").values_list("query", flat=True)
    )
    return sum(1 for each in written if each.status == 201 and each.what not in kept)


def outcomes(asked: Sequence[Asked]) -> dict[str, Any]:
    """How the API answered: `refused` with a 503 that says when to come back, `broken` otherwise."""
    statuses = Counter(each.status for each in asked)
    good = statuses[200] + statuses[201]
    polite = sum(1 for each in asked if each.status == 503 and is_polite(each))
    return {
        "requests": len(asked),
        "accepted": good,
        "refused": polite,
        "broken": len(asked) - good - polite,
        "max_s": round(max((each.seconds for each in asked), default=0.0), 2),
    }


def between(asked: Iterable[Asked], since: float, until: float) -> list[Asked]:
    """Those under way then, also where they began before it or ended after it."""
    return [each for each in asked if each.at < until and each.at + each.seconds > since]


def p99_of(asked: Sequence[Asked]) -> float:
    """Seconds, of the answers to these; of few the slowest."""
    seconds = sorted(each.seconds for each in asked) or [0.0]
    return round(seconds[int(0.99 * len(seconds))], 2)


def is_polite(refusal: Asked) -> bool:
    return refusal.retry_after.isdigit() and "problem+json" in refusal.content_type
