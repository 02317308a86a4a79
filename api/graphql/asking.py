"""Who asks, and the views of REST that answer them here too: each rule is written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import strawberry
from django.db.models import Model
from django.http import Http404
from graphql import DocumentNode
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from accounts.models import User
from api.rest.owned import OwnedViewSet

RowT = TypeVar("RowT", bound=Model)


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """The context of an execution."""

    request: Request
    document: DocumentNode

    @property
    def user(self) -> User:
        """Who asks; NotAuthenticated where nobody does."""
        if not isinstance(self.request.user, User):
            raise NotAuthenticated
        return self.request.user


Info = strawberry.Info[Asking, None]


class _Asked(Request):
    """The same request with another body: what one mutation of it says."""

    def __init__(self, request: Request, body: Mapping[str, Any]) -> None:
        super().__init__(request._request)
        self.user, self.auth = request.user, request.auth
        self._full_data = body


def view_of(
    view: type[OwnedViewSet[RowT]], info: Info, body: Mapping[str, Any], pk: int | None = None
) -> OwnedViewSet[RowT]:
    """A view as it would stand before that body, sent to that row."""
    asked = _Asked(info.context.request, body)
    return view(request=asked, args=(), kwargs={"pk": pk}, format_kwarg=None)


def create(view: type[OwnedViewSet[Any]], info: Info, given: Any) -> Any:
    """What REST would answer to a POST of what was given."""
    ready = view_of(view, info, body_of(given))
    return ready.create(ready.request).data


def change(view: type[OwnedViewSet[Any]], info: Info, row: strawberry.ID, given: Any) -> Any:
    """What REST would answer to a PATCH."""
    ready = view_of(view, info, body_of(given), _own(row))
    return ready.update(ready.request, partial=True).data


def delete(view: type[OwnedViewSet[Any]], info: Info, row: strawberry.ID) -> strawberry.ID:
    """The id of what is gone."""
    ready = view_of(view, info, {}, _own(row))
    ready.destroy(ready.request)
    return row


def number_of(text: str) -> int | None:
    """A number of ours; None for what is none, and names nothing."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def body_of(given: Any) -> dict[str, Any]:
    """What an input says; what it leaves out is not there, and ids are the numbers they are to REST."""
    said = {name: value for name, value in vars(given).items() if value is not strawberry.UNSET}
    if said.get("channels"):
        said["channels"] = [number_of(each) or each for each in said["channels"]]
    return said


def _own(row: strawberry.ID) -> int:
    number = number_of(row)
    if number is None:
        raise Http404
    return number
