"""Lengths as the sites write them, in whole minutes."""

import re
import unicodedata
from typing import Any

from scraping import fields

# "62 hrs and 48 mins", "13 Std. und 5 Min.", "12 horas y 1 min", "9 h et 3 min", "9 時間 56 分".
_HOURS = re.compile(
    r"(?<![\d.,])(\d{1,5})\s*(?:h(?:rs?|ours?|oras?|eures?)?(?![a-z])|std|stunden?|or[ae]\b|時間)"
)
_MINUTES = re.compile(r"(?<![\d.,])(\d{1,5})\s*(?:m(?:ins?|inut\w*)?(?![a-z])|分)")
# "9h05", "1 h 05": after hours, two digits alone are minutes.
_BARE_MINUTES = re.compile(r"\d\s*h\s*([0-5]\d)$")
_ISO = re.compile(r"P(?:(\d{1,3})D)?T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:\d+(?:\.\d+)?S)?")
# "Less than 1 minute", "Moins d'une minute": the shortest there are.
_UNDER_A_MINUTE = re.compile(r"less than|weniger als|menos de|moins d|meno di|分未満")


def parse_minutes(value: Any) -> int | None:
    """Minutes of a number (minutes already), an ISO duration or a phrase; None for no sense or 0."""
    if not isinstance(value, str):
        return fields.runtime(value)
    text = unicodedata.normalize("NFKC", value).strip()
    if iso := _ISO.fullmatch(text):
        days, hours, minutes = (int(part or 0) for part in iso.groups())
        return fields.runtime((days * 24 + hours) * 60 + minutes)
    return _phrase(text.lower())


def _phrase(text: str) -> int | None:
    hours = _HOURS.search(text)
    minutes = _MINUTES.search(text) or _BARE_MINUTES.search(text)
    if hours is None and _UNDER_A_MINUTE.search(text):
        return 1
    total = 60 * int(hours[1]) if hours else 0
    return fields.runtime(total + (int(minutes[1]) if minutes else 0))
