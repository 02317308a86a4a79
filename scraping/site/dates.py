"""Days as the sites write them: each marketplace in its own order, some with names of months."""

import datetime as dt
import re
import unicodedata

from catalog.normalise import fold
from scraping.fields import PLACEHOLDER_YEAR

# Everybody else writes the day first, or the year.
_MONTH_FIRST = frozenset({"us"})
_SHORT_YEAR_FIRST = frozenset({"jp"})
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4}|\d{2})(?!\d)")
_NUMBER = re.compile(r"\d+")
# Two digits beyond this stand for the last century: no store shows plans so far ahead.
_LAST_SHORT_YEAR = 69
# 2200-01-01, which stands for "unknown", on sites that write two digits; no title is from 2000-01-01.
_NO_DAY = ("01", "01", "00")
# Names of months in the stores' languages, folded; stores shorten some.
_MONTHS = (
    "january januar janvier enero gennaio janeiro",
    "february februar fevrier febrero febbraio fevereiro",
    "march marz maerz mrz mars marzo marco",
    "april avril abril aprile",
    "may mai mayo maggio maio",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
_MONTH_OF = [(name, number) for number, names in enumerate(_MONTHS, 1) for name in names.split()]
_SHORTEST_MONTH = 3  # letters: "mai", "sept", "févr'


def parse_date(text: str, marketplace: str) -> dt.date | None:
    """The first day that `text` names; None for none, an impossible one, or a placeholder."""
    plain = unicodedata.normalize("NFKC", text)
    if found := _YEAR_FIRST.search(plain):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.search(plain):
        first, second, third = found.groups()
        is_day = (first, second, third) != _NO_DAY
        return _by_order(first, second, third, marketplace) if is_day else None
    return _named(plain)


def _by_order(first: str, second: str, third: str, marketplace: str) -> dt.date | None:
    """In the marketplace's order, unless only another makes a day."""
    by_day = _day(_year(third), int(second), int(first))
    by_month = _day(_year(third), int(first), int(second))
    if marketplace in _MONTH_FIRST:
        return by_month or by_day
    if marketplace in _SHORT_YEAR_FIRST and len(third) == 2:
        return _day(_year(first), int(second), int(third)) or by_day
    return by_day or by_month


def _named(text: str) -> dt.date | None:
    """A day with the name of its month: "12 de mayo de 2026", "May 12, 2026", "1er mai 2026".

    The last such name: "mar. 4 juin 2026" begins with a Tuesday.
    """
    months = [month for word in fold(text).split() if (month := _month(word))]
    numbers = _NUMBER.findall(text)
    if not months or len(numbers) != 2:
        return None
    year, day = sorted(numbers, key=len, reverse=True) if len(numbers[0]) > 2 else reversed(numbers)
    return _day(_year(year), months[-1], int(day)) if len(year) in (2, 4) else None


def _month(word: str) -> int | None:
    """Of a whole name or its beginning; "mardi" and "martes" begin no month."""
    if len(word) < _SHORTEST_MONTH:
        return None
    return next((number for name, number in _MONTH_OF if name.startswith(word)), None)


def _year(digits: str) -> int:
    number = int(digits)
    if len(digits) > 2:
        return number
    return number + (2000 if number <= _LAST_SHORT_YEAR else 1900)


def _day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day) if year < PLACEHOLDER_YEAR else None
    except ValueError:
        return None
