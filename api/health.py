"""GET /health, /health/ready and /health/live: whether the product does its work.

What is judged, and how: api/checks.py. A verdict is kept for a few seconds by each process itself,
as the cache may be what is broken, and made by one request however many ask.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from api.auth import ForOperators
from api.checks import CHECKS, NEEDED, examine

KEPT_FOR: Final = 3.0  # seconds
STALE_FOR: Final = 30.0  # seconds for which an old verdict is better than to wait for the new one


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, by check: None where all is well."""

    found: Mapping[str, str | None]
    made_at: float  # on time.monotonic()

    @property
    def is_healthy(self) -> bool:
        return not any(self.found.values())

    @property
    def age(self) -> float:
        return time.monotonic() - self.made_at


class Kept:
    """The last verdict of this process, over some of the checks."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._making = threading.Lock()
        self._last: Verdict | None = None

    def verdict(self) -> Verdict:
        """One that is young; while another request makes it, one that is not too old."""
        last = self._last
        if last is not None and last.age < KEPT_FOR:
            return last
        may_wait = last is None or last.age > STALE_FOR
        if not self._making.acquire(blocking=may_wait) and last is not None:
            return last
        try:
            last = self._last
            if last is None or last.age >= KEPT_FOR:  # nobody made it while we waited
                last = self._last = Verdict(examine(self._names), time.monotonic())
            return last
        finally:
            self._making.release()

    def forget(self) -> None:
        self._last = None


ALL: Final = Kept(frozenset(CHECKS))
READY: Final = Kept(NEEDED)


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 if all is well, else 503; `checks` says which part is not, to staff `details` says why."""
    return _answer(request, ALL.verdict())


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Whether this process can answer requests: the database is there, and as it expects it."""
    return _answer(request, READY.verdict())


@require_safe
@never_cache
def live(_request: HttpRequest) -> JsonResponse:
    """Whether this process answers at all; whatever is wrong with others does not help to restart it."""
    return JsonResponse({"status": "healthy"})


def _answer(request: HttpRequest, verdict: Verdict) -> JsonResponse:
    checks = {name: _word(is_well=reason is None) for name, reason in verdict.found.items()}
    body: dict[str, Any] = {"status": _word(is_well=verdict.is_healthy), "checks": checks}
    if not verdict.found.get("database") and _is_for_staff(request):
        body["details"] = {name: reason for name, reason in verdict.found.items() if reason}
    return JsonResponse(body, status=200 if verdict.is_healthy else 503)


def _word(*, is_well: bool) -> str:
    return "healthy" if is_well else "unhealthy"


def _is_for_staff(request: HttpRequest) -> bool:
    """Signed-in staff, or a token or key of theirs for what operators do.

    Where nobody can say who asks, it is a stranger.
    """
    doors = APIView().get_authenticators()  # those of the API
    try:
        return ForOperators().has_permission(Request(request, authenticators=doors), None)
    except (APIException, DatabaseError):
        return False
