"""What messages say: their deliveries, read from rows into neutral contents."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Prefetch

from catalog.models import Audiobook, Credit, ReleaseEvent, SeriesEntry, Watch
from notifications.messages import NOTICE, Content
from notifications.models import Delivery


def load_contents(message_ids: Iterable[int]) -> dict[int, tuple[Content, ...]]:
    """The contents of these messages, by message, each in the order of the news.

    The number of statements does not depend on the number of messages.
    """
    deliveries = list(
        Delivery.objects.filter(message_id__in=list(message_ids))
        .select_related("notice", "event__audiobook")
        .prefetch_related(
            Prefetch(
                "event__audiobook__credits",
                Credit.objects.select_related("contributor").order_by("position"),
            ),
            Prefetch(
                "event__audiobook__places",
                SeriesEntry.objects.select_related("series").order_by("id"),
            ),
        )
        .order_by("event_id", "id")
    )
    watches = Watch.objects.in_bulk({each for one in deliveries for each in one.watch_ids})
    contents: defaultdict[int, list[Content]] = defaultdict(list)
    for delivery in deliveries:
        reasons = [str(watches[each]) for each in delivery.watch_ids if each in watches]
        contents[delivery.message_id or 0].append(_content(delivery, ", ".join(reasons)))
    return {message_id: tuple(each) for message_id, each in contents.items()}


def _content(delivery: Delivery, why: str) -> Content:
    if delivery.notice is not None:
        return Content(kind=NOTICE, title=delivery.notice.subject, summary=delivery.notice.text)
    event = delivery.event
    if event is None:
        raise ValueError(f"Delivery {delivery.id} is of nothing.")  # a CHECK forbids it
    return release_content(event, why)


def release_content(event: ReleaseEvent, why: str) -> Content:
    """An event with its audiobook, in the words the store used."""
    audiobook = event.audiobook
    return Content(
        kind=event.kind,
        title=audiobook.title,
        subtitle=audiobook.subtitle,
        series="; ".join(_place_words(place) for place in audiobook.places.all()),
        authors=_people(audiobook, "author"),
        narrators=_people(audiobook, "narrator"),
        marketplace=audiobook.marketplace,
        asin=audiobook.asin,
        language=audiobook.language,
        release_date=event.new_date or audiobook.release_date,
        old_date=event.old_date,
        runtime_minutes=audiobook.runtime_minutes,
        cover_url=audiobook.cover_url,
        url=audiobook.url,
        summary=audiobook.summary,
        found_late=event.found_late,
        unconfirmed=event.unconfirmed,
        event_id=event.published_seq,
        why=why,
    )


def _place_words(place: SeriesEntry) -> str:
    return f"{place.series.title}, book {place.sequence}" if place.sequence else place.series.title


def _people(audiobook: Audiobook, role: str) -> tuple[str, ...]:
    return tuple(
        credit.contributor.name for credit in audiobook.credits.all() if credit.role == role
    )
