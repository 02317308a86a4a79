"""A page cut into the few pieces worth reading.

Pages have one to three megabytes, nearly all of it buttons, styles and stars: lxml throws those
away in a fraction of the time that soup would take to make of them.
"""

import codecs
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup
from lxml import etree

from scraping.pages import UnreadableAnswerError
from scraping.site.links import product_asin, series_asin

Record = dict[str, Any]

_CHARSET = re.compile(rb"""<meta[^>]{1,80}charset=["']?([\w-]{2,20})""", re.IGNORECASE)
# Of those that Python knows, some take for ever and some are no text.
_ENCODINGS = ("iso8859", "cp125", "cp932", "shift_jis", "euc_jp", "iso2022_jp")
_ROBOT_CHECK = re.compile(
    r"validateCaptcha|opfcaptcha|/errors/captcha|awsWaf|api-services-support@amazon", re.IGNORECASE
)
_START = re.compile(r"<(?:!doctype|html)\b", re.IGNORECASE)
_END = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
_UNFINISHED = re.compile(r"<[^<>]*$")
# No list of the store is longer; what claims to be is cut off here.
_MOST_ROWS = 1_000
# What a product page may be about; the store names an episode's kind here and nowhere else.
KINDS_OF_PRODUCT = ("Audiobook", "PodcastSeries", "PodcastSeason", "PodcastEpisode", "Product")


def _has(name: str) -> str:
    return f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')"


_PEOPLE = f"({_has('authorLabel')} or {_has('narratorLabel')})"
_LABEL = " or ".join(
    _has(f"{name}Label") for name in ("author", "narrator", "runtime", "releaseDate", "language")
)
# What a page recommends beside what it is about.
_ASIDE = (
    "ancestor::*[contains(name(), 'carousel') or contains(name(), '-tile')"
    " or contains(name(), 'grid-item') or contains(@class, 'carousel')]"
)
_ROWS = etree.XPath(
    f"//*[(self::li and {_has('productListItem')}) or self::adbl-product-row"
    f" or self::adbl-product-list-item or {_has('adbl-library-content-row')}][not({_ASIDE})]"
)
_HERO = etree.XPath(f"boolean(//adbl-product-hero[not({_ASIDE})])")
_LABELS = etree.XPath(f"boolean(//*[{_LABEL}])")
_JUNK = etree.XPath(
    f".//style | .//svg | .//i[contains(@class, 'icon')] | .//form | .//noscript | .//script[not(@type='application/json')]"
    " | .//*[contains(@id, 'buy-box') or contains(@class, 'BuyBox') or starts-with(@slot, 'buy')"
    f" or {_has('bc-review-stars')} or {_has('bc-modal')}]"
)
# Buttons say what kind of product they play.
_PLAYERS = etree.XPath(".//*[@contentdeliverytype and @asin]")
_SERIES_LINKS = etree.XPath(".//a[contains(@href, '/series')]/@href")
_LINKED_DATA = etree.XPath("//script[contains(@type, 'ld+json')]")
_METADATA = etree.XPath(f"//adbl-product-metadata[not({_ASIDE})]//script")
_ADDRESS = etree.XPath(
    "string((//link[@rel='canonical']/@href | //meta[@property='og:url']/@content)[1])"
)
_OF_PRODUCT = etree.XPath(
    f"(//h1)[not({_ASIDE})] | //adbl-title-lockup[not({_ASIDE})]//*[@slot='subtitle']"
    " | //adbl-product-details//*[@slot='summary']"
    f" | (//ul[li[{_PEOPLE}]])[1] | //*[{_has('productPublisherSummary')}]"
    " | //adbl-button[@data-asin] | //adbl-product-image[@slot='image']"
)
_COUNT = etree.XPath(
    f"string((//*[{_has('resultsSummarySubheading')}]"
    " | //adbl-metadata-group//span[@slot='child'] | //adbl-metadata[@slot='child-count'])[1])"
)
_HEADING = etree.XPath("string((//h1[not(contains(@class, 'BuyBox'))])[1])")


@dataclass(frozen=True, slots=True)
class Piece:
    """A row of a list, or what is worth reading of a page about one product.

    `players` are {"asin", "content_type", "delivery_type"} as its buttons say.
    """

    soup: BeautifulSoup
    players: tuple[dict[str, str], ...] = ()
    series_links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cuts:
    """What is left of a page: rows, or the one product it is about; neither on an empty list."""

    rows: tuple[Piece, ...] = ()
    product: Piece | None = None
    linked_data: tuple[Record, ...] = ()
    metadata: tuple[Record, ...] = ()
    address: str = ""  # the page's own, where it says so
    heading: str = ""
    count: str = ""  # "1 - 20 of 1,234 results", "4 books in series"


def cut(body: bytes) -> Cuts:
    """The pieces of a page; raises UnreadableAnswerError where it is none, or not whole."""
    text = _decode(body)
    _check_whole(text)
    tree = _tree(text)
    linked_data = tuple(_json_of(_LINKED_DATA(tree)))
    address = str(_ADDRESS(tree))
    rows = _ROWS(tree)
    is_series = bool(rows and series_asin(address))
    if (_is_about_one(linked_data, address) and not is_series) or (_HERO(tree) and not rows):
        return Cuts(
            product=_piece(tree, _OF_PRODUCT(tree)),
            linked_data=linked_data,
            metadata=tuple(_json_of(_METADATA(tree))),
            address=address,
        )
    if not rows and _LABELS(tree):
        rows = [tree]  # a row alone, out of its list
    if not rows:
        _check_ours(text)
    heading, count = str(_HEADING(tree)), str(_COUNT(tree))
    pieces = tuple(_piece(row, [row]) for row in rows[:_MOST_ROWS])
    return Cuts(rows=pieces, address=address, heading=heading, count=count)


def _decode(body: bytes) -> str:
    """As the page says it is encoded; UTF-8 where it does not say, or says nonsense."""
    try:
        return body.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError:
        named = _CHARSET.search(body[:4096])
    encoding = _known_encoding(named[1].decode("ascii", "replace")) if named else "utf-8"
    return body.decode(encoding, "replace").replace("\x00", "")


def _known_encoding(name: str) -> str:
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        return "utf-8"
    return encoding if encoding.startswith(_ENCODINGS) else "utf-8"


def _check_whole(text: str) -> None:
    if not text.strip():
        raise UnreadableAnswerError("an empty body")
    if "<" not in text or text.lstrip()[0] in "{[":
        raise UnreadableAnswerError("data instead of a web page")
    start, end = text[:4096], text[-65_536:]
    if (_START.search(start) and not _END.search(end)) or _UNFINISHED.search(end):
        raise UnreadableAnswerError("half a web page")


def _check_ours(text: str) -> None:
    """The store's own pages are made of its own elements, a robot check is not."""
    if "adbl-" in text:
        return
    if _ROBOT_CHECK.search(text):
        raise UnreadableAnswerError("a robot check")
    raise UnreadableAnswerError("a web page that is not the store's")


def _tree(text: str) -> Any:
    parser = etree.HTMLParser(remove_comments=True, remove_pis=True)
    try:
        tree = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableAnswerError("markup beyond reading") from error
    if tree is None:
        raise UnreadableAnswerError("a page without markup")
    return tree


def type_of(record: Record) -> str:
    """What linked data says a record is; the first where it says more."""
    types = record.get("@type")
    return str(types[0] if isinstance(types, list) and types else types)


def _is_about_one(linked_data: tuple[Record, ...], address: str) -> bool:
    kinds = [type_of(record) for record in linked_data]
    if product_asin(address):
        return True
    return any(kinds.count(kind) == 1 for kind in KINDS_OF_PRODUCT)


def _piece(scope: Any, wanted: list[Any]) -> Piece:
    """`wanted` as soup, without its junk; what its buttons say is taken before they go."""
    players, series_links = tuple(_players(scope)), tuple(map(str, _SERIES_LINKS(scope)))
    for node in wanted:
        for junk in _JUNK(node):
            _drop(junk)
    markup = "".join(
        etree.tostring(node, encoding="unicode", method="html", with_tail=False) for node in wanted
    )
    return Piece(_soup(markup), players, series_links)


def _drop(node: Any) -> None:
    """Take it out of its page, but not the text behind it."""
    parent, before = node.getparent(), node.getprevious()
    if parent is None:
        return
    if node.tail and before is not None:
        before.tail = (before.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def _soup(markup: str) -> BeautifulSoup:
    try:
        return BeautifulSoup(markup, "lxml")
    except ParserRejectedMarkup:
        return BeautifulSoup("", "lxml")


def _players(scope: Any) -> Iterator[dict[str, str]]:
    for button in _PLAYERS(scope):
        yield {
            "asin": button.get("asin"),
            "content_type": button.get("contenttype") or "",
            "delivery_type": button.get("contentdeliverytype") or "",
        }


def _json_of(scripts: Iterable[Any]) -> Iterator[Record]:
    for script in scripts:
        yield from _flat(read_json(script.text or ""))


def read_json(text: str) -> Any:
    """What a script holds, also where it was escaped like text; None where that makes no sense."""
    for said in (text, html.unescape(text)):
        try:
            return json.loads(said, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _flat(value: Any) -> Iterator[Record]:
    """The records of what may be one, a list of some, or a graph of some."""
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, dict):
        yield value
        yield from _flat(value.get("@graph"))
