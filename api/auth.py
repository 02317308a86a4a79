"""Access tokens: short-lived, signed, and worth nothing once their user's password changes.

A token has a scope. One that may only read is what a page or a script needs that shows things.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import jwt
from django.conf import settings
from django.utils.crypto import constant_time_compare
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import User
from api.throttling import limit_bad_tokens
from stalkerr import clock

ALGORITHM: Final = "HS256"
ISSUER: Final = "stalkerr"
AUDIENCE: Final = "stalkerr-api"
KIND: Final = "access"

Scope = Literal["read", "write"]  # who may write may read
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

# A token from before there were scopes has no claim of it: it is refused, and was short-lived.
_CLAIMS: Final = ["iss", "aud", "sub", "iat", "exp", "typ", "pwd", "scope"]


class BadTokenError(Exception):
    """The token is not ours, not valid now, or its user may not use it any more."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a valid token gives: whose doors it opens, and what for."""

    user: User
    scope: Scope


def issue_token(*, user: User, now: dt.datetime, scope: Scope = "write") -> str:
    """A token that opens `user`'s doors for settings.JWT_LIFETIME."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.pk),
        "iat": int(now.timestamp()),
        "exp": int((now + settings.JWT_LIFETIME).timestamp()),
        "typ": KIND,
        "pwd": _password_mark(user),
        "scope": scope,
    }
    return jwt.encode(claims, settings.JWT_KEY, algorithm=ALGORITHM)


def access_of(*, token: str, now: dt.datetime) -> Access:
    """Whose token this is, and what for; BadTokenError where it opens nothing."""
    claims = _claims(token)
    if claims["typ"] != KIND or not _is_valid_at(claims, int(now.timestamp())):
        raise BadTokenError("not valid now, or for something else")
    if claims["scope"] not in SCOPES:
        raise BadTokenError("for nothing that there is")
    user = User.objects.filter(pk=_number(claims["sub"]), is_active=True).first()
    if user is None or not constant_time_compare(str(claims["pwd"]), _password_mark(user)):
        raise BadTokenError("its user is gone, or has another password")
    return Access(user, claims["scope"])


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


def _password_mark(user: User) -> str:
    """Changes with the password, and tells nothing about it."""
    return user.get_session_auth_hash()[:16]


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; a token that opens nothing is 401 even where none is needed."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            access = access_of(token=token.strip().decode("ascii", "replace"), now=clock.now())
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
        return isinstance(request.auth, Access) and request.auth.scope == "write"
