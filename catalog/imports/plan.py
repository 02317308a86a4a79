"""What a file's rows ask for: watches, one for each author and series, and marks. Pure."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Final

from catalog.imports.row import Name, Row
from catalog.imports.trees import KINDS
from catalog.normalise import fold, name_key
from catalog.roles import PSEUDO_NARRATORS
from catalog.watch_rules import tidy_query, watch_errors

NOBODY: Final = "It names neither an author nor a series."
A_FEED: Final = "This is a feed's address, not an author or a series."
_NO_PERSON: Final = PSEUDO_NARRATORS | {"various", "various author", "various authors", "unknown"}
_NAMED: Final = ("author", "series")  # the kinds of watch that may have an ASIN beside a name

Wanted = tuple[str, str]  # (kind, folded query)


@dataclass(slots=True)
class Wish:
    """A watch to be made, and how many of the file's titles it is for."""

    kind: str
    query: str
    asin: str = ""
    titles: int = 0


@dataclass(slots=True)
class Plan:
    wishes: dict[Wanted, Wish] = field(default_factory=dict)
    heard: list[Row] = field(default_factory=list)
    unresolved: list[tuple[str, str]] = field(default_factory=list)  # (title, why)
    known: int = 0  # watches that the user has already


def plan(rows: Iterable[Row], *, watched: Set[Wanted]) -> Plan:
    """What to make of rows for a user who watches `watched`."""
    made = Plan()
    for row in rows:
        if row.is_heard:
            made.heard.append(row)
        reason = _wish_for(row, made)
        if reason:
            made.unresolved.append((row.title, reason))
    made.known = len(made.wishes.keys() & watched)
    for wanted in watched & made.wishes.keys():
        del made.wishes[wanted]
    return made


def _wish_for(row: Row, made: Plan) -> str:
    """Add the watches of a row; returns why there is none."""
    if row.watch_kind:
        return _wish(made, row.watch_kind, Name(row.title, row.asin))
    named = [("author", name) for name in row.authors if fold(name.text) not in _NO_PERSON]
    named += [("series", name) for name in row.series]
    reasons = [_wish(made, kind, name) for kind, name in named]
    return "" if not all(reasons) else next(iter(reasons), NOBODY)


def _wish(made: Plan, kind: str, name: Name) -> str:
    if kind not in KINDS:
        return A_FEED if kind == "feed" else f"“{kind}” is no kind of watch."
    query, asin = tidy_query(kind, name.text), name.asin if kind in _NAMED else ""
    errors = watch_errors(
        kind=kind, query=query, asin=asin, aliases=(), hidden=(), excluded_words=()
    )
    if errors:
        return next(iter(errors.values()))
    wish = made.wishes.setdefault(wanted_of(kind, query), Wish(kind, query))
    wish.asin = wish.asin or asin
    wish.titles += 1
    return ""


def wanted_of(kind: str, query: str) -> Wanted:
    """By what two watches are seen to be the same."""
    return kind, name_key(query)
