"""What all doors for operators have in common: for others there is nothing here, and all is logged."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from api.auth import ForOperators
from api.rest.once import Once

HandlerT = TypeVar("HandlerT", bound=Callable[..., Response])
ID_MAX = 2**63 - 1
_NAME_MAX = 200  # of a log's row


class OperatorsView(Once):
    """Staff, by a session or by a token or key of the scope `admin`; to any other user it is 404."""

    permission_classes = (IsAuthenticated, ForOperators)

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        if request.user.is_authenticated and not request.user.is_staff:
            raise Http404
        super().permission_denied(request, message, code)


def described(
    name: str, answer: Any, *, asked: Any = None, parameters: Sequence[Any] = ()
) -> Callable[[HandlerT], HandlerT]:
    """What the API's description says of an operation for operators."""
    return extend_schema(
        operation_id=f"admin_{name}",
        request=asked,
        responses=answer,
        parameters=list(parameters),
        tags=["admin"],
    )


def log(request: Request, row: Model, words: str) -> None:
    """Write down who did that to a row, where the admin shows it; in the caller's transaction."""
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row)[:_NAME_MAX],
        action_flag=CHANGE,
        change_message=words,
    )


def words_of(changes: Any) -> str:
    """Changed facts as a log has them: each with what it was and what it is."""
    return "; ".join(f"{name}: {_short(old)} → {_short(new)}" for name, (old, new) in changes)


def _short(fact: Any) -> str:
    text = "nothing" if fact in (None, "") else str(fact)
    return text if len(text) <= _NAME_MAX else f"{text[:_NAME_MAX]}…"
