"""Which audiobooks are editions of one work. Pure.

When in doubt they are two: what was told of a work is not told again, so that a false join loses
news where a false split only repeats it (docs/decisions/0014-when-in-doubt-two-works.md).
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.classify import Classification, classify
from catalog.listing import Listing
from catalog.main_title import is_untitled, main_title, plain_number
from catalog.normalise import KEY_MAX, fold, name_key
from catalog.roles import PSEUDO_NARRATORS

# Runtimes of one text, read by different people, differ by no more than this.
RUNTIME_SHARE = 0.05
RUNTIME_MINUTES = 10
# Stores put one edition out at about the same time.
DATES_APART = dt.timedelta(days=60)

REISSUE = "reissue"  # the trait of an audiobook, known over editions only

# What makes another book of the same title; who reads it, or whether it is new, does not.
_TELLING = frozenset({"part", "omnibus", "dramatised", "abridged"})
# Of these, the subtitle often says which: "Part 1 of 2".
_ONE_OF_SEVERAL = frozenset({"part", "omnibus"})
_PLACEHOLDER_SKUS = ("SE_RIES_", "PL_HLDR_")
# Outside the US some stores add their country: BK_ADBL_051843UK.
_SKU = re.compile(r"(\w{2}_\w{4}_\d{6})[A-Z]{2}")
_ISBN10 = re.compile(r"\d{9}[\dX]")
_JUNK_ISBN = re.compile(r"(?:978|979)?(\d)\1*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NOBODY = PSEUDO_NARRATORS | frozenset({"various", "various authors", "diverse", "diverse autoren"})


@dataclass(frozen=True, slots=True)
class Edition:
    """An audiobook as far as it takes to see whether another is an edition of the same work."""

    marketplace: str
    asin: str
    keys: frozenset[str]  # work_keys
    language: str = ""
    runtime_minutes: int | None = None
    release_date: dt.date | None = None
    traits: frozenset[str] = frozenset()  # catalog/classify.py
    places: frozenset[tuple[str, str]] = frozenset()  # (folded series title, number)
    tail: str = ""  # the number in a series tail of its title
    narrators: frozenset[str] = frozenset()  # folded, real ones only
    is_pinned: bool = False  # a person said which work it belongs to
    id: int = 0  # 0: not stored yet

    @property
    def numbers(self) -> set[str]:
        """Its places in whatever series."""
        return {number for _, number in self.places} | ({self.tail} - {""})


def work_keys(facts: Listing, sort: Classification | None = None) -> list[str]:
    """Under what other editions of its work are looked for, sorted: sku, ISBN, author and title.

    `sort`: what it is, where the caller knows.
    """
    sort = sort or classify(facts)
    keys = {*_sku_keys(facts), *_isbn_keys(facts)}
    if sort.kind not in ("podcast", "series_placeholder"):
        keys |= _book_keys(facts, sort)
    return sorted(keys)


def _sku_keys(facts: Listing) -> set[str]:
    sku = (facts.sku or "").strip().upper()
    if not sku or sku.startswith(_PLACEHOLDER_SKUS):
        return set()
    found = _SKU.fullmatch(sku)
    return {f"sku:{found[1] if found else sku[:KEY_MAX]}"}


def _isbn_keys(facts: Listing) -> set[str]:
    """Of the field, and of an ASIN that is an ISBN-10; without check digits, which differ."""
    stated = re.sub(r"[\s-]", "", facts.isbn or "").upper()
    cores = {f"978{isbn[:9]}" for isbn in (stated, facts.asin) if _ISBN10.fullmatch(isbn)}
    if len(stated) == 13 and stated.isdigit():
        cores.add(stated[:12])
    return {f"isbn:{core}" for core in cores if not _JUNK_ISBN.fullmatch(core)}


def _book_keys(facts: Listing, sort: Classification) -> set[str]:
    title, _ = main_title(facts.title or "")
    if is_untitled(title):
        return set()
    if _ONE_OF_SEVERAL.intersection(sort.traits) and facts.subtitle:
        title = f"{title} {fold(facts.subtitle)}"
    authors = {name_key(credit.name) for credit in facts.credits if credit.role == "author"}
    return {f"book:{author}~{title[:KEY_MAX]}" for author in authors - _NOBODY if author}


def edition_of(facts: Listing, sort: Classification | None = None) -> Edition:
    """A listing that is not stored yet. `sort`: work_keys."""
    sort = sort or classify(facts)
    narrators = [credit.name for credit in facts.credits if credit.role == "narrator"]
    return Edition(
        marketplace=facts.marketplace,
        asin=facts.asin,
        keys=frozenset(work_keys(facts, sort)),
        language=facts.language or "",
        runtime_minutes=facts.runtime_minutes,
        release_date=facts.release_date,
        traits=frozenset(sort.traits),
        places=places(
            ((name_key(place.title), place.sequence) for place in facts.series), facts.subtitle
        ),
        tail=main_title(facts.title or "")[1],
        narrators=real_people(narrators),
    )


def places(
    said: Iterable[tuple[str, str | None]], subtitle: str | None
) -> frozenset[tuple[str, str]]:
    """(Folded series title, number) of those places that have a number; "1-3" is one of its own.

    Where no series gives a number the subtitle may ("The Winter Saga, Book 3"): series "".
    """
    found = ((title, _NUMBER.findall(sequence or "")) for title, sequence in said)
    given = frozenset(
        (title, "-".join(map(plain_number, numbers))) for title, numbers in found if numbers
    )
    number = "" if given or not subtitle else main_title(f"x: {subtitle}")[1]
    return frozenset({("", number)}) if number else given


def real_people(names: Iterable[str]) -> frozenset[str]:
    """The folded names, without those that name nobody."""
    return frozenset(name_key(name) for name in names) - _NOBODY - {""}


def same_work(a: Edition, b: Edition) -> bool:
    """Whether they are surely editions of one work."""
    if is_proven(a, b):
        return True
    if not _share(a, b, "book:") or contradict(a, b):
        return False
    if _languages_differ(a, b):
        return bool(a.numbers & b.numbers)
    if a.runtime_minutes and b.runtime_minutes:
        return True
    return a.marketplace != b.marketplace and _dates_are_near(a, b)


def is_proven(a: Edition, b: Edition) -> bool:
    """Whether a number of the store or of the book trade says so, whatever else differs.

    An ISBN that two volumes of a series share is a mistake of their publisher.
    """
    if a.asin == b.asin or _share(a, b, "sku:"):
        return True
    return _share(a, b, "isbn:") and _places_agree(a, b)


def contradict(a: Edition, b: Edition) -> bool:
    """Whether what is known of them says that they are two works, by title and author alone.

    Two of one store and language need runtimes to be taken for one: it sells both, after all.
    """
    if a.traits & _TELLING != b.traits & _TELLING or not _places_agree(a, b):
        return True
    if _languages_differ(a, b):
        return False  # a translation takes its own time
    if a.runtime_minutes and b.runtime_minutes:
        return not _runtimes_are_near(a.runtime_minutes, b.runtime_minutes)
    return a.marketplace == b.marketplace


def is_reissue(new: Edition, old: Edition) -> bool:
    """Whether `new` sells the recording `old` again, under another ASIN of the same store."""
    return (
        new.marketplace == old.marketplace
        and new.asin != old.asin
        and bool(new.narrators)
        and new.narrators == old.narrators
        and new.language == old.language != ""
        and new.traits & _TELLING == old.traits & _TELLING
        and old.release_date is not None
        and (new.release_date is None or new.release_date > old.release_date)
    )


def _share(a: Edition, b: Edition, kind: str) -> bool:
    return any(key.startswith(kind) for key in a.keys & b.keys)


def _languages_differ(a: Edition, b: Edition) -> bool:
    return bool(a.language and b.language) and a.language != b.language


def _runtimes_are_near(a: int, b: int) -> bool:
    return abs(a - b) <= max(RUNTIME_SHARE * max(a, b), RUNTIME_MINUTES)


def _dates_are_near(a: Edition, b: Edition) -> bool:
    if a.release_date is None or b.release_date is None:
        return True
    return abs(a.release_date - b.release_date) <= DATES_APART


def _places_agree(a: Edition, b: Edition) -> bool:
    """Whether they may have the same place: in each series that both name, else in any.

    A number in a title must be found on the other side: without it that may be another volume.
    """
    if (a.tail and a.tail not in b.numbers) or (b.tail and b.tail not in a.numbers):
        return False
    ours, theirs = _by_series(a), _by_series(b)
    common = ours.keys() & theirs.keys()
    if common:
        return all(ours[series] & theirs[series] for series in common)
    return not (ours and theirs) or bool(a.numbers & b.numbers)


def _by_series(edition: Edition) -> dict[str, set[str]]:
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for series, number in edition.places:
        numbers[series].add(number)
    return numbers
