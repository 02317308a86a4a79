import dataclasses
import json
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.messages import NOTICE, Content
from notifications.texts import Length, Passage, fit, letter, passages, utf16
from tests.news import BOOK

LENGTHS: tuple[Length, ...] = (
    len,
    utf16,
    lambda text: len(text.encode()),
    lambda text: utf16(escape(text)),
    lambda text: len(json.dumps(text, ensure_ascii=False).encode()),
)
texts = st.text(st.characters(codec="utf-8"), max_size=400)


@given(texts, st.integers(-5, 300), st.sampled_from(LENGTHS))
def test_a_cut_text_fits_and_is_a_start_of_the_whole(text: str, limit: int, length: Length) -> None:
    cut = fit(text, limit, length)
    assert length(cut) <= max(limit, length(""))
    cut.encode()
    assert cut == text or text.startswith(cut.removesuffix("…"))


def test_no_more_is_cut_off_than_needs_be() -> None:
    assert fit("12345", 5) == "12345"
    assert fit("123456", 5) == "1234…"
    assert fit("🎧🎧🎧", 5, utf16) == "🎧🎧…"
    assert fit("ab", 0) == ""


@given(texts, texts, st.integers(1, 20), st.integers(40, 3000), st.sampled_from(LENGTHS))
def test_passages_fit_into_the_room_together(
    title: str, summary: str, count: int, room: int, length: Length
) -> None:
    content = dataclasses.replace(BOOK, title=title, summary=summary, why=title)
    parts = passages([content] * count, room * count, length)
    assert len(parts) == count
    assert length("\n\n".join(part.joined() for part in parts)) <= room * count


def test_a_short_piece_of_news_is_not_cut_for_a_long_one() -> None:
    long = dataclasses.replace(BOOK, summary="word " * 1000)
    short = passages([BOOK], 10_000)[0]
    assert passages([long, BOOK], 1000)[1] == short
    assert passages([long, long], 1000)[0].head == short.head, "what happened is said in full"


def test_half_a_link_is_no_link() -> None:
    content = dataclasses.replace(BOOK, url="https://store.example/" + "a" * 400)
    (part,) = passages([content], 300)
    assert part.url == ""
    assert part.why.startswith("You hear of it because of")


def test_a_letter_of_one_piece_of_news_has_it_as_its_title() -> None:
    alone = letter([BOOK], "", 1000)
    assert (alone.title, alone.url) == ("New: The Long Way", BOOK.url)
    assert alone.text.startswith("A Novel\n")
    headed = letter([BOOK], "Your digest", 1000)
    assert (headed.title, headed.url) == ("Your digest", BOOK.url)
    assert headed.text.startswith("New: The Long Way\nA Novel\n")


def test_a_letter_of_several_has_every_link_in_its_text() -> None:
    several = letter([BOOK, BOOK], "", 10_000)
    assert (several.title, several.url) == ("New: The Long Way and 1 more", "")
    assert several.text.count(f"New: The Long Way\n{BOOK.url}\nA Novel\n") == 2


def test_a_letter_is_never_empty() -> None:
    assert letter([Content(kind=NOTICE, title="Subject")], "", 100).text == "Subject"


@pytest.mark.parametrize("url", [BOOK.url, "https://x.example/?a=1&lt=2&copy;'"])
def test_a_link_of_a_page_leads_where_it_said(url: str) -> None:
    """Proves the guard: an address is escaped as well."""
    links = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(attrs)

    Reader().feed(Passage("Head", url, "Text", "").marked())
    assert links == [("href", url)]
