"""What a piece of news says, in plain words: rendered once here, then by each channel its own way.

Text from stores is hostile. A `Content` holds only clean text: one line each (`summary` and
`own_body` may have several), no control characters, no text-direction tricks, no halves of
characters, no excess length, and links only to web addresses. Channels escape what is special to
*them*, and no more.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

# Kinds of content beside those of ReleaseEvent.
NOTICE: Final = "notice"  # a message of the system itself: `title`, `summary` and a link only
REMINDER: Final = "reminder"  # a title that is due in `days_before` days
BOOK: Final = "book"  # one audiobook that somebody posted: no news of it

TEXT_MAX: Final = 300  # characters; the longest real title has about 250
NAME_MAX: Final = 80
NAMES_MAX: Final = 10
SUMMARY_MAX: Final = 1000
URL_MAX: Final = 500
OWN_BODY_MAX: Final = 2000

MONTHS: Final = (  # not strftime: its words follow the machine's locale
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_NEWS: Final = {
    NOTICE: "",
    BOOK: "",
    "announced": "New",
    "out_now": "Out now",
    "withdrawn": "Withdrawn",
    "restored": "Back again",
    "detail_changed": "Changed",
}
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks and overrides
    "\u2028\u2029\ufeff\ufffe\uffff"  # line separators, byte order mark, no characters at all
    "\ud800-\udfff]"  # halves of characters
)
_WEB_URL: Final = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[!#-;=?-\[\]_a-z~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One piece of news. Whatever it is built from, what it holds is clean (see above)."""

    kind: str  # a kind of ReleaseEvent, or one of those above
    title: str  # of the audiobook; a notice's subject
    subtitle: str = ""
    series: str = ""  # "The Stormlight Archive, book 5"
    authors: tuple[str, ...] = ()
    narrators: tuple[str, ...] = ()
    marketplace: str = ""  # its id, "us"
    asin: str = ""
    language: str = ""
    release_date: dt.date | None = None  # on the store's calendar
    old_date: dt.date | None = None  # the day it was, or was promised for
    days_before: int | None = None  # a reminder's: 0 is "out today"
    runtime_minutes: int | None = None
    cover_url: str = ""
    url: str = ""
    link_words: str = ""  # what to call `url` where it is shown as words; a notice's
    summary: str = ""  # plain text; a notice's text
    found_late: bool = False
    unconfirmed: bool = False
    event_id: int | None = None  # ReleaseEvent.published_seq, the public one
    why: str = ""  # which watch asked for it
    own_headline: str = ""  # its reader's words (notifications/templates.py); none: the standard's
    own_body: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name, limit in _LINES:
            text = getattr(self, name)
            if text and (clean := one_line(text, limit)) is not text:
                put(self, name, clean)
        if not self.title:
            put(self, "title", "(no title)")
        put(self, "authors", _names(self.authors))
        put(self, "narrators", _names(self.narrators))
        put(self, "cover_url", web_url(self.cover_url))
        put(self, "url", web_url(self.url))
        put(self, "summary", many_lines(self.summary, SUMMARY_MAX))
        put(self, "own_body", many_lines(self.own_body, OWN_BODY_MAX))


_LINES: Final = (  # fields of one line each, with their lengths
    *((name, TEXT_MAX) for name in ("title", "subtitle", "series", "why", "own_headline")),
    *((name, NAME_MAX) for name in ("kind", "marketplace", "asin", "language", "link_words")),
)


def headline(content: Content) -> str:
    """One line that says what happened to which book, in its reader's words where there are any."""
    return content.own_headline or standard_headline(content)


def standard_headline(content: Content) -> str:
    words = news_words(content)
    return f"{words}: {content.title}" if words else content.title


def news_words(content: Content) -> str:
    """What happened, without the title: "Out now"; nothing where a title is all there is."""
    if content.kind == "date_moved":
        return change_words(content)
    if content.kind == REMINDER:
        return due_words(content.days_before)
    return _NEWS[content.kind]


def subject(contents: tuple[Content, ...], heading: str = "") -> str:
    """One line for all that a message holds: its heading, or the first piece of news."""
    if heading:
        return heading
    first, more = headline(contents[0]), len(contents) - 1
    return f"{first} and {more} more" if more else first


def digest_heading(date: dt.date, count: int) -> str:
    """ "Your digest of 28 November 2026: 12 pieces of news"."""
    pieces = "1 piece" if count == 1 else f"{count} pieces"
    return f"Your digest of {date_words(date)}: {pieces} of news"


def facts(content: Content) -> tuple[tuple[str, str], ...]:
    """What is known of it, as (label, words); what is unknown is left out."""
    if content.kind == NOTICE:
        return ()
    rows = (
        ("Series", content.series),
        ("By", ", ".join(content.authors)),
        ("Narrated by", ", ".join(content.narrators)),
        ("Release date", _day_words(content)),
        ("Length", length_words(content.runtime_minutes)),
        ("Language", content.language.capitalize()),
        ("Store", store_words(content.marketplace)),
    )
    return tuple((label, words) for label, words in rows if words)


def _day_words(content: Content) -> str:
    """The release date; whose day it is where "today" and "now" would leave that open."""
    words = date_words(content.release_date)
    is_near = content.release_date and content.kind in ("out_now", REMINDER)
    return f"{words}, on the store's calendar" if is_near else words


def remarks(content: Content) -> tuple[str, ...]:
    """What must be said beside the facts: how sure it is, and how it was found."""
    rows = (
        (content.kind == "out_now", _surprise(content)),
        (content.found_late, "Found late: it came out before it was first seen."),
        (content.unconfirmed, "Unconfirmed: out by its date, but the store could not be asked."),
    )
    return tuple(words for holds, words in rows if holds and words)


def _surprise(content: Content) -> str:
    """Of a title that is out on another day than was promised."""
    promised, out = content.old_date, content.release_date
    if promised is None or out is None or promised == out:
        return ""
    when = "Earlier" if out < promised else "Later"
    return f"{when} than promised: the store had said {date_words(promised)}."


def body_lines(content: Content) -> tuple[str, ...]:
    """What there is to say below the headline, one line each; without the link and the reason."""
    if content.own_body:
        return tuple(content.own_body.split("\n"))
    return standard_lines(content)


def standard_lines(content: Content) -> tuple[str, ...]:
    lines = (
        content.subtitle,
        *[f"{label}: {words}" for label, words in facts(content)],
        *remarks(content),
        *content.summary.split("\n"),
    )
    return tuple([line for line in lines if line])


def why_words(content: Content) -> str:
    """Which watch asked for it, as a sentence; empty where nobody did."""
    return f"You hear of it because of: {content.why}" if content.why else ""


def change_words(content: Content) -> str:
    """ "Moved from 3 March to 9 June 2027"; a day that is not known is left out."""
    old, new = content.old_date, content.release_date
    if old is None:
        return f"Moved to {date_words(new)}" if new else "Moved"
    is_same_year = new is not None and new.year == old.year
    was = f"Moved from {_day_and_month(old) if is_same_year else date_words(old)}"
    return f"{was} to {date_words(new)}" if new else was


def due_words(days: int | None) -> str:
    """ "Out tomorrow", "Out in 7 days"."""
    if days is None:
        return "Out soon"
    if days < 0:  # a reminder that was held up for longer than it was early
        return "Out now"
    return {0: "Out today", 1: "Out tomorrow"}.get(days, f"Out in {days} days")


def date_words(date: dt.date | None) -> str:
    """ "9 June 2027"; of no date "not known"."""
    return "not known" if date is None else f"{_day_and_month(date)} {date.year}"


def _day_and_month(date: dt.date) -> str:
    return f"{date.day} {MONTHS[date.month - 1]}"


def store_words(marketplace: str) -> str:
    """ "Audible UK"; empty where unknown."""
    return f"Audible {marketplace.upper()}" if marketplace else ""


def length_words(minutes: int | None) -> str:
    """ "12 h 5 min"; empty where unknown."""
    hours, rest = divmod(minutes or 0, 60)
    return " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (rest, "min")) if n)


def one_line(text: str, limit: int) -> str:
    """`text` without what could break a line, a header or a page, at most `limit` long.

    The very object that was given, where it needs no change: most texts of most messages.
    """
    if len(text) <= limit and text.isprintable() and "  " not in text and text.strip() == text:
        return text  # printable: no control, no mark, no half, and no space but the plain one
    return cut(" ".join(UNSAFE.sub(" ", text[: 4 * limit]).split()), limit)


def many_lines(text: str, limit: int) -> str:
    """As one_line, with single line breaks kept."""
    if not text:
        return text
    lines = [one_line(line, limit) for line in text[: 4 * limit].splitlines()]
    return cut("\n".join([line for line in lines if line]), limit)


def _names(people: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([name for each in people[:NAMES_MAX] if (name := one_line(each, NAME_MAX))])


def cut(text: str, limit: int) -> str:
    """`text`, its end replaced by an ellipsis if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def web_url(url: str) -> str:
    """`url` if it is a plain web address of sane length, else nothing: half a link is no link."""
    return url if url and len(url) <= URL_MAX and _WEB_URL.fullmatch(url) else ""
