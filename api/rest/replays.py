"""What a watch would have told: the answers of /api/watches/replay and /api/watches/{id}/replay."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, get_args

from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from api.throttling import limit
from catalog.models import ReleaseEvent, Watch
from notifications.replays import (
    EVENTS_MAX,
    SPAN,
    End,
    Replayed,
    TooMuchError,
    TooSlowError,
    replay,
)
from stalkerr import clock

RATE: Final = "60/h"  # of one user: it is a lot of reading
SHOWN_MAX: Final = 200  # of each sort, the newest; all are counted
ENDS: Final[tuple[End, ...]] = get_args(End)


class TooBroadError(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = (
        f"This meets more than {EVENTS_MAX} pieces of news in {SPAN.days} days, too many to go "
        "through; try something narrower, or fewer marketplaces."
    )


class BusyError(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "This took too long; please try again later, or something narrower."


class CountsSerializer(serializers.Serializer[Any]):
    sent = serializers.IntegerField()
    folded = serializers.IntegerField()
    hidden = serializers.IntegerField()


class MonthSerializer(CountsSerializer):
    month = serializers.CharField(help_text="2026-11")


class NewsSerializer(serializers.Serializer[Replayed]):
    event_id = serializers.IntegerField(source="event.published_seq", help_text="As a webhook's.")
    kind = serializers.CharField(source="event.kind")
    marketplace = serializers.CharField(source="event.audiobook.marketplace")
    asin = serializers.CharField(source="event.audiobook.asin")
    title = serializers.CharField(source="event.audiobook.title")
    seen_at = serializers.DateTimeField(source="event.seen_at")
    old_date = serializers.DateField(source="event.old_date")
    new_date = serializers.DateField(source="event.new_date")


class FoldedSerializer(NewsSerializer):
    same_as = serializers.IntegerField(
        source="same_as.published_seq", help_text="The news that told the same before."
    )


class HiddenSerializer(NewsSerializer):
    because = serializers.ListField(child=serializers.CharField())


class WatchReplaySerializer(serializers.Serializer[Any]):
    """All is counted; of each sort the newest 200 are shown."""

    since = serializers.DateTimeField()
    counts = CountsSerializer()
    months = MonthSerializer(many=True, help_text="By when it was seen (UTC), newest first.")
    sent = NewsSerializer(many=True, help_text="What you would have been told.")
    folded = FoldedSerializer(many=True, help_text="The same of another edition, or once more.")
    hidden = HiddenSerializer(many=True, help_text="What it meets and does not want, and why.")


def replayed(request: Request, watch: Watch) -> Response:
    """The answer for a watch that is not stored."""
    limit(request, group="replay", rate=RATE, who=str(watch.user_id))
    now = clock.now()
    try:
        found = replay(watch=watch, now=now)
    except TooMuchError as error:
        raise TooBroadError from error
    except TooSlowError as error:
        raise BusyError from error
    answer = {
        "since": now - SPAN,
        "counts": _counts(found),
        "months": _months(found),
        **{str(end): [each for each in found if each.end == end][:SHOWN_MAX] for end in ENDS},
    }
    return Response(WatchReplaySerializer(answer).data)


def _counts(found: Sequence[Replayed]) -> dict[str, int]:
    counted = Counter(each.end for each in found)
    return {end: counted[end] for end in ENDS}


def _months(found: Sequence[Replayed]) -> list[dict[str, Any]]:
    by_month: dict[str, list[Replayed]] = {}
    for each in found:
        by_month.setdefault(_month(each.event), []).append(each)
    months = sorted(by_month.items(), reverse=True)
    return [{"month": month, **_counts(those)} for month, those in months]


def _month(event: ReleaseEvent) -> str:
    return f"{event.seen_at:%Y-%m}"
