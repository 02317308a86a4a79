"""Idempotency-Key: a POST that is sent again is answered again, and done once.

The name and the meaning are those of draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import answers
from accounts.answers import AnotherRequestError, Answer, UnansweredError
from api.auth import Access
from api.errors import ConflictError
from stalkerr import clock
from stalkerr.crypto import UnreadableSecretError

HEADER: Final = "Idempotency-Key"
KEY_MAX: Final = 200
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{KEY_MAX}}}")
# These say "not now": who asks again means it.
_NOT_KEPT: Final = (status.HTTP_409_CONFLICT, status.HTTP_429_TOO_MANY_REQUESTS)
_JSON: Final = "application/json"

Handler = Callable[..., HttpResponseBase]


class AnotherBodyError(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class Once(APIView):
    """For every view with a POST: under one key it is done once, and all get the first answer."""

    # Actions that speak to others meanwhile, which no transaction waits for: the key is taken before
    # and answered after, and one that dies between leaves it unanswered.
    talking: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After this the handler is looked up: who may not ask at all takes no key."""
        super().initial(request, *args, **kwargs)
        if request.method != "POST" or not request.user.is_authenticated:
            return  # under nobody's name nothing is kept
        handler, key = getattr(self, "post", None), request.headers.get(HEADER)
        if handler is not None and key is not None:
            self.__dict__["post"] = partial(self._once, handler, key)

    def _once(
        self, handler: Handler, key: str, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        asked = _asked(request, key)
        answer = partial(self._answer, handler, request, *args, **kwargs)
        try:
            if getattr(self, "action", "") in self.talking:
                return _talked_once(asked, answer)
            return _done_once(asked, answer)
        except AnotherRequestError as error:
            raise AnotherBodyError(str(error)) from error
        except (UnansweredError, UnreadableSecretError) as error:
            raise ConflictError(str(error)) from error

    def _answer(self, handler: Handler, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refusals are answers too; what is none breaks the transaction off."""
        try:
            return handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (it raises again what is no refusal)
            return self.handle_exception(error)


def _done_once(asked: answers.Request, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Effect and answer are committed together, or neither is."""
    with transaction.atomic():
        kept = answers.take(request=asked, now=clock.now())
        if kept is not None:
            return _again(kept)
        response = answer()
        if _is_kept(response):
            answers.keep(request=asked, answer=_kept(response))
        else:
            transaction.set_rollback(True)
    return response


def _talked_once(
    asked: answers.Request, answer: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    with transaction.atomic():
        kept = answers.take(request=asked, now=clock.now())
    if kept is not None:
        return _again(kept)
    response: HttpResponseBase | None = None
    try:
        response = answer()
    finally:
        if response is not None and _is_kept(response):
            answers.keep(request=asked, answer=_kept(response))
        else:
            answers.give_back(request=asked)
    return response


def _is_kept(response: HttpResponseBase) -> bool:
    return response.status_code < 500 and response.status_code not in _NOT_KEPT


def _kept(response: HttpResponseBase) -> Answer:
    data = response.data if isinstance(response, Response) else None
    content_type = getattr(response, "content_type", None) or _JSON
    return Answer(
        status=response.status_code,
        body=JSONRenderer().render(data).decode(),
        headers={**response.headers, "Content-Type": content_type},
    )


def _again(kept: Answer) -> HttpResponse:
    return HttpResponse(kept.body, status=kept.status, headers=kept.headers)


def _asked(request: Request, key: str) -> answers.Request:
    if not _KEY.fullmatch(key):
        sentence = f"{HEADER} has 1 to {KEY_MAX} characters of ASCII without blanks."
        raise ValidationError(sentence)
    return answers.Request(user_id=request.user.pk or 0, key=key, fingerprint=_fingerprint(request))


def _fingerprint(request: Request) -> str:
    """Of what is asked, and by what right: no answer goes to who could not have got it."""
    access = request.auth
    right = [str(access.scope), access.key and access.key.pk] if isinstance(access, Access) else []
    digest = hashlib.sha256(json.dumps([request.get_full_path(), right]).encode())
    _add(digest.update, request.data)
    return digest.hexdigest()


def _add(update: Callable[[bytes], object], data: Any) -> None:
    """A body as it was understood: JSON in any spelling, a file, or a form with files."""
    if isinstance(data, bytes):
        update(data)
    elif isinstance(data, UploadedFile):
        for chunk in data.chunks():
            update(chunk)
        data.seek(0)
    elif hasattr(data, "lists"):
        for name, values in sorted(data.lists()):
            update(f"\0{name}\0".encode())
            for value in values:
                _add(update, value)
    else:
        update(json.dumps(data, sort_keys=True).encode())
