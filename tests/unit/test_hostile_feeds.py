"""Row 40: whatever stores say, every format of a feed stays whole and holds it as text."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from api.feeds.entries import Feed
from api.feeds.json_feed import json_feed
from api.feeds.xml import atom, rss
from tests.feeds import feed_of, hostile_texts, invented
from tests.hostile import TEXTS
from tests.validity import atom_errors

TITLES = 10_000


@pytest.fixture(scope="module")
def hostile() -> Feed:
    """So many titles, each said in every field of its entry."""
    return feed_of(list(hostile_texts(TITLES)), path="/feeds/hostile")


@pytest.fixture(scope="module")
def written(hostile: Feed) -> dict[str, bytes]:
    return {"rss": rss(hostile), "atom": atom(hostile)}


@pytest.mark.parametrize("name", ["rss", "atom"])
def test_a_feed_of_ten_thousand_hostile_titles_is_well_formed(
    hostile: Feed, written: dict[str, bytes], name: str
) -> None:
    result = feedparser.parse(written[name], sanitize_html=False, resolve_relative_uris=False)
    assert not result.bozo, result.get("bozo_exception")
    assert [entry.id for entry in result.entries] == [entry.id for entry in hostile.entries]
    told = [" ".join(entry.title.split()) for entry in result.entries]
    assert told == [entry.title for entry in hostile.entries]


def test_atom_of_ten_thousand_hostile_titles_fits_its_schema(written: dict[str, bytes]) -> None:
    assert atom_errors(written["atom"]) == []


@pytest.mark.parametrize(
    "harm",
    [
        lambda body: body.replace(b"<updated>", b"<updated>soon ", 1),
        lambda body: body.replace(b"<title>", b"<title/><title>", 1),
        lambda body: body.replace(b'type="html"', b'type="script"', 1),
        lambda body: body.replace(b"</entry>", b"<script/></entry>", 1),
        lambda body: body.replace(b'href="https://www', b'href="javascript:', 1),
    ],
)
def test_the_schema_finds_what_is_wrong(harm: Callable[[bytes], bytes]) -> None:
    body = atom(feed_of(["One", "Two"]))
    assert atom_errors(body) == []
    assert harm(body) != body
    assert atom_errors(harm(body)) != []


def test_a_json_feed_of_ten_thousand_hostile_titles_keeps_them(hostile: Feed) -> None:
    items = json.loads(json_feed(hostile))["items"]
    assert [item["title"] for item in items] == [entry.title for entry in hostile.entries]
    for item in items:
        assert set(item) >= {"id", "url", "content_html", "date_published", "date_modified"}


@pytest.mark.parametrize("write", [rss, atom])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_title_of_a_feed_may_be_hostile_too(write: Callable[[Feed], bytes], text: str) -> None:
    """An author's feed has the author's name."""
    feed = feed_of(["One"], title=f"Stalkerr: {text}")
    assert not feedparser.parse(write(feed)).bozo
    assert json.loads(json_feed(feed))["title"] == feed.title


class Tags(HTMLParser):
    """What a browser would take for markup."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, attrs))


@given(st.one_of(st.text(), st.sampled_from([*TEXTS, "<img src=x>", "&lt;b&gt;"])))
def test_what_a_store_said_is_text(text: str) -> None:
    tags = Tags()
    tags.feed(invented(text).html())
    assert set(map(str, tags.seen)) <= {"('p', [])", "('br', [])"}


def test_items_hold_no_elements_but_ours(written: dict[str, bytes]) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(written["rss"], parser)
    names = {etree.QName(element).localname for item in root.iter("item") for element in item}
    assert names == {
        *("title", "link", "description", "guid", "pubDate", "creator", "enclosure"),
    }


def test_a_hundred_thousand_characters_are_cut(hostile: Feed) -> None:
    assert max(len(entry.title) for entry in hostile.entries) == 300
