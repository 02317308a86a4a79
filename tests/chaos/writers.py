"""People who write to the API all the time, and remember what it promised them."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
class Written:
    """One write and what became of it; status 0: no answer at all."""

    what: str
    at: float  # time.monotonic()
    seconds: float
    status: int
    retry_after: str = ""
    content_type: str = ""


class Writers:
    """So many users, each of whom makes one watch after the other while the block lasts."""

    def __init__(self, url: str, *, writers: int = 4) -> None:
        self._where = urlsplit(url)
        self._keys = [_key(number) for number in range(writers)]
        self._over = threading.Event()
        self.written: list[Written] = []
        self._threads = [
            threading.Thread(target=self._write, args=(number, key), daemon=True)
            for number, key in enumerate(self._keys)
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
        number = 0
        while not self._over.wait(PAUSE):
            number += 1
            self.written.append(self._one(f"Writer {writer} Volume {number}", key))

    def _one(self, what: str, key: str) -> Written:
        at = time.monotonic()
        status, headers = self._ask(what, key)
        return Written(
            what=what,
            at=at,
            seconds=time.monotonic() - at,
            status=status,
            retry_after=headers.get("retry-after", ""),
            content_type=headers.get("content-type", ""),
        )

    def _ask(self, what: str, key: str) -> tuple[int, dict[str, str]]:
        door = http.client.HTTPConnection(self._where.netloc, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            body = json.dumps({"kind": "author", "query": what})
            door.request("POST", "/api/watches", body=body, headers=headers)
            answer = door.getresponse()
            answer.read()
            return answer.status, {name.lower(): text for name, text in answer.getheaders()}
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            door.close()


def _key(number: int) -> str:
    user = make_user(f"writer{number}")
    _, key = make_key(user=user, name="drill", scope="write", expires_at=None, now=clock.now())
    return key


def lost(written: Iterable[Written]) -> int:
    """How many were acknowledged and are not there."""
    kept = set(
        Watch.objects.filter(user__email__startswith="writer").values_list("query", flat=True)
    )
    return sum(1 for each in written if each.status == 201 and each.what not in kept)


def outcomes(written: Sequence[Written]) -> dict[str, Any]:
    """How the API answered: `refused` with a 503 that says when to come back, `broken` otherwise."""
    statuses = Counter(each.status for each in written)
    seconds = sorted(each.seconds for each in written) or [0.0]
    polite = sum(1 for each in written if each.status == 503 and is_polite(each))
    return {
        "writes": len(written),
        "accepted": statuses[201],
        "refused": polite,
        "broken": len(written) - statuses[201] - polite,
        "p99_s": round(seconds[int(0.99 * (len(seconds) - 1))], 2),
        "max_s": round(seconds[-1], 2),
    }


def is_polite(refusal: Written) -> bool:
    return refusal.retry_after.isdigit() and "problem+json" in refusal.content_type
