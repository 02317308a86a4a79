import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import messages, templates
from notifications.messages import NOTICE, REMINDER, Content
from notifications.templates import BODY_MAX, EXAMPLE, HEADLINE_MAX, PLACEHOLDERS, check, render
from stalkerr.processes import ROOT
from tests.hostile import TEXTS
from tests.news import BOOK

PAGE = Path(ROOT / "docs" / "reference" / "templates.md").read_text()
ALL_NAMES = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
PIECES = st.lists(
    st.sampled_from([*"{} \n.:!x", "{title}", "{authors}", "{{", "}}", "{x}"]), max_size=30
).map("".join)


def headline_of(template: str, content: Content = BOOK) -> str:
    assert check(template) == ()
    return messages.headline(render(template, "", content))


def lines_of(template: str, content: Content = BOOK) -> tuple[str, ...]:
    assert check(template) == ()
    return messages.body_lines(render("", template, content))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{title} by {authors}", "The Long Way by A. Writer, B. Writer"),
        ("{news}! {title}", "New! The Long Way"),
        ("{headline} ({date})", "New: The Long Way (9 June 2027)"),
        ("{iso_date} {store} {asin}", "2027-06-09 Audible UK B00TEST123"),
        ("{{title}} {title} }}{{", "{title} The Long Way }{"),
        ("{{{title}}}", "{The Long Way}"),
        ("no placeholder", "no placeholder"),
        ("{title}\n{authors}", "The Long Way A. Writer, B. Writer"),
    ],
)
def test_a_headline_in_ones_own_words(template: str, words: str) -> None:
    assert headline_of(template) == words


def test_a_body_in_ones_own_words() -> None:
    template = "{series}\n\nOut {date}, {length}\n{summary}\n{link}"
    assert lines_of(template) == (
        *("Wayfarers, book 4", "Out 9 June 2027, 12 h 5 min", "First.", "Second."),
        "https://store.example/pd/B00TEST123",
    )


def test_a_line_that_asks_only_for_what_is_not_known_is_left_out() -> None:
    bare = Content(kind="announced", title="Bare")
    template = "Always\nSeries: {series}\nBy {authors}, read by {narrators}\n{title}: {length}"
    assert lines_of(template, bare) == ("Always", "Bare:")


def test_a_template_that_comes_to_nothing_leaves_the_usual_words() -> None:
    bare = Content(kind="announced", title="Bare")
    assert headline_of("{subtitle}", bare) == "New: Bare"
    assert lines_of("{subtitle}", bare) == messages.standard_lines(bare)


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_blank_templates_leave_the_usual_words(blank: str) -> None:
    assert render(blank, blank, BOOK) == BOOK


def test_a_reminder_knows_its_days() -> None:
    content = dataclasses.replace(BOOK, kind=REMINDER, days_before=0)
    assert headline_of("{news}, {days} days", content) == "Out today, 0 days"


def test_a_notice_keeps_its_words() -> None:
    """Proves the guard of notices: a confirmation must say what it is for."""
    notice = Content(kind=NOTICE, title="Confirm this address", summary="Text")
    assert render("{title}!", "Hello", notice) == notice


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{tilte}", "There is no placeholder {tilte}; did you mean {title}?"),
        ("{author}", "There is no placeholder {author}; did you mean {authors}?"),
        ("{qqqq}", "There is no placeholder {qqqq}; see the list of placeholders."),
        *(
            (piece, f"nothing more, unlike {piece}; did you mean {{title}}?")
            for piece in (
                *("{title.__class__}", "{title!r}", "{title:>99999}", "{title[0]}", "{Title}"),
                *("{ title }", "{title }", "{title|safe}", "{title()}"),
            )
        ),
        *(
            (piece, f"unlike {piece}; see the list of placeholders.")
            for piece in ("{}", "{0}", "{0.__class__}", "{ä}")
        ),
        ("{title", "A { stands alone: write {{ for a brace that is to be seen."),
        ("title}", "A } stands alone: write }} for a brace that is to be seen."),
        ("{{title}", "A } stands alone"),
        ("{title}}", "A } stands alone"),
        ("{a{title}", "A { stands alone"),
        ("{tit\nle}", "A placeholder is a name in braces and nothing more, unlike {tit le}"),
        ("", "Write some words"),
        (" \n", "Write some words"),
        ("x" * (BODY_MAX + 1), f"This is too long: {BODY_MAX} characters are the most."),
        ("a\x00b", "characters that nobody can see"),
        ("a\ud800b", "characters that nobody can see"),
        ("a\u202eb", "characters that nobody can see"),
    ],
)
def test_what_is_wrong_gets_a_sentence_and_is_never_used(template: str, words: str) -> None:
    (error, *more) = check(template)
    assert words in error
    assert not more
    assert render(template, template, BOOK) == BOOK


def test_every_fault_is_named_once() -> None:
    assert [error.split(";")[0] for error in check("{a} {b} {a} {")] == [
        "There is no placeholder {a}",
        "There is no placeholder {b}",
        "A { stands alone: write {{ for a brace that is to be seen.",
    ]


def test_an_error_quotes_little_of_what_was_typed() -> None:
    (error,) = check("{" + "x" * 1900 + "}")
    assert len(error) < 200


def test_a_headline_has_a_limit_of_its_own() -> None:
    assert check("x" * HEADLINE_MAX, HEADLINE_MAX) == ()
    assert check("x" * (HEADLINE_MAX + 1), HEADLINE_MAX)


@pytest.mark.parametrize("title", ["{authors}", "{{", "}}", "{title}", "{0.__class__}", "%s ${x}"])
def test_a_value_is_not_read_as_a_template(title: str) -> None:
    """Proves the guard of one pass: what a store prints is put in, and looked at no more."""
    content = dataclasses.replace(BOOK, title=title, summary=title)
    assert headline_of("{title}|{authors}", content) == f"{title}|A. Writer, B. Writer"
    assert lines_of("{summary}", content) == (title,)


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_values_stay_clean_and_short(text: str) -> None:
    content = dataclasses.replace(
        BOOK, title=text, subtitle=text, authors=(text,) * 20, summary=text, series=text, why=text
    )
    shown = render(ALL_NAMES, f"{ALL_NAMES}\n" * 4, content)
    assert dataclasses.replace(shown) == shown, "what is clean stays as it is"
    assert len(messages.headline(shown)) <= messages.TEXT_MAX
    assert sum(map(len, messages.body_lines(shown))) <= messages.OWN_BODY_MAX
    for line in (messages.headline(shown), *messages.body_lines(shown)):
        assert not messages.UNSAFE.search(line)


@given(PIECES, st.text(max_size=50))
def test_any_template_is_wrong_or_says_what_it_says(template: str, title: str) -> None:
    content = dataclasses.replace(BOOK, title=title)
    words = messages.headline(render(template, "", content))
    if check(template):
        assert words == messages.headline(content)
        return
    parts = {"{{": "{", "}}": "}", "{title}": content.title, "{authors}": "A. Writer, B. Writer"}
    said = re.sub(r"\{\{|\}\}|\{\w+\}", lambda found: parts[found[0]], template)
    assert words == messages.one_line(said, messages.TEXT_MAX)


@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_at_all_is_judged(template: str) -> None:
    assert isinstance(check(template), tuple)
    assert not messages.UNSAFE.search(messages.headline(render(template, template, BOOK)))


def test_the_preview_shows_what_would_be_sent() -> None:
    preview = templates.preview("{title}: {news}", "{series}")
    assert preview.headline == "The Glass Tide: Moved from 3 March to 9 June 2027"
    assert preview.lines == ("The Salt Roads, book 3",)
    assert templates.preview("", "").headline == messages.headline(EXAMPLE)


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_the_example_has_something_for_every_placeholder(name: str) -> None:
    assert PLACEHOLDERS[name].value(EXAMPLE)


def test_the_page_lists_every_placeholder_as_the_code_does() -> None:
    rows = re.findall(r"^\| `\{(\w+)\}` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    said = [(name, words) for name, words, _ in rows]
    assert said == [(name, each.words) for name, each in PLACEHOLDERS.items()]


def test_the_page_shows_what_the_example_says() -> None:
    rows = re.findall(r"^\| `\{(\w+)\}` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    shown = {name: example for name, _, example in rows}
    short = {name for name in shown if name != "details"}
    assert {name: shown[name] for name in short} == {
        name: PLACEHOLDERS[name].value(EXAMPLE) for name in short
    }
    assert f"{HEADLINE_MAX} characters" in PAGE
    assert f"{BODY_MAX:,}" in PAGE
