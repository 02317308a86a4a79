"""What its owner cares about: what REST shows of a watch, and takes for one."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import strawberry

from api.graphql.asking import Asking, Info
from api.graphql.channels import Channel, channels_by_id
from api.graphql.levels import Level
from api.graphql.pages import Page, page
from api.rest.watches import WatchSerializer, WatchViewSet
from catalog import models


@strawberry.type(description="Among whom one may choose where several authors have a name.")
class Namesake:
    asin: str
    name: str
    titles: int
    latest: str
    marketplaces: list[str]


@strawberry.type(description="As /api/watches shows it.")
class Watch:
    id: strawberry.ID
    kind: str
    query: str
    asin: str
    aliases: list[str]
    marketplaces: list[str]
    languages: list[str]
    hidden: list[str]
    excluded_words: list[str]
    event_kinds: list[str]
    remind_days: list[int]
    include_announced: bool
    per_edition: bool
    muted: bool
    snoozed_until: str | None
    choices: list[Namesake]
    created_at: str
    level: strawberry.Private[Level[Mapping[str, Any]]]
    channel_ids: strawberry.Private[list[int]]

    @classmethod
    def all_of(cls, answers: Sequence[Mapping[str, Any]]) -> list[Self]:
        level = Level(answers)
        return [cls._one_of(dict(answer), level) for answer in answers]

    @classmethod
    def _one_of(cls, facts: dict[str, Any], level: Level[Mapping[str, Any]]) -> Self:
        channel_ids = facts.pop("channels")
        facts["choices"] = [Namesake(**each) for each in facts["choices"]]
        return cls(**facts, channel_ids=channel_ids, level=level)

    @strawberry.field(description="Those that hear it; none: all that hear every watch.")
    def channels(self, info: Info) -> list[Channel]:
        known = self.level.once(_channels_of, info.context)
        return [known[channel_id] for channel_id in self.channel_ids if channel_id in known]


@strawberry.input(description="As a body for /api/watches; what is left out stays as it is.")
class WatchInput:
    kind: str | None = strawberry.UNSET
    query: str | None = strawberry.UNSET
    asin: str | None = strawberry.UNSET
    aliases: list[str] | None = strawberry.UNSET
    marketplaces: list[str] | None = strawberry.UNSET
    languages: list[str] | None = strawberry.UNSET
    hidden: list[str] | None = strawberry.UNSET
    excluded_words: list[str] | None = strawberry.UNSET
    event_kinds: list[str] | None = strawberry.UNSET
    remind_days: list[int] | None = strawberry.UNSET
    include_announced: bool | None = strawberry.UNSET
    per_edition: bool | None = strawberry.UNSET
    muted: bool | None = strawberry.UNSET
    snoozed_until: str | None = strawberry.UNSET
    channels: list[strawberry.ID] | None = strawberry.UNSET


def watches(asking: Asking, cursor: str, size: int) -> Page[Watch]:
    rows = WatchViewSet().owned(asking.user.pk)
    return page(rows, ("id",), cursor, size, lambda found: _shown(found, asking))


def _shown(found: Sequence[models.Watch], asking: Asking) -> list[Watch]:
    rows: Any = found  # of many, which the stubs don't know
    context = {"request": asking.request}
    answers: Any = WatchSerializer(rows, many=True, context=context).data
    return Watch.all_of(answers)


def _channels_of(watches: Sequence[Mapping[str, Any]], asking: Asking) -> Mapping[int, Channel]:
    ids = {channel_id for watch in watches for channel_id in watch["channels"]}
    return channels_by_id(asking, sorted(ids))
