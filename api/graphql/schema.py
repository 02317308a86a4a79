"""All that can be asked and said at /graphql.

Every field at the top may be null: one that fails leaves the others their answers.
"""

from collections.abc import Iterator
from typing import Any, Final

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from api.graphql import channels, finding, rows, watches
from api.graphql.asking import Asking, Info, change, create, delete, number_of
from api.graphql.catalogue import Audiobook, Contributor, Series, Work
from api.graphql.channels import Channel, ChannelInput
from api.graphql.finding import AudiobookWhere, UpcomingWhere
from api.graphql.pages import Page
from api.graphql.watches import Watch, WatchInput
from api.rest.channels import ChannelViewSet
from api.rest.paging import SIZE
from api.rest.watches import WatchViewSet
from catalog import models


@strawberry.type
class Query:
    @strawberry.field(description="All audiobooks there are, out or to come.")
    def audiobooks(
        self, where: AudiobookWhere | None = None, cursor: str = "", page_size: int = SIZE
    ) -> Page[Audiobook] | None:
        return finding.audiobooks(where, cursor, page_size)

    @strawberry.field(description="Titles that are not out yet, soonest first.")
    def upcoming(
        self, where: UpcomingWhere | None = None, cursor: str = "", page_size: int = SIZE
    ) -> Page[Audiobook] | None:
        return finding.upcoming(where, cursor, page_size)

    @strawberry.field
    def work(self, id: strawberry.ID) -> Work | None:
        shown = [work for work in _one(models.Work, id) if work.hidden_at is None]
        return next(iter(Work.all_of(shown)), None)

    @strawberry.field
    def series(self, id: strawberry.ID) -> Series | None:
        return next(iter(Series.all_of(_one(models.Series, id))), None)

    @strawberry.field
    def contributor(self, id: strawberry.ID) -> Contributor | None:
        return next(iter(Contributor.all_of(_one(models.Contributor, id))), None)

    @strawberry.field(description="Yours.")
    def watches(self, info: Info, cursor: str = "", page_size: int = SIZE) -> Page[Watch] | None:
        return watches.watches(info.context, cursor, page_size)

    @strawberry.field(description="Yours.")
    def channels(self, info: Info, cursor: str = "", page_size: int = SIZE) -> Page[Channel] | None:
        return channels.channels(info.context, cursor, page_size)


@strawberry.type
class Mutation:
    @strawberry.mutation(description="As POST /api/watches.")
    def create_watch(self, info: Info, watch: WatchInput) -> Watch | None:
        return Watch.all_of([create(WatchViewSet, info, watch)])[0]

    @strawberry.mutation(description="As PATCH /api/watches/{id}.")
    def change_watch(self, info: Info, id: strawberry.ID, watch: WatchInput) -> Watch | None:
        return Watch.all_of([change(WatchViewSet, info, id, watch)])[0]

    @strawberry.mutation(description="As DELETE /api/watches/{id}; gives its id.")
    def delete_watch(self, info: Info, id: strawberry.ID) -> strawberry.ID | None:
        return delete(WatchViewSet, info, id)

    @strawberry.mutation(
        description="As POST /api/channels. A secret that was made for it is shown here alone."
    )
    def create_channel(self, info: Info, channel: ChannelInput) -> Channel | None:
        return Channel.shown(create(ChannelViewSet, info, channel))

    @strawberry.mutation(description="As PATCH /api/channels/{id}.")
    def change_channel(
        self, info: Info, id: strawberry.ID, channel: ChannelInput
    ) -> Channel | None:
        return Channel.shown(change(ChannelViewSet, info, id, channel))

    @strawberry.mutation(description="As DELETE /api/channels/{id}; gives its id.")
    def delete_channel(self, info: Info, id: strawberry.ID) -> strawberry.ID | None:
        return delete(ChannelViewSet, info, id)


def _one(model: Any, text: str) -> list[Any]:
    number = number_of(text)
    return rows.by_id(model, [number]) if number is not None else []


class AdmittedOnly(SchemaExtension):
    """The document is the one that was admitted; it is not read and checked a second time."""

    def on_operation(self) -> Iterator[None]:
        asking: Asking = self.execution_context.context
        self.execution_context.graphql_document = asking.document
        self.execution_context.validation_rules = ()
        yield


class Schema(strawberry.Schema):
    """Errors are logged where they are shown (api/graphql/errors.py): most are the caller's."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing here."""


schema: Final = Schema(
    query=Query,
    mutation=Mutation,
    extensions=[AdmittedOnly],
    config=StrawberryConfig(disable_field_suggestions=True),
)
