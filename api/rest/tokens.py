"""POST /api/token, /api/token/refresh and /api/token/revoke"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope, User
from accounts.refreshing import Issued, begin_family, end_family_of, rotate
from api.auth import issue_token
from api.describing import problems
from api.rest.given import Given
from api.throttling import REFRESHES, limit, limit_guesses
from stalkerr import clock


class CredentialsSerializer(Given[Any]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    scope = serializers.ChoiceField(
        choices=Scope.choices,
        default=Scope.WRITE,
        help_text="What the token is for; write includes read. admin is for staff.",
    )


class RefreshSerializer(Given[Any]):
    refresh = serializers.CharField(max_length=200)


class TokenSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    token_type = serializers.CharField()
    scope = serializers.ChoiceField(choices=Scope.choices)
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh = serializers.CharField(
        help_text="Gets the next access token from /api/token/refresh, once."
    )
    refresh_expires_in = serializers.IntegerField(help_text="Seconds.")


class OpenView(APIView):
    """A door that needs no token, not even an old one; what it is given it counts itself."""

    permission_classes = (AllowAny,)
    throttle_classes = ()

    def perform_authentication(self, request: Request) -> None:
        """Whoever asks for a token need not have one."""


class TokenView(OpenView):
    """A token for an e-mail address and its password.

    Send it as `Authorization: Bearer …`. One of scope `read` changes nothing: it may only GET.
    Attempts are counted, good ones too: 10 in 15 minutes for an account from one address.
    """

    @extend_schema(
        request=CredentialsSerializer,
        responses={200: TokenSerializer, **problems(401, 503)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        email, password, scope = credentials.validated_data.values()
        limit_guesses(request, account=email)
        user = authenticate(email=email, password=password)
        if not isinstance(user, User):
            raise AuthenticationFailed("There is no user with this address and password.")
        if scope == Scope.ADMIN and not user.is_staff:
            raise serializers.ValidationError({"scope": "This is for staff."})
        now = clock.now()
        return _tokens(begin_family(user=user, scope=scope, now=now), now)


class RefreshView(OpenView):
    """The next access token, and the next refresh token, for a refresh token.

    A refresh token can be used once. One that comes again ends its sign-in: all tokens that came
    from it, whoever has them, open nothing any more. So does another password.
    """

    @extend_schema(
        request=RefreshSerializer,
        responses={200: TokenSerializer, **problems(401)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        token, now = _refresh_of(request), clock.now()
        issued = rotate(token=token, now=now)
        if issued is None:
            raise AuthenticationFailed("This token is not valid (any more); sign in again.")
        return _tokens(issued, now)


class RevokeView(OpenView):
    """Sign out: the sign-in that a refresh token came from ends, with all its tokens.

    A token that opens nothing is answered like any other.
    """

    @extend_schema(request=RefreshSerializer, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        end_family_of(token=_refresh_of(request), now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _refresh_of(request: Request) -> str:
    asked = RefreshSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    limit(request, group="refresh", rate=REFRESHES)
    return str(asked.validated_data["refresh"])


def _tokens(issued: Issued, now: dt.datetime) -> Response:
    access = issue_token(user=issued.user, now=now, scope=issued.scope, family=issued.family)
    tokens = {
        "access": access,
        "token_type": "Bearer",
        "scope": issued.scope,
        "expires_in": int(settings.JWT_LIFETIME.total_seconds()),
        "refresh": issued.token,
        "refresh_expires_in": int(settings.REFRESH_LIFETIME.total_seconds()),
    }
    return Response(tokens, headers={"Cache-Control": "no-store"})
