"""/rss/upcoming: RSS 2.0, the latest announced first."""

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.html import format_html, format_html_join
from django.utils.http import http_date, quote_etag
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from feedgen.feed import FeedGenerator

from api.throttling import ANONYMOUS, limited
from api.upcoming import filter_rows, people, places, upcoming_rows
from catalog.marketplaces import MARKETPLACES
from catalog.models import Audiobook
from notifications.messages import date_words
from stalkerr import clock

ENTRIES: Final = 100
TEXT: Final = "text/plain; charset=utf-8"

# What XML 1.0 has no way to say.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@require_safe
@limited("rss", ANONYMOUS)
def upcoming(request: HttpRequest) -> HttpResponseBase:
    """The feed of titles still to come, filtered like /api/upcoming."""
    rows, errors = filter_rows(upcoming_rows(clock.now()), request.GET)
    if errors:
        lines = [f"{name}: {' '.join(sentences)}" for name, sentences in errors.items()]
        return HttpResponse("\n".join(lines), status=400, content_type=TEXT)
    newest = list(rows.order_by("-first_seen_at", "-id")[:ENTRIES])
    return _conditional(request, feed(newest, request.get_full_path()), _changed_at(newest))


def _conditional(request: HttpRequest, body: bytes, changed_at: dt.datetime) -> HttpResponseBase:
    second = int(changed_at.timestamp())
    etag = quote_etag(hashlib.blake2b(body, digest_size=16).hexdigest())
    headers = {
        "ETag": etag,
        "Last-Modified": http_date(second),
        "Cache-Control": "public, max-age=300",
    }
    response = HttpResponse(body, content_type="application/rss+xml", headers=headers)
    return get_conditional_response(request, etag, second, response) or response


def _changed_at(audiobooks: Sequence[Audiobook]) -> dt.datetime:
    """When what the feed says last changed, as far as rows that are still in it know."""
    never = dt.datetime.fromtimestamp(0, dt.UTC)
    return max((audiobook.fetched_at for audiobook in audiobooks), default=never)


def feed(audiobooks: Sequence[Audiobook], path: str) -> bytes:
    """RSS of these audiobooks. `path` (with its query) is where the feed is found."""
    generator = FeedGenerator()
    generator.title("Stalkerr: upcoming audiobooks")
    generator.description("Audiobooks that are not out yet, the latest announced first.")
    generator.link(href=settings.PUBLIC_URL + path, rel="self", type="application/rss+xml")
    generator.link(href=settings.PUBLIC_URL + "/", rel="alternate")
    generator.language("en")
    generator.ttl(60)
    generator.lastBuildDate(_changed_at(audiobooks))
    generator.generator("Stalkerr")
    for audiobook in audiobooks:
        _add(generator, audiobook)
    return bytes(generator.rss_str())


def _add(generator: FeedGenerator, audiobook: Audiobook) -> None:
    entry = generator.add_entry(order="append")
    entry.guid(f"urn:stalkerr:{audiobook.marketplace}:{audiobook.asin}", permalink=False)
    entry.title(xml_text(audiobook.title) or audiobook.asin)
    entry.link(href=MARKETPLACES[audiobook.marketplace].url_of(audiobook.asin))
    # When it was announced: readers sort by it, and hide what is dated in the future.
    entry.pubDate(audiobook.first_seen_at)
    entry.description(xml_text(description(audiobook)))


def description(audiobook: Audiobook) -> SafeString:
    """HTML in which all that a store said is text."""
    site = MARKETPLACES[audiobook.marketplace].site
    facts = {
        "Out": f"{date_words(audiobook.release_date)} at {site}",
        "By": ", ".join(people(audiobook, "author")),
        "Read by": ", ".join(people(audiobook, "narrator")),
        "Series": "; ".join(places(audiobook)),
        "Language": audiobook.language.capitalize(),
    }
    known = [(name, text) for name, text in facts.items() if text]
    lines = format_html_join("", "{}: {}<br>", known)
    summary = format_html("<p>{}</p>", audiobook.summary) if audiobook.summary else ""
    return format_html("<p>{}</p>{}", lines, summary)


def xml_text(text: str) -> str:
    """`text` without what XML can't hold."""
    return _NOT_XML.sub("", text)
