"""How often one address, user or key may ask, and how often anybody may guess.

The counters are exact (api/counting.py). While nobody can count, what only reads may pass; a door
that guesses open stays shut.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from redis.exceptions import RedisError
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from api.counting import COUNTED, Count, Counted, Rate, Rule, take
from api.forwarded import network_of

ANONYMOUS: Final = "100/h"  # reads without a sign-in, per address (IPv6: per /64)
CATALOGUE: Final = "600/h"  # the same, of what exists: one who types asks once a word
SIGNED_IN: Final = "5000/h"  # requests of a user, however many tokens and keys they have
BY_KEY: Final = "3000/h"  # of these with one API key: no program uses up what its user has
GUESSES: Final = {  # attempts to sign in
    "address": "30/15m",
    "account at address": "10/15m",
    "account": "100/h",
}
REFRESHES: Final = "120/15m"  # of access tokens, and sign-outs, per address
BAD_TOKENS: Final = "60/15m"  # per address; a good one passes all the same

LINKS: Final = "60/m"  # of our messages; mail providers follow many from one address
TESTS: Final = "6/m"  # test messages, per user
CONFIRMATIONS: Final = {"user": "20/d", "address": "5/d"}  # requests to confirm an address
IMPORTS: Final = "30/h"  # files that a user brings
UNCONFIRMED_TESTS: Final = "3/d"  # to an address that nobody has confirmed yet

View = Callable[..., HttpResponseBase]

_COUNT: Final = "stalkerr_count"  # of a request, on it

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
    limit_all(request, [rule_of(request, group, rate, who)], guarded=guarded)


def rule_of(
    request: HttpRequest | Request, group: str, rate: str, who: str = "", cost: int = 1
) -> Rule:
    """That rate, times settings.LIMITS_FACTOR, for `who` or for the address that asks."""
    allowed = Rate.of(rate).times(settings.LIMITS_FACTOR)
    return Rule(group, allowed, who or address_of(request), cost)


def rules_of_user(request: Request, cost: int = 1) -> list[Rule]:
    """The rates of who is signed in, and of the key that is used."""
    rules = [rule_of(request, "user", SIGNED_IN, str(request.user.pk), cost)]
    key = getattr(request.auth, "key", None)
    if key is not None:
        rules.append(rule_of(request, "key", BY_KEY, str(key.pk), cost))
    return rules


def limit_all(
    request: HttpRequest | Request, rules: Sequence[Rule], *, guarded: bool = False
) -> None:
    """As `limit`, against several at once: what one of them refuses counts against none."""
    try:
        count = _counted(request, rules) or take(rules)
    except RedisError as error:
        groups = [rule.group for rule in rules]
        _log.warning("rate_not_counted", groups=groups, error=type(error).__name__)
        if guarded:
            raise UncountableError from error
        return
    _remember(request, count)
    if not count.accepted:
        raise TooManyError(wait=count.reset)


def _counted(request: HttpRequest | Request, rules: Sequence[Rule]) -> Count | None:
    """What the edge lane has counted already, against the very same rule."""
    plain = request._request if isinstance(request, Request) else request
    counted: Counted | None = getattr(plain, "scope", {}).get(COUNTED)
    return counted.count if counted and [counted.rule] == list(rules) else None


def _remember(request: HttpRequest | Request, count: Count) -> None:
    """The count closest to its end is what the answer tells."""
    plain = request._request if isinstance(request, Request) else request
    known: Count | None = getattr(plain, _COUNT, None)
    if known is None or (count.accepted, count.remaining) <= (known.accepted, known.remaining):
        setattr(plain, _COUNT, count)


def tell_count(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Say in the answer what is left: the three fields of draft-ietf-httpapi-ratelimit-headers-07."""
    count: Count | None = getattr(request, _COUNT, None)
    if count is not None:
        response["RateLimit-Limit"] = str(count.limit)
        response["RateLimit-Remaining"] = str(count.remaining)
        response["RateLimit-Reset"] = str(count.reset)
    return response


class FairUse(BaseThrottle):
    """What every door of the API allows a user, and one that needs no sign-in an address."""

    def allow_request(self, request: Request, view: object) -> bool:
        """True; raises TooManyError, which says when to come back."""
        if request.user.is_authenticated:
            limit_all(request, rules_of_user(request))
        else:
            group = str(getattr(view, "anonymous_group", "open"))
            limit(request, group=group, rate=str(getattr(view, "anonymous_rate", ANONYMOUS)))
        return True


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
    keys = {"account at address": f"{account} {address_of(request)}", "account": account}
    rules = [
        rule_of(request, f"guess {group}", rate, keys.get(group, ""))
        for group, rate in GUESSES.items()
    ]
    limit_all(request, rules, guarded=True)


def limit_bad_tokens(request: HttpRequest | Request) -> None:
    """Count a token that opened nothing; raises TooManyError."""
    limit(request, group="bad token", rate=BAD_TOKENS)


def limit_confirmations(request: HttpRequest | Request, *, user_id: int, address: str) -> None:
    """Count a request to confirm `address`: strangers' mailboxes are not ours to fill.

    Raises TooManyError or UncountableError.
    """
    keys = {"user": str(user_id), "address": address.lower()}
    rules = [
        rule_of(request, f"confirm {group}", rate, keys[group])
        for group, rate in CONFIRMATIONS.items()
    ]
    limit_all(request, rules, guarded=True)


def limit_tests(request: HttpRequest | Request, *, user_id: int, unconfirmed: str = "") -> None:
    """Count a test message of a user's, to an address that is `unconfirmed` or to any other.

    Raises TooManyError or UncountableError.
    """
    limit(request, group="test", rate=TESTS, who=str(user_id))
    if unconfirmed:
        who = unconfirmed.lower()
        limit(request, group="test unconfirmed", rate=UNCONFIRMED_TESTS, who=who, guarded=True)


def address_of(request: HttpRequest | Request) -> str:
    """Whose limits count: the address that asks, with its /64 (api/forwarded.py settled it)."""
    return network_of(request.META.get("REMOTE_ADDR", ""))
