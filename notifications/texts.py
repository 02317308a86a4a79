"""Pieces of news as plain text, each with a fair share of the room that a kind of channel has.

Cut first, escaped after: so no cut falls inside an escape. What a text takes is measured by the
kind's own `length`: characters, UTF-16 units, bytes, of the text as it will be escaped.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from notifications import messages
from notifications.messages import Content

Length = Callable[[str], int]

_JOINTS: Final = "\n" * 5  # between the parts of a passage, and below it


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of news. All but `head` may be empty."""

    head: str  # one line
    url: str
    text: str
    why: str  # one line

    def joined(self) -> str:
        """It as plain text."""
        return "\n".join(part for part in (self.head, self.url, self.text, self.why) if part)

    def marked(self, escaped: Callable[[str], str] = escape) -> str:
        """It as the little HTML that chats know; lines stay lines."""
        head = f"<b>{escaped(self.head)}</b>"
        link = f'<a href="{escape(self.url)}">{head}</a>' if self.url else head
        why = f"<i>{escaped(self.why)}</i>" if self.why else ""
        return "\n".join(part for part in (link, escaped(self.text), why) if part)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for kinds that have a title, a text and one link."""

    title: str
    text: str  # never empty
    url: str


def passages(contents: Sequence[Content], room: int, length: Length = len) -> list[Passage]:
    """Each of `contents`, whole if they fit into `room` together, else cut to equal shares."""
    whole = [_passage(content) for content in contents]
    sizes = [length(passage.joined() + _JOINTS) for passage in whole]
    share = room if sum(sizes) <= room else room // len(whole)
    return [
        passage if size <= share else _cut(passage, share, length)
        for passage, size in zip(whole, sizes, strict=True)
    ]


def letter(contents: Sequence[Content], heading: str, room: int, length: Length = len) -> Letter:
    """`contents` under their heading, else under what they say; `room` is for the text."""
    parts = passages(contents, room, length)
    title = heading or messages.subject(tuple(contents))
    url = contents[0].url if len(contents) == 1 else ""
    if len(contents) == 1:  # its link, and without a heading its headline, stand beside the text
        parts = [replace(parts[0], url="", head=parts[0].head if heading else "")]
    return Letter(title, "\n\n".join(part.joined() for part in parts) or title, url)


def fit(text: str, limit: int, length: Length = len) -> str:
    """`text`, its end replaced by an ellipsis if `length` of it is more than `limit`."""
    if length(text) <= limit:
        return text
    ends = range(len(text) + 1)
    end = bisect_right(ends, limit, key=lambda end: length(text[:end] + "…")) - 1
    return text[:end].rstrip() + "…" if end >= 0 else ""


def utf16(text: str) -> int:
    """Its length as most chats count: in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def _passage(content: Content) -> Passage:
    return Passage(
        messages.headline(content),
        content.url,
        "\n".join(messages.body_lines(content)),
        messages.why_words(content),
    )


def _cut(passage: Passage, share: int, length: Length) -> Passage:
    """What happened comes first, then where to look and who asked, then the rest."""
    left = share - length(_JOINTS)
    head = fit(passage.head, left // 2, length)
    left -= length(head)
    url = passage.url if length(passage.url) <= left // 2 else ""  # half a link is no link
    left -= length(url)
    why = fit(passage.why, left // 2, length)
    return Passage(head, url, fit(passage.text, left - length(why), length), why)
