"""A reader's own words for their news: text with placeholders such as {title}, and nothing else.

There is no logic, no attribute, no index, no format: a template can say nothing that is not in the
table below. Values are put in once and never read as a template, so that a title which holds
"{authors}" stays as it is; and the result is cleaned as all text of a `Content` is.
"""

import dataclasses
import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from notifications import messages
from notifications.messages import NOTICE, Content, one_line

HEADLINE_MAX: Final = 200  # characters of a template
BODY_MAX: Final = 2000
SHOWN_MAX: Final = 40  # of what an error quotes

_PIECES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME: Final = re.compile(r"\W*([a-z_]*)")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands for a name in braces; `value` is empty where nothing is known."""

    words: str  # what it is, for those who write templates
    value: Callable[[Content], str]


PLACEHOLDERS: Final = {
    "headline": Placeholder("the usual headline", messages.standard_headline),
    "news": Placeholder("what happened, without the title", messages.news_words),
    "title": Placeholder("the title", lambda content: content.title),
    "subtitle": Placeholder("its subtitle", lambda content: content.subtitle),
    "series": Placeholder("its series and its place there", lambda content: content.series),
    "authors": Placeholder("who wrote it", lambda content: ", ".join(content.authors)),
    "narrators": Placeholder("who reads it", lambda content: ", ".join(content.narrators)),
    "date": Placeholder("the release date in words", lambda content: _words(content.release_date)),
    "iso_date": Placeholder("the release date in digits", lambda content: _iso(content)),
    "old_date": Placeholder("the date before it moved", lambda content: _words(content.old_date)),
    "days": Placeholder(
        "of a reminder: in how many days it is out",
        lambda content: "" if content.days_before is None else str(content.days_before),
    ),
    "length": Placeholder(
        "how long it is", lambda content: messages.length_words(content.runtime_minutes)
    ),
    "language": Placeholder("its language", lambda content: content.language.capitalize()),
    "store": Placeholder("the store", lambda content: messages.store_words(content.marketplace)),
    "asin": Placeholder("the store's number for it", lambda content: content.asin),
    "link": Placeholder("its page in the store", lambda content: content.url),
    "summary": Placeholder("the store's summary", lambda content: content.summary),
    "remarks": Placeholder(
        'what must be said beside it, such as "Unconfirmed"',
        lambda content: "\n".join(messages.remarks(content)),
    ),
    "details": Placeholder(
        "all the usual lines", lambda content: "\n".join(messages.standard_lines(content))
    ),
    "why": Placeholder("which of your watches asked for it", lambda content: content.why),
}

EXAMPLE: Final = Content(
    kind="date_moved",
    title="The Glass Tide",
    subtitle="A Novel",
    series="The Salt Roads, book 3",
    authors=("Ada Example", "Ben Sample"),
    narrators=("Cleo Voice",),
    marketplace="uk",
    asin="B00EXAMPLE",
    language="english",
    release_date=date(2027, 6, 9),
    old_date=date(2027, 3, 3),
    days_before=7,
    runtime_minutes=725,
    url="https://store.example/pd/B00EXAMPLE",
    summary="A keeper of lights counts the ships that do not come.",
    unconfirmed=True,
    why="author Ada Example",
)


def check(template: str, limit: int = BODY_MAX) -> tuple[str, ...]:
    """What is wrong with a template of at most `limit` characters, a sentence each."""
    if not template.strip():
        return ("Write some words, or leave it out for the usual ones.",)
    if len(template) > limit:
        return (f"This is too long: {limit} characters are the most.",)
    if messages.UNSAFE.search(re.sub(r"[\r\n\t]", "", template)):
        return ("This holds characters that nobody can see: type it anew.",)
    errors = (_error(found[0], found[1]) for found in _PIECES.finditer(template))
    return tuple(dict.fromkeys(error for error in errors if error))


def _error(piece: str, name: str | None) -> str:
    if piece in ("{{", "}}") or name in PLACEHOLDERS:
        return ""
    if name is None:
        return f"A {piece} stands alone: write {piece * 2} for a brace that is to be seen."
    shown = one_line(piece, SHOWN_MAX)
    nearest = _nearest(name)
    hint = f"did you mean {{{nearest}}}?" if nearest else "see the list of placeholders."
    if re.fullmatch("[a-z_]+", name):
        return f"There is no placeholder {shown}; {hint}"
    return f"A placeholder is a name in braces and nothing more, unlike {shown}; {hint}"


def _nearest(name: str) -> str:
    start = _NAME.match(name[:SHOWN_MAX].lower())
    near = difflib.get_close_matches(start[1] if start else "", PLACEHOLDERS, n=1)
    return near[0] if near else ""


def render(headline_template: str, body_template: str, content: Content) -> Content:
    """`content` with its reader's words in place of the usual ones.

    The usual words stay where a template is blank or comes to nothing, where it is wrong (it was
    checked when it was stored; news must go out all the same), and in notices.
    """
    if content.kind == NOTICE or not (headline_template or body_template):
        return content
    return dataclasses.replace(
        content,
        own_headline=_filled(headline_template, content),
        own_body=_filled(body_template, content),
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a message would say."""

    headline: str
    lines: tuple[str, ...]


def preview(headline_template: str, body_template: str, content: Content = EXAMPLE) -> Preview:
    """What templates without errors make of a piece of news."""
    shown = render(headline_template, body_template, content)
    return Preview(messages.headline(shown), messages.body_lines(shown))


# A line is its pieces; a piece is (text, "") or ("", name).
_Line = tuple[tuple[str, str], ...]


@lru_cache(maxsize=512)
def _lines(template: str) -> tuple[_Line, ...]:
    """A template taken apart; nothing of one that is blank or wrong."""
    if check(template):
        return ()
    return tuple(tuple(_pieces(line)) for line in template.splitlines())


def _pieces(line: str) -> list[tuple[str, str]]:
    pieces, end = [], 0
    for found in _PIECES.finditer(line):
        pieces.append((line[end : found.start()], ""))
        pieces.append(("", found[1]) if found[1] else (found[0][0], ""))
        end = found.end()
    return [*pieces, (line[end:], "")]


def _filled(template: str, content: Content) -> str:
    lines = [_line(line, content) for line in _lines(template)]
    return "\n".join([line for line in lines if line])


def _line(line: _Line, content: Content) -> str:
    """A line with its values; nothing where it asks for what is not known, and for that alone."""
    values = {name: PLACEHOLDERS[name].value(content) for _, name in line if name}
    if values and not any(values.values()):
        return ""
    return "".join([values[name] if name else text for text, name in line])


def _words(day: date | None) -> str:
    return messages.date_words(day) if day else ""


def _iso(content: Content) -> str:
    return content.release_date.isoformat() if content.release_date else ""
