"""What a piece of news says, in plain words: rendered once here, then by each channel its own way.

Text from stores is hostile. A `Content` holds only clean text: one line each (`summary` may have
several), no control characters, no text-direction tricks, no halves of characters, no excess
length, and links only to web addresses. Channels escape what is special to *them*, and no more.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

NOTICE: Final = "notice"  # a message of the system itself: `title` and `summary` only

TEXT_MAX: Final = 300  # characters; the longest real title has about 250
NAME_MAX: Final = 80
NAMES_MAX: Final = 10
SUMMARY_MAX: Final = 1000
URL_MAX: Final = 500

MONTHS: Final = (  # not strftime: its words follow the machine's locale
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_HEADLINES: Final = {
    "announced": "New",
    "out_now": "Out now",
    "withdrawn": "Withdrawn",
    "restored": "Back again",
    "detail_changed": "Changed",
    "reminder": "Soon",
}
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks and overrides
    "\u2028\u2029\ufeff\ufffe\uffff"  # line separators, byte order mark, no characters at all
    "\ud800-\udfff]"  # halves of characters
)
_WEB_URL: Final = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One piece of news. Whatever it is built from, what it holds is clean (see above)."""

    kind: str  # a kind of ReleaseEvent, or NOTICE
    title: str  # of the audiobook; a notice's subject
    subtitle: str = ""
    series: str = ""  # "The Stormlight Archive, book 5"
    authors: tuple[str, ...] = ()
    narrators: tuple[str, ...] = ()
    marketplace: str = ""  # its id, "us"
    asin: str = ""
    language: str = ""
    release_date: dt.date | None = None  # on the store's calendar
    old_date: dt.date | None = None  # date_moved: the day it was
    days_before: int | None = None  # of a reminder
    runtime_minutes: int | None = None
    cover_url: str = ""
    url: str = ""
    summary: str = ""  # plain text; a notice's text
    found_late: bool = False
    unconfirmed: bool = False
    event_id: int | None = None  # ReleaseEvent.published_seq, the public one
    why: str = ""  # which watch asked for it

    def __post_init__(self) -> None:
        for name in ("title", "subtitle", "series", "why"):
            self._set(name, one_line(getattr(self, name), TEXT_MAX))
        for name in ("kind", "marketplace", "asin", "language"):
            self._set(name, one_line(getattr(self, name), NAME_MAX))
        self._set("title", self.title or "(no title)")
        for name in ("authors", "narrators"):
            people = (one_line(person, NAME_MAX) for person in getattr(self, name)[:NAMES_MAX])
            self._set(name, tuple(person for person in people if person))
        for name in ("cover_url", "url"):
            self._set(name, web_url(getattr(self, name)))
        self._set("summary", many_lines(self.summary, SUMMARY_MAX))

    def _set(self, name: str, value: str | tuple[str, ...]) -> None:
        object.__setattr__(self, name, value)


def headline(content: Content) -> str:
    """One line that says what happened to which book."""
    if content.kind == NOTICE:
        return content.title
    if content.kind == "date_moved":
        return f"{change_words(content)}: {content.title}"
    return f"{_HEADLINES[content.kind]}: {content.title}"


def subject(contents: tuple[Content, ...]) -> str:
    """One line for several pieces of news."""
    first, more = headline(contents[0]), len(contents) - 1
    return f"{first} and {more} more" if more else first


def digest_heading(date: dt.date, count: int) -> str:
    """ "Your digest of 28 November 2026: 12 pieces of news"."""
    return f"Your digest of {date_words(date)}: {count} pieces of news"


def facts(content: Content) -> tuple[tuple[str, str], ...]:
    """What is known of it, as (label, words); what is unknown is left out."""
    if content.kind == NOTICE:
        return ()
    rows = (
        ("Series", content.series),
        ("By", ", ".join(content.authors)),
        ("Narrated by", ", ".join(content.narrators)),
        ("Release date", date_words(content.release_date)),
        ("Length", length_words(content.runtime_minutes)),
        ("Language", content.language.capitalize()),
        ("Store", f"Audible {content.marketplace.upper()}" if content.marketplace else ""),
    )
    return tuple((label, words) for label, words in rows if words)


def remarks(content: Content) -> tuple[str, ...]:
    """What must be said beside the facts: how sure it is, and how it was found."""
    rows = (
        (content.found_late, "Found late: it came out before it was first seen."),
        (content.unconfirmed, "Unconfirmed: out by its date, but the store could not be asked."),
    )
    return tuple(words for holds, words in rows if holds)


def body_lines(content: Content) -> tuple[str, ...]:
    """What there is to say below the headline, one line each; without the link and the reason."""
    lines = (
        content.subtitle,
        *(f"{label}: {words}" for label, words in facts(content)),
        *remarks(content),
        *content.summary.split("\n"),
    )
    return tuple(line for line in lines if line)


def why_words(content: Content) -> str:
    """Which watch asked for it, as a sentence; empty where nobody did."""
    return f"You hear of it because of: {content.why}" if content.why else ""


def change_words(content: Content) -> str:
    """ "Moved from 3 March 2027 to 9 June 2027"; the day it was is left out where unknown."""
    was = f" from {date_words(content.old_date)}" if content.old_date else ""
    return f"Moved{was} to {date_words(content.release_date)}"


def date_words(date: dt.date | None) -> str:
    """ "9 June 2027"; of no date "not known"."""
    return "not known" if date is None else f"{date.day} {MONTHS[date.month - 1]} {date.year}"


def length_words(minutes: int | None) -> str:
    """ "12 h 5 min"; empty where unknown."""
    hours, rest = divmod(minutes or 0, 60)
    return " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (rest, "min")) if n)


def one_line(text: str, limit: int) -> str:
    """`text` without what could break a line, a header or a page, at most `limit` long."""
    return cut(" ".join(_UNSAFE.sub(" ", text[: 4 * limit]).split()), limit)


def many_lines(text: str, limit: int) -> str:
    """As one_line, with single line breaks kept."""
    lines = (one_line(line, limit) for line in text[: 4 * limit].splitlines())
    return cut("\n".join(line for line in lines if line), limit)


def cut(text: str, limit: int) -> str:
    """`text`, its end replaced by an ellipsis if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def web_url(url: str) -> str:
    """`url` if it is a plain web address of sane length, else nothing: half a link is no link."""
    return url if len(url) <= URL_MAX and _WEB_URL.fullmatch(url) else ""
