"""Where its owner hears it: what REST shows of a channel, and takes for one."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import strawberry
from strawberry.scalars import JSON

from api.graphql.asking import Asking
from api.graphql.pages import Page, page
from api.rest.channel_fields import ChannelSerializer
from api.rest.channels import ChannelViewSet
from notifications import models


@strawberry.type(description="As /api/channels shows it: secrets go in, and do not come out.")
class Channel:
    id: strawberry.ID
    kind: str
    name: str
    config: JSON | None
    config_error: str
    digest: str
    digest_hour: int
    digest_weekday: int
    quiet_from: str | None
    quiet_until: str | None
    time_zone: str
    headline_template: str
    body_template: str
    unconfirmed_since: str | None
    disabled_at: str | None
    disabled_reason: str
    held: int
    created_at: str

    @classmethod
    def shown(cls, answer: Mapping[str, Any]) -> Self:
        return cls(**answer)


@strawberry.input(description="As a body for /api/channels; what is left out stays as it is.")
class ChannelInput:
    kind: str | None = strawberry.UNSET
    name: str | None = strawberry.UNSET
    config: JSON | None = strawberry.UNSET
    digest: str | None = strawberry.UNSET
    digest_hour: int | None = strawberry.UNSET
    digest_weekday: int | None = strawberry.UNSET
    quiet_from: str | None = strawberry.UNSET
    quiet_until: str | None = strawberry.UNSET
    headline_template: str | None = strawberry.UNSET
    body_template: str | None = strawberry.UNSET


def channels(asking: Asking, cursor: str, size: int) -> Page[Channel]:
    rows = ChannelViewSet().owned(asking.user.pk)
    return page(rows, ("id",), cursor, size, lambda found: all_shown(found, asking))


def channels_by_id(asking: Asking, ids: Sequence[int]) -> Mapping[int, Channel]:
    rows = ChannelViewSet().owned(asking.user.pk).filter(id__in=ids)
    return {int(each.id): each for each in all_shown(list(rows), asking)}


def all_shown(found: Sequence[models.Channel], asking: Asking) -> list[Channel]:
    rows: Any = found  # of many, which the stubs don't know
    context = {"request": asking.request}
    answers = ChannelSerializer(rows, many=True, context=context).data
    return [Channel.shown(answer) for answer in answers]
