"""What opens a user's doors: access tokens and API keys, both sent as `Authorization: Bearer …`.

An access token is short-lived, signed, and worth nothing once its user's password changes or its
sign-in ends. Both have a scope. One that may only read is what a page or a script needs that shows
things.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

import jwt
from django.conf import settings
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.keys import MARK, key_of
from accounts.models import ApiKey, Scope, User
from accounts.refreshing import is_alive
from api.throttling import limit_bad_tokens
from stalkerr import clock

ALGORITHM: Final = "HS256"
ISSUER: Final = "stalkerr"
AUDIENCE: Final = "stalkerr-api"
KIND: Final = "access"

# A token from before there were scopes has no claim of it: it is refused, and was short-lived.
_CLAIMS: Final = ["iss", "aud", "sub", "iat", "exp", "typ", "pwd", "scope"]


class BadTokenError(Exception):
    """The token is not ours, not valid now, or its user may not use it any more."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a valid token or key gives: whose doors it opens, and what for."""

    user: User
    scope: Scope
    key: ApiKey | None = None


def issue_token(
    *,
    user: User,
    now: dt.datetime,
    scope: str = Scope.WRITE,
    family: uuid.UUID | None = None,
) -> str:
    """A token that opens `user`'s doors for settings.JWT_LIFETIME, or until its sign-in ends."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.pk),
        "iat": int(now.timestamp()),
        "exp": int((now + settings.JWT_LIFETIME).timestamp()),
        "typ": KIND,
        "pwd": user.password_mark,
        "scope": str(scope),
    }
    if family is not None:
        claims["fam"] = family.hex
    return jwt.encode(claims, settings.JWT_KEY, algorithm=ALGORITHM)


def access_of(*, token: str, now: dt.datetime) -> Access:
    """Whose token this is, and what for; BadTokenError where it opens nothing."""
    claims = _claims(token)
    if claims["typ"] != KIND or not _is_valid_at(claims, int(now.timestamp())):
        raise BadTokenError("not valid now, or for something else")
    if claims["scope"] not in Scope.values:
        raise BadTokenError("for nothing that there is")
    user = User.objects.filter(pk=_number(claims["sub"]), is_active=True).first()
    if user is None or not constant_time_compare(str(claims["pwd"]), user.password_mark):
        raise BadTokenError("its user is gone, or has another password")
    if "fam" in claims and not is_alive(uuid.UUID(claims["fam"])):
        raise BadTokenError("its sign-in has ended")
    return Access(user, Scope(claims["scope"]))


def opened_by(*, secret: str, now: dt.datetime) -> Access:
    """What a token or a key opens; BadTokenError where it opens nothing."""
    if not secret.startswith(MARK):
        return access_of(token=secret, now=now)
    key = key_of(key=secret, now=now)
    if key is None:
        raise BadTokenError("not a key, or not any more")
    return Access(key.user, Scope(key.scope), key)


def _claims(token: str) -> dict[str, Any]:
    # Its times are compared below: all moments come from the database's clock.
    options: Any = {"require": _CLAIMS, "verify_exp": False, "verify_iat": False}
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            settings.JWT_KEY,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options=options,
        )
    except jwt.InvalidTokenError as error:
        raise BadTokenError(type(error).__name__) from error
    return claims


def _is_valid_at(claims: dict[str, Any], second: int) -> bool:
    begins, ends = claims["iat"], claims["exp"]
    if not (isinstance(begins, int) and isinstance(ends, int)):
        return False
    return begins <= second < ends


def _number(text: object) -> int:
    """A user's id; 0, which nobody has, for anything else."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else 0


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token or key>`; one that opens nothing is 401 even where none is needed."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            access = opened_by(secret=token.strip().decode("ascii", "replace"), now=clock.now())
        except BadTokenError as error:
            limit_bad_tokens(request)
            raise AuthenticationFailed(
                "This token is not valid (any more); get another."
            ) from error
        return access.user, access

    def authenticate_header(self, _request: Request) -> str:
        return "Bearer"


class InScope(BasePermission):
    """A token that may only read changes nothing, whatever the door; a session may write."""

    message = "This token may only read; get one with the scope “write”."

    def has_permission(self, request: Request, _view: object) -> bool:
        if request.method in SAFE_METHODS or request.auth is None:
            return True
        return isinstance(request.auth, Access) and request.auth.scope.includes(Scope.WRITE)


class ForOperators(BasePermission):
    """Staff only, by a session or by a token or key of the scope `admin`."""

    message = "This is for operators, by a token or key of the scope “admin”."

    def has_permission(self, request: Request, _view: object) -> bool:
        if not request.user.is_staff:
            return False
        access = request.auth
        return access is None or (isinstance(access, Access) and access.scope == Scope.ADMIN)


def may_grant(request: Request, scope: str) -> bool:
    """Whether who asks may make a token or key of that scope: for no more than they may do."""
    access = request.auth
    if isinstance(access, Access) and not access.scope.includes(scope):
        return False
    return scope != Scope.ADMIN or request.user.is_staff
