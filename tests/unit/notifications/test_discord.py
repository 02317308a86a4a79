import dataclasses
import datetime as dt
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.base import Envelope
from notifications.channels.discord import TITLE_MAX, TOTAL_MAX, Discord, _body, escaped
from notifications.messages import Content
from tests.hostile import TEXTS
from tests.news import BOOK


def body_of(*contents: Content) -> dict[str, Any]:
    envelope = Envelope(
        wire_id="x", contents=contents, created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    body: dict[str, Any] = json.loads(json.dumps(_body(envelope), ensure_ascii=False).encode())
    return body


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def assert_within_limits(body: dict[str, Any]) -> None:
    assert body["allowed_mentions"] == {"parse": []}
    assert 1 <= len(body["embeds"]) <= 10
    total = 0
    for embed in body["embeds"]:
        footer = embed.get("footer", {}).get("text", "")
        assert 0 < units(embed["title"]) <= 256
        assert units(embed["description"]) <= 4096
        assert units(footer) <= 2048
        total += units(embed["title"]) + units(embed["description"]) + units(footer)
    assert total <= 6000


def hostile(text: str) -> Content:
    return dataclasses.replace(
        BOOK, title=text, subtitle=text, authors=(text,) * 20, summary=text, why=text, series=text
    )


@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("text", TEXTS)
def test_hostile_text_stays_within_every_limit(text: str, count: int) -> None:
    assert_within_limits(body_of(*[hostile(text)] * count))


@given(st.text(max_size=2000), st.integers(1, Discord.groups))
def test_any_text_stays_within_every_limit(text: str, count: int) -> None:
    assert_within_limits(body_of(*[hostile(text)] * count))


def test_an_embed_says_it_all() -> None:
    (embed,) = body_of(BOOK)["embeds"]
    assert embed["title"] == "New: The Long Way"
    assert embed["url"] == BOOK.url
    assert embed["thumbnail"] == {"url": BOOK.cover_url}
    assert "Release date: 9 June 2027" in embed["description"]
    assert embed["footer"] == {"text": "You hear of it because of: author A. Writer"}


def test_it_leaves_out_what_discord_would_not_take_empty() -> None:
    (embed,) = body_of(Content(kind="notice", title="Subject", summary="Text"))["embeds"]
    assert embed == {"title": "Subject", "description": "Text"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("*b* _i_ ~s~ `c` |s|", r"\*b\* \_i\_ \~s\~ \`c\` \|s\|"),
        ("[x](javascript:alert(1))", r"\[x\](javascript:alert(1))"),
        ("<@&1> <t:1> <:e:1>", r"\<@&1\> \<t:1\> \<:e:1\>"),
        ("a\\*b", r"a\\\*b"),
        ("# h\n> q\n- l\n-# s\n1. n", "\\# h\n\\> q\n\\- l\n\\-# s\n1\\. n"),
        ("Sci-Fi #1: 3.5 + 2", "Sci-Fi #1: 3.5 + 2"),
    ],
)
def test_markup_becomes_text(text: str, plain: str) -> None:
    assert escaped(text, 1000) == plain


@given(st.text(alphabet="\\*a🎧", max_size=400), st.integers(1, 300))
def test_a_cut_never_splits_an_escape_or_a_character(text: str, limit: int) -> None:
    cut = escaped(text, limit)
    cut.encode()
    assert units(cut) <= limit
    assert not re.search(r"(?<!\\)(\\\\)*\\…$", cut), "the ellipsis would be escaped"


def test_the_limits_are_discords() -> None:
    assert (TITLE_MAX, TOTAL_MAX, Discord.groups) == (256, 6000, 10)
