"""What all endpoints over a user's own rows have in common: for others, the rows are not there."""

from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from accounts.models import User
from api.rest.once import Once
from api.rest.versions import Versioned

RowT = TypeVar("RowT", bound=Model)


class Owned(Once, Generic[RowT]):
    """For every view that shows or changes a user's own rows: it finds them here and nowhere else."""

    def owned(self, user_id: int) -> QuerySet[RowT]:
        """All rows of that user, and no others."""
        raise NotImplementedError

    def mine(self) -> QuerySet[RowT]:
        """Those of who asks; of nobody, none."""
        return self.owned(self.request.user.pk or 0)

    @property
    def user(self) -> User:
        """Who asks; the permissions have seen to it that somebody does."""
        if not isinstance(self.request.user, User):
            raise NotAuthenticated
        return self.request.user


class OwnedViewSet(Owned[RowT], Versioned, ModelViewSet[RowT]):
    """List, create, read, change and delete the signed-in user's rows.

    A row that is written is locked from reading it to the commit: of two edits, or of an edit and
    a deletion, one sees the other. Whoever says by If-Match what they have seen changes only that.
    """

    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[RowT]:
        if self.request.method in SAFE_METHODS:
            return self.mine()
        # Rows that refer to it may still be added: whoever adds some may hold what we wait for next.
        return self.mine().select_for_update(of=("self",), no_key=True)

    def is_of_row(self) -> bool:
        return self.action in ("retrieve", "update", "partial_update", "destroy")

    def get_object(self) -> RowT:
        row = super().get_object()
        if self.has_condition():
            self.check_tag(self.get_serializer(row).data)
        return row

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.tagged(super().retrieve(request, *args, **kwargs))

    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.tagged(super().create(request, *args, **kwargs))

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.tagged(super().update(request, *args, **kwargs))

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)
