import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import ReleaseEvent
from notifications import messages
from notifications.messages import BOOK as POSTED
from notifications.messages import NOTICE, REMINDER, Content
from tests.hostile import TEXTS
from tests.news import BOOK


def of_kind(kind: str, **changes: object) -> Content:
    return dataclasses.replace(BOOK, kind=kind, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (BOOK, "New: The Long Way"),
        (of_kind("out_now"), "Out now: The Long Way"),
        (of_kind("withdrawn"), "Withdrawn: The Long Way"),
        (of_kind("restored"), "Back again: The Long Way"),
        (of_kind("detail_changed"), "Changed: The Long Way"),
        (
            of_kind("date_moved", old_date=dt.date(2027, 3, 3)),
            "Moved from 3 March to 9 June 2027: The Long Way",
        ),
        (
            of_kind("date_moved", old_date=dt.date(2026, 6, 9)),
            "Moved from 9 June 2026 to 9 June 2027: The Long Way",
        ),
        (of_kind("date_moved"), "Moved to 9 June 2027: The Long Way"),
        (
            of_kind("date_moved", old_date=dt.date(2027, 3, 3), release_date=None),
            "Moved from 3 March 2027: The Long Way",
        ),
        (of_kind("date_moved", release_date=None), "Moved: The Long Way"),
        (of_kind(REMINDER, days_before=0), "Out today: The Long Way"),
        (of_kind(REMINDER, days_before=1), "Out tomorrow: The Long Way"),
        (of_kind(REMINDER, days_before=7), "Out in 7 days: The Long Way"),
        (of_kind(REMINDER, days_before=-1), "Out now: The Long Way"),
        (of_kind(REMINDER), "Out soon: The Long Way"),
        (of_kind(POSTED), "The Long Way"),
        (Content(kind=NOTICE, title="A channel was disabled"), "A channel was disabled"),
    ],
)
def test_the_headline_says_what_happened(content: Content, words: str) -> None:
    assert messages.headline(content) == words


@pytest.mark.parametrize("kind", [*ReleaseEvent.Kind.values, REMINDER, POSTED])
def test_every_kind_of_event_has_a_headline(kind: str) -> None:
    assert messages.headline(of_kind(kind)).endswith("The Long Way")


def test_the_body_says_what_is_known() -> None:
    assert messages.body_lines(BOOK) == (
        "A Novel",
        "Series: Wayfarers, book 4",
        "By: A. Writer, B. Writer",
        "Narrated by: C. Voice",
        "Release date: 9 June 2027",
        "Length: 12 h 5 min",
        "Language: English",
        "Store: Audible UK",
        "First.",
        "Second.",
    )


def test_the_body_leaves_out_what_is_not_known() -> None:
    bare = Content(kind="announced", title="Bare")
    assert messages.body_lines(bare) == ("Release date: not known",)


def test_it_says_how_sure_it_is() -> None:
    lines = messages.body_lines(of_kind("out_now", found_late=True, unconfirmed=True))
    assert [line.split(":")[0] for line in lines if ":" in line][-2:] == [
        "Found late",
        "Unconfirmed",
    ]


@pytest.mark.parametrize("kind", ["out_now", REMINDER])
def test_where_a_day_is_near_it_says_whose_day(kind: str) -> None:
    assert "Release date: 9 June 2027, on the store's calendar" in messages.body_lines(
        of_kind(kind, days_before=1)
    )


@pytest.mark.parametrize(
    ("kind", "promised", "words"),
    [
        ("out_now", dt.date(2027, 7, 1), "Earlier than promised: the store had said 1 July 2027."),
        ("out_now", dt.date(2027, 6, 1), "Later than promised: the store had said 1 June 2027."),
        ("out_now", dt.date(2027, 6, 9), ""),
        ("out_now", None, ""),
        ("date_moved", dt.date(2027, 7, 1), ""),
    ],
)
def test_it_says_when_a_title_is_out_on_another_day_than_promised(
    kind: str, promised: dt.date | None, words: str
) -> None:
    remarks = messages.remarks(of_kind(kind, old_date=promised))
    assert remarks == ((words,) if words else ())


def test_its_readers_own_words_stand_in_place_of_ours() -> None:
    content = of_kind("announced", own_headline="Hooray", own_body="One.\n\nTwo.")
    assert messages.headline(content) == "Hooray"
    assert messages.body_lines(content) == ("One.", "Two.")
    assert messages.subject((content, content)) == "Hooray and 1 more"


def test_a_notice_has_its_text_and_nothing_of_a_book() -> None:
    notice = Content(kind=NOTICE, title="Subject", summary="One.\nTwo.")
    assert messages.body_lines(notice) == ("One.", "Two.")


def test_several_pieces_of_news_have_one_subject() -> None:
    assert messages.subject((BOOK,)) == "New: The Long Way"
    assert messages.subject((BOOK, BOOK, BOOK)) == "New: The Long Way and 2 more"


def test_a_heading_is_the_subject_where_there_is_one() -> None:
    assert messages.subject((BOOK, BOOK), "Your digest") == "Your digest"


@pytest.mark.parametrize(("count", "pieces"), [(1, "1 piece"), (12, "12 pieces")])
def test_a_digest_says_its_day_and_how_much_it_holds(count: int, pieces: str) -> None:
    words = messages.digest_heading(dt.date(2026, 11, 28), count)
    assert words == f"Your digest of 28 November 2026: {pieces} of news"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(None, ""), (0, ""), (5, "5 min"), (60, "1 h"), (61, "1 h 1 min"), (6000, "100 h")],
)
def test_lengths_in_words(minutes: int | None, words: str) -> None:
    assert messages.length_words(minutes) == words


def test_dates_in_words() -> None:
    assert messages.date_words(dt.date(2027, 12, 31)) == "31 December 2027"
    assert messages.date_words(None) == "not known"


def hostile(text: str) -> Content:
    return Content(
        kind="announced",
        title=text,
        subtitle=text,
        series=text,
        authors=(text,) * 50,
        narrators=(text,) * 50,
        language=text,
        marketplace=text,
        asin=text,
        summary=text,
        why=text,
        url=text,
        link_words=text,
        cover_url=f"https://x.example/{text}",
        own_body=text,
    )


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_text_is_clean_wherever_it_stands(text: str) -> None:
    assert_clean(text)


@given(st.text(st.characters(codec=None), max_size=400))
def test_any_text_is_clean_wherever_it_stands(text: str) -> None:
    assert_clean(text)


def assert_clean(text: str) -> None:
    content = hostile(text)
    own = dataclasses.replace(content, own_headline=text)
    lines = [
        *(messages.headline(content), messages.headline(own), messages.why_words(content)),
        *(*messages.standard_lines(content), *messages.body_lines(content), content.link_words),
    ]
    for line in lines:
        line.encode()  # no halves of characters
        assert line == " ".join(line.split())
        assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in line)
        assert not set(line) & set(
            "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
        )
    assert len(content.title) <= messages.TEXT_MAX
    assert len(content.authors) <= messages.NAMES_MAX
    assert content.url == ""
    assert sum(map(len, lines)) < 10_000


@given(st.text(st.characters(codec=None), max_size=400))
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    content = hostile(text)
    assert dataclasses.replace(content) == content


@pytest.mark.parametrize(
    ("text", "line"),
    [
        *(("a b", "a b"), ("a  b", "a b"), (" a", "a"), ("a ", "a"), ("", "")),
        *(("a\u00a0b", "a b"), ("a\u3000b", "a b"), ("a\u200fb", "a b"), ("a\x1bb", "a b")),
        *(("a" * 10, "a" * 10), ("a" * 11, "a" * 9 + "…"), ("a\ud800", "a"), ("a\nb", "a b")),
    ],
)
def test_the_quick_look_lets_nothing_through(text: str, line: str) -> None:
    """Proves the guards of the quick way through `one_line`, one by one."""
    assert messages.one_line(text, 10) == line


@pytest.mark.parametrize(
    "url",
    [
        *("", "javascript:alert(1)", "data:text/html,x", "//x.example", "https://"),
        *("https://x.example/ a", 'https://x.example/"onload', "https://x.example/<b>"),
        *("https://x.example/\n", "https://x.example/ä", "https://x.example/" + "a" * 600),
    ],
)
def test_a_link_that_is_no_plain_web_address_is_left_out(url: str) -> None:
    assert messages.web_url(url) == ""


def test_a_plain_link_stays_as_it_is() -> None:
    url = "https://x.example/pd/A-b_c~1?ref=a&b=%20[x]#y"
    assert messages.web_url(url) == url
