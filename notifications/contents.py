"""What messages say: their deliveries, read from rows into neutral contents."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from catalog.marketplaces import store_date
from notifications import links
from notifications.messages import NOTICE, TEXT_MAX, Content, one_line
from notifications.postings import posted_content
from stalkerr import sql

CONFIRM_WORDS: Final = "Confirm this address"  # on the button that only such messages have


class Contents(NamedTuple):
    """What a message says, in the order of the news, and since when it could have said it.

    `seen_at` is None where nothing in it is news that was to be told at once.
    """

    said: tuple[Content, ...] = ()
    seen_at: dt.datetime | None = None


def load_contents(message_ids: Iterable[int]) -> dict[int, Contents]:
    """The contents of these messages, by message.

    The number of statements does not depend on the number of messages.
    """
    rows = sql.prepared(_DELIVERIES, [list(message_ids)])
    news = release_contents({event_id for _, event_id, *_ in rows if event_id})
    watches = _names({watch for *_, watch_ids in rows for watch in watch_ids})
    said: dict[tuple[int, str], Content] = {}  # the same to many
    contents: defaultdict[int, list[Content]] = defaultdict(list)
    seen: dict[int, dt.datetime] = {}
    for message_id, event_id, book, *notice, seen_at, watch_ids in rows:
        if seen_at:
            seen[message_id] = min(seen_at, seen.get(message_id, seen_at))
        if event_id:
            why = ", ".join(watches[each] for each in watch_ids if each in watches)
            if (event_id, why) not in said:
                said[event_id, why] = because(news[event_id], why)
            content = said[event_id, why]
        else:
            content = posted_content(sql.parsed(book)) if book else _notice(*notice)
        contents[message_id].append(content)
    return {
        message_id: Contents(tuple(each), seen.get(message_id))
        for message_id, each in contents.items()
    }


_DELIVERIES = """
SELECT d.message_id, d.event_id, p.book, n.dedupe_key, n.subject, n.text, c.id,
       c.unconfirmed_since,
       CASE WHEN d.event_id IS NOT NULL AND d.due_at <= d.created_at THEN d.source_at END,
       d.watch_ids
FROM deliveries d
JOIN channels c ON c.id = d.channel_id
LEFT JOIN accounts_notice n ON n.id = d.notice_id
LEFT JOIN postings p ON p.id = d.posting_id
WHERE d.message_id = ANY(%s) ORDER BY d.message_id, d.event_id, d.id
"""


def _names(watch_ids: Collection[int]) -> dict[int, str]:
    """As watches call themselves."""
    if not watch_ids:
        return {}
    rows = sql.prepared("SELECT id, kind, query FROM watches WHERE id = ANY(%s)", [list(watch_ids)])
    return {watch_id: f"{kind} {query}" for watch_id, kind, query in rows}


def _notice(
    key: str, subject: str, text: str, channel_id: int, unconfirmed_since: dt.datetime | None
) -> Content:
    url = ""
    if unconfirmed_since and links.is_confirmation(key):
        url = links.confirm_url(channel_id=channel_id, since=unconfirmed_since)
    return Content(
        kind=NOTICE, title=subject, summary=text, url=url, link_words=CONFIRM_WORDS if url else ""
    )


def asks_to_confirm(contents: Sequence[Content]) -> bool:
    """Whether that is all a message says: the only one for an address that is not confirmed."""
    return bool(contents) and all(content.link_words == CONFIRM_WORDS for content in contents)


def because(content: Content, why: str) -> Content:
    """The same news with another reason; cheaper than making it anew."""
    changed = object.__new__(Content)
    for name in _SLOTS:
        _put(changed, name, getattr(content, name))
    _put(changed, "why", one_line(why, TEXT_MAX))
    return changed


_put = object.__setattr__
_SLOTS = Content.__slots__


def release_contents(event_ids: Collection[int]) -> dict[int, Content]:
    """Events with their audiobooks, in the words the store used; without a reason."""
    if not event_ids:
        return {}
    rows = sql.prepared(_EVENTS, [list(event_ids)])
    return {event_id: _release(*facts) for event_id, *facts in rows}


_EVENTS = """
SELECT e.id, e.kind, a.title, a.subtitle, a.marketplace, a.asin, a.language,
    coalesce(e.new_date, a.release_date), e.old_date, e.days_before, e.seen_at, a.runtime_minutes,
    a.cover_url, a.url, a.summary, e.found_late, e.unconfirmed, e.published_seq,
    (SELECT string_agg(CASE WHEN p.sequence = '' THEN s.title
                            ELSE s.title || ', book ' || p.sequence END, '; ' ORDER BY p.id)
     FROM series_entries p JOIN series s ON s.id = p.series_id WHERE p.audiobook_id = a.id),
    (SELECT array_agg(c.name ORDER BY r.position) FROM credits r
     JOIN contributors c ON c.id = r.contributor_id
     WHERE r.audiobook_id = a.id AND r.role = 'author'),
    (SELECT array_agg(c.name ORDER BY r.position) FROM credits r
     JOIN contributors c ON c.id = r.contributor_id
     WHERE r.audiobook_id = a.id AND r.role = 'narrator')
FROM release_events e JOIN audiobooks a ON a.id = e.audiobook_id
WHERE e.id = ANY(%s)
"""
_FIELDS = (
    *("kind", "title", "subtitle", "marketplace", "asin", "language", "release_date", "old_date"),
    *(
        "days_before",
        "seen_at",
        "runtime_minutes",
        "cover_url",
        "url",
        "summary",
        "found_late",
        "unconfirmed",
    ),
    *("event_id", "series", "authors", "narrators"),
)


def _release(*facts: Any) -> Content:
    given = dict(zip(_FIELDS, facts, strict=True))
    seen_at = given.pop("seen_at")
    if given["days_before"] is not None:  # one that was written late says what is true
        today = store_date(given["marketplace"], seen_at)
        given["days_before"] = (given["release_date"] - today).days
    people = {name: tuple(given[name] or ()) for name in ("authors", "narrators")}
    return Content(**given | people | {"series": given["series"] or ""})
