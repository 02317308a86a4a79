"""How often one address or account may ask. Exact: the counters are atomic, in Redis."""

import functools
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request

ANONYMOUS: Final = "100/h"  # reads without a sign-in, per address (IPv6: per /64)
GUESSES: Final = {  # attempts to sign in
    "address": "30/15m",
    "account at address": "10/15m",
    "account": "100/h",
}

LINKS: Final = "60/m"  # of our messages; mail providers follow many from one address
TESTS: Final = "6/m"  # test messages, per user
CONFIRMATIONS: Final = {"user": "20/d", "address": "5/d"}  # requests to confirm an address
IMPORTS: Final = "30/h"  # files that a user brings
UNCONFIRMED_TESTS: Final = "3/d"  # to an address that nobody has confirmed yet

View = Callable[..., HttpResponseBase]

_log = structlog.get_logger(__name__)


class TooManyError(Throttled):
    """429, and for how many seconds."""

    wait: int


class UncountableError(APIException):
    """503: a door that must count its guesses stays shut while nobody can count."""

    status_code = 503
    default_detail = "This can't be answered now; please try again in a minute."


def limit(
    request: HttpRequest | Request, *, group: str, rate: str, who: str = "", guarded: bool = False
) -> None:
    """Count this request against `rate`, for its address or for `who`.

    Raises TooManyError where it is one too many. While nobody can count,
    it may pass, unless the door is `guarded`.
    """
    key = (lambda *_: who) if who else "ip"
    try:
        usage = get_usage(request, group=group, key=key, rate=rate, increment=True)
    except RedisError as error:
        _log.warning("rate_not_counted", group=group, error=type(error).__name__)
        if guarded:
            raise UncountableError from error
        return
    if usage["should_limit"]:
        raise TooManyError(wait=max(1, usage["time_left"]))


def limited(group: str, rate: str) -> Callable[[View], View]:
    """A page or feed that one address may read at that rate; else 429, in plain text."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def bounded(request: HttpRequest, **path: str) -> HttpResponseBase:
            try:
                limit(request, group=group, rate=rate)
            except TooManyError as error:
                return refusal(error)
            return view(request, **path)

        return bounded

    return decorate


def refusal(error: TooManyError | UncountableError) -> HttpResponse:
    """What pages and feeds answer then, in plain text."""
    headers = {"Retry-After": str(error.wait)} if isinstance(error, TooManyError) else {}
    return HttpResponse(
        str(error.detail),
        status=error.status_code,
        content_type="text/plain; charset=utf-8",
        headers=headers,
    )


def limit_guesses(request: HttpRequest | Request, *, account: str) -> None:
    """Count an attempt to sign in to `account`; raises TooManyError or UncountableError."""
    account = account.upper()  # as PostgreSQL compares them: a dotless i is an I to it
    address = address_of(request)
    keys = {"address": "", "account at address": f"{account} {address}", "account": account}
    for group, rate in GUESSES.items():
        limit(request, group=f"guess {group}", rate=rate, who=keys[group], guarded=True)


def limit_confirmations(request: HttpRequest | Request, *, user_id: int, address: str) -> None:
    """Count a request to confirm `address`: strangers' mailboxes are not ours to fill.

    Raises TooManyError or UncountableError.
    """
    keys = {"user": str(user_id), "address": address.lower()}
    for group, rate in CONFIRMATIONS.items():
        limit(request, group=f"confirm {group}", rate=rate, who=keys[group], guarded=True)


def limit_tests(request: HttpRequest | Request, *, user_id: int, unconfirmed: str = "") -> None:
    """Count a test message of a user's, to an address that is `unconfirmed` or to any other.

    Raises TooManyError or UncountableError.
    """
    limit(request, group="test", rate=TESTS, who=str(user_id))
    if unconfirmed:
        who = unconfirmed.lower()
        limit(request, group="test unconfirmed", rate=UNCONFIRMED_TESTS, who=who, guarded=True)


def address_of(request: HttpRequest | Request) -> str:
    """Who asks: the peer; behind a proxy, whom the proxy itself (so the last) says it is."""
    peer: str = request.META["REMOTE_ADDR"]
    if not settings.BEHIND_PROXY:
        return peer
    named = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(named))
    except ValueError:
        return peer
