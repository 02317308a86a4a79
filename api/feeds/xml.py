"""Feeds as RSS 2.0 and as Atom."""

from typing import Any

from django.conf import settings
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from lxml.etree import SubElement

from api.feeds.entries import Entry, Feed

RSS_TYPE = "application/rss+xml"
ATOM_TYPE = "application/atom+xml"


class Hub(BaseExtension):
    """What RSS says of a WebSub hub: feedgen writes no such link there by itself."""

    url = ""

    def extend_rss(self, feed: Any) -> Any:
        channel = feed.find("channel")
        SubElement(channel, "{http://www.w3.org/2005/Atom}link", rel="hub", href=self.url)
        return feed


class Cover(BaseExtension):
    """A picture in Atom: feedgen drops all but the address of an entry's link."""

    entry: Entry | None = None

    def extend_atom(self, item: Any) -> Any:
        if self.entry and self.entry.cover:
            cover = {"href": self.entry.cover, "type": self.entry.cover_type}
            SubElement(item, "link", rel="enclosure", **cover)
        return item


def rss(feed: Feed) -> bytes:
    """RSS 2.0, the people in Dublin Core: its own authors are e-mail addresses."""
    generator = _generator(feed, RSS_TYPE)
    generator.load_extension("dc", atom=False)
    generator.ttl(60)
    generator.lastBuildDate(feed.updated_at)
    for entry in feed.entries:
        item = _add(generator, entry)
        item.guid(entry.id, permalink=False)
        item.description(entry.html())
        if entry.authors:
            item.dc.dc_creator(list(entry.authors))
        if entry.language_code:
            item.dc.dc_language(entry.language_code)
        if entry.cover:
            item.enclosure(entry.cover, 0, entry.cover_type)  # its length is the store's secret
    return bytes(generator.rss_str())


def atom(feed: Feed) -> bytes:
    generator = _generator(feed, ATOM_TYPE)
    generator.register_extension("cover", BaseExtension, Cover, rss=False)
    generator.author(name="Stalkerr")
    generator.updated(feed.updated_at)
    for entry in feed.entries:
        item = _add(generator, entry)
        item.id(entry.id)
        item.updated(entry.updated_at)
        item.author([{"name": name} for name in entry.authors])
        item.summary(entry.html(), type="html")
        item.cover.entry = entry
    return bytes(generator.atom_str())


def _generator(feed: Feed, content_type: str) -> Any:
    generator = FeedGenerator()
    generator.id(feed.id)
    generator.title(feed.title)
    generator.description(feed.description)
    if feed.path:
        generator.link(href=settings.PUBLIC_URL + feed.path, rel="self", type=content_type)
    if feed.hub:
        generator.link(href=feed.hub, rel="hub")  # written by Atom alone
        generator.register_extension("hub", Hub, BaseExtension, atom=False)
        generator.hub.url = feed.hub
    generator.link(href=settings.PUBLIC_URL + "/", rel="alternate")
    generator.language("en")
    generator.generator("Stalkerr")
    return generator


def _add(generator: Any, entry: Entry) -> FeedEntry:
    item = generator.add_entry(order="append")
    item.title(entry.title)
    item.link(href=entry.link, rel="alternate")
    # When it was announced: readers sort by it, and hide what is dated in the future.
    item.published(entry.announced_at)
    return item
