"""Refresh tokens: each gets the next one, once.

One that comes a second time was stolen, from its owner or by them: whoever has the newer one can't be
told from the thief, so the whole family ends, and its owner hears of it. A change of a family takes its lock first, or a token
made meanwhile would outlive the end of its family.
"""

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.crypto import constant_time_compare

from accounts.models import RefreshToken, User
from accounts.services import notify
from stalkerr.locks import lock

MARK: Final = "str_"  # by which one is known, also to those who look for leaks


@dataclass(frozen=True, slots=True)
class Issued:
    """A refresh token, which is shown this once, and what it is of."""

    token: str
    user: User
    scope: str
    family: uuid.UUID


def begin_family(*, user: User, scope: str, now: dt.datetime) -> Issued:
    """The first token of a sign-in."""
    return _issue(user=user, scope=scope, family=uuid.uuid4(), now=now)


@transaction.atomic
def rotate(*, token: str, now: dt.datetime) -> Issued | None:
    """Spend a token for the next one of its family; None where it opens nothing."""
    family = _lock_family_of(token)
    if family is None:
        return None
    this = RefreshToken.objects.filter(digest=digest_of(token))
    fresh = this.filter(spent_at=None, revoked_at=None, expires_at__gt=now)
    is_mine = fresh.update(spent_at=now) == 1
    found = this.select_related("user").get()
    if is_mine and _may_go_on(found):
        return _issue(user=found.user, scope=found.scope, family=family, now=now)
    if found.spent_at is not None:
        _end(family, now)
        _warn(found, now)
    return None


@transaction.atomic
def end_family_of(*, token: str, now: dt.datetime) -> None:
    """Sign out: no token of the sign-in that this one came from opens anything any more."""
    family = _lock_family_of(token)
    if family is not None:
        _end(family, now)


@transaction.atomic
def end_families(*, families: Iterable[uuid.UUID], now: dt.datetime) -> int:
    """End these sign-ins; returns how many there were that had not ended."""
    # In one order, or two who end the same would wait for each other in a ring.
    return sum(_end_locked(family, now) for family in sorted(set(families)))


def end_all(*, now: dt.datetime) -> int:
    """End every sign-in there is, of programs and of browsers; returns how many."""
    ended = RefreshToken.objects.filter(revoked_at=None).update(revoked_at=now)
    return ended + Session.objects.all().delete()[0]


def _end_locked(family: uuid.UUID, now: dt.datetime) -> bool:
    lock("refresh", str(family))
    return _end(family, now) > 0


def is_alive(family: uuid.UUID) -> bool:
    """Whether a sign-in has not ended yet."""
    return RefreshToken.objects.filter(family=family, revoked_at=None).exists()


def forget_expired(*, before: dt.datetime) -> int:
    """Delete tokens that ended before that; how many."""
    deleted, _ = RefreshToken.objects.filter(expires_at__lt=before).delete()
    return deleted


def digest_of(token: str) -> str:
    """What is stored: of 256 random bits a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _lock_family_of(token: str) -> uuid.UUID | None:
    """Of two with tokens of one family, the second sees all that the first did."""
    family = (
        RefreshToken.objects.filter(digest=digest_of(token))
        .values_list("family", flat=True)
        .first()
    )
    if family is not None:
        lock("refresh", str(family))
    return family


def _may_go_on(found: RefreshToken) -> bool:
    same = constant_time_compare(found.password_mark, found.user.password_mark)
    return found.user.is_active and same


def _end(family: uuid.UUID, now: dt.datetime) -> int:
    return RefreshToken.objects.filter(family=family, revoked_at=None).update(revoked_at=now)


def _warn(stolen: RefreshToken, now: dt.datetime) -> None:
    """Once a family, however often its tokens come again."""
    begun = RefreshToken.objects.filter(family=stolen.family).earliest("created_at").created_at
    notify(
        user_id=stolen.user_id,
        subject="A sign-in of yours was ended: one of its tokens came twice",
        text=f"This is the sign-in of {begun:%Y-%m-%d %H:%M} UTC. Either somebody else has a copy "
        "of its tokens, or a program of yours sent the same one again. It has ended, wherever it "
        "was used. Sign in anew; if you can't tell what it was, change your password.",
        dedupe_key=f"token-reuse:{stolen.family}",
        now=now,
    )


def _issue(*, user: User, scope: str, family: uuid.UUID, now: dt.datetime) -> Issued:
    token = f"{MARK}{secrets.token_urlsafe(32)}"
    RefreshToken.objects.create(
        user=user,
        family=family,
        digest=digest_of(token),
        scope=scope,
        password_mark=user.password_mark,
        created_at=now,
        expires_at=now + settings.REFRESH_LIFETIME,
    )
    return Issued(token, user, scope, family)
