"""Feeds as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from typing import Any, Final

import orjson
from django.conf import settings

from api.feeds.entries import Entry, Feed

JSON_TYPE: Final = "application/feed+json"
VERSION: Final = "https://jsonfeed.org/version/1.1"


def json_feed(feed: Feed) -> bytes:
    return orjson.dumps(_feed(feed))


def _feed(feed: Feed) -> dict[str, Any]:
    body = {
        "version": VERSION,
        "title": feed.title,
        "description": feed.description,
        "home_page_url": settings.PUBLIC_URL + "/",
        "language": "en",
        "items": [_item(entry) for entry in feed.entries],
    }
    if feed.path:
        body["feed_url"] = settings.PUBLIC_URL + feed.path
    if feed.hub:
        body["hubs"] = [{"type": "WebSub", "url": feed.hub}]
    return body


def _item(entry: Entry) -> dict[str, Any]:
    item = {
        "id": entry.id,
        "url": entry.link,
        "title": entry.title,
        "content_html": entry.html(),
        "date_published": entry.announced_at,
        "date_modified": entry.updated_at,
        "authors": [{"name": name} for name in entry.authors],
        "_stalkerr": {  # what the format has no word for
            "marketplace": entry.marketplace,
            "asin": entry.asin,
            "release_date": entry.release_date,
            "narrators": entry.narrators,
            "series": entry.series,
        },
    }
    if entry.language_code:
        item["language"] = entry.language_code
    if entry.cover:
        item["image"] = entry.cover
        item["attachments"] = [{"url": entry.cover, "mime_type": entry.cover_type}]
    return item
