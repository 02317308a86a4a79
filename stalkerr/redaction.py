"""Secrets starred out of whatever is logged, wherever they stand and however they are spelt.

Three ways, one after the other, as none of them finds all: by the name a value goes by, by what a
secret looks like, and, for the secrets of this process, by their very letters. Addresses of people
lose what stands before the @.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings

STARS: Final = "***"
_DEPTH: Final = 6  # of nested values; what lies deeper is shown as text, and looked at as text
_COUNT: Final = 1_000_000
_SHORT: Final = 8  # letters: a shorter secret would star out half a log

_NAMES: Final = (
    r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization|auth|cookie|sessionid|csrftoken"
    r"|credentials?|private[_-]?key|signing[_-]?key|access[_-]?key|jwt|p256dh|sealed[_-]?config)"
)
_NAMED: Final = re.compile(rf"(?:.*[_.-])?{_NAMES}s?(?:[_.-](?:key|value|hash|header))?", re.I)

# As it may stand in an address that was encoded, once or more often.
_COLON, _SLASH, _AT, _IS = (rf"(?:{sign}|%(?:25)*{code})" for sign, code in (
    (":", "3A"), ("/", "2F"), ("@", "40"), ("=", "3D")
))  # fmt: skip
_WORD: Final = r"[\w.~+-]"
_END: Final = r"[^\s\"'\\,;&<>)}\]]"

_SHAPES: Final = tuple(
    re.compile(shape, re.I)
    for shape in (
        # name: "value", {'name': b'value'}, \"name\": \"value\", name=value, name%3Dvalue; of a value
        # that is a list or the like, or whose quote has no end, goes all that follows on its line
        rf"(?P<keep>\b[\w-]{{0,40}}{_NAMES}s?(?:[_.-](?:key|value|hash|header))?\b[\"'\\]*\s*"
        rf"(?:{_COLON}|{_IS})\s*)(?!\*\*\*|\d{{1,6}}\b|(?:null|none|true|false)\b)"
        r"(?:b?(?P<quote>\\*[\"'])(?:(?s:.)*?(?<!\\)(?P<closed>(?P=quote))|.*)|[\[({].*"
        rf"|(?:(?:bearer|basic|token)(?:\s|%20|\+)+)?{_END}+)",
        rf"(?P<keep>\b(?:bearer|basic)(?:\s|%20|\+)+)(?!\*\*\*){_WORD}{{8,}}[=/\w+-]*",
        rf"(?P<keep>{_COLON}{_SLASH}{_SLASH})(?!\*\*\*)[^\s/@\"'<>?#]*?{_AT}(?=[\w\[])",
        r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",  # a JWT
        r"\b(?:stk|whsec|tk|syt|xox[a-z])_[\w+/=-]{8,}",  # API keys, ours first
        rf"(?P<keep>discord(?:app)?\.com{_SLASH}api{_SLASH}(?:v\d+{_SLASH})?webhooks{_SLASH}\d+{_SLASH})"
        rf"(?!\*\*\*){_WORD}+",
        rf"(?P<keep>hooks\.slack\.com{_SLASH}(?:services|workflows|triggers){_SLASH})(?!\*\*\*)"
        rf"(?:{_WORD}+|{_SLASH})+",
        rf"(?P<keep>bot)\d{{6,}}{_COLON}[\w-]{{20,}}",  # Telegram, in an address
        rf"\d{{6,}}{_COLON}[\w-]{{30,}}",  # and alone
        # What permits stands in the path itself.
        rf"(?P<keep>{_SLASH}feeds{_SLASH}(?:private|lists){_SLASH})(?!\*\*\*|<){_WORD}+",
        rf"(?P<keep>{_SLASH}lists{_SLASH}(?:shared{_SLASH})?)(?=[\w-]{{43}})[\w-]+",
        rf"(?P<keep>{_SLASH}(?:confirm|unsubscribe){_SLASH})(?!\*\*\*|<)[\w:.=~%-]{{8,}}",
    )
)
# Whose mailbox it is: not a worker's name, which looks alike (tell@host.example).
_MAILBOX: Final = re.compile(
    rf"\b(?!(?:tell|scrape|celery|worker)@)[\w.+-]{{1,64}}{_AT}(?=[\w-]+(?:\.[\w-]+)+)", re.I
)
# Where none of these stands, no shape can: most lines are through with a look for a few words.
_SUSPECT: Final = (
    *("pass", "secret", "token", "api_", "api-", "apikey", "auth", "cookie", "session", "csrf"),
    *("credential", "private", "signing", "access", "jwt", "p256dh", "sealed", "bearer", "basic"),
    *("@", "%40", "2540", "eyj", "stk_", "whsec_", "tk_", "syt_", "xox", "discord", "slack", "bot"),
    *("/feeds/", "2ffeeds", "/lists/", "2flists", "/confirm/", "2fconfirm"),
    *("/unsubscribe/", "2funsubscribe"),
)
_NUMBERED: Final = re.compile(r"\d{6}(?::|%)")
_OF_SETTINGS: Final = ("SECRET_KEY", "JWT_KEY", "METRICS_TOKEN", "FLOWER_PASSWORD", "VAPID_KEY")
_OF_ADDRESSES: Final = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "BUCKETS_URL", "SMTP_URL")


def redacted(text: str) -> str:
    """The text without what opens doors."""
    if settings.configured and (known := _known()):
        text = known.sub(STARS, text)
    if not _is_suspect(text):
        return text
    for shape in _SHAPES:
        text = shape.sub(_starred, text)
    return _MAILBOX.sub(f"{STARS}@", text)


def _is_suspect(text: str) -> bool:
    folded = text.lower()
    return any(word in folded for word in _SUSPECT) or _NUMBERED.search(text) is not None


def _starred(found: "re.Match[str]") -> str:
    groups = found.groupdict()
    kept = groups.get("keep") or ""
    if groups.get("closed"):  # what was JSON still is
        return f"{kept}{groups['quote']}{STARS}{groups['quote']}"
    at = "@" if kept and found[0].endswith(("@", "%40")) else ""
    return f"{kept}{STARS}{at}"


def without_secrets(values: Any, depth: int = _DEPTH) -> Any:
    """Values of a line of a log without secrets, by their names or in their texts, however nested."""
    if isinstance(values, str):
        return redacted(values)
    if isinstance(values, Mapping):
        if _is_harmless(values):
            return values
        if depth <= 0:
            return redacted(repr(values))
        return {
            name: STARS if _is_secret(name, value) else without_secrets(value, depth - 1)
            for name, value in values.items()
        }
    if isinstance(values, list | tuple | set | frozenset):
        return [without_secrets(each, depth - 1) for each in values] if depth > 0 else STARS
    if isinstance(values, bytes | bytearray):
        return redacted(bytes(values).decode(errors="backslashreplace"))
    return values


def _is_harmless(values: Mapping[Any, Any]) -> bool:
    """One look at all of a line, which nearly always is enough."""
    if not all(value is None or isinstance(value, str | int | float) for value in values.values()):
        return False
    if any(_is_secret(name, value) for name, value in values.items()):
        return False
    text = " ".join([value for value in values.values() if isinstance(value, str)])
    return redacted(text) == text


def _is_secret(name: Any, value: Any) -> bool:
    is_count = isinstance(value, int | float) and abs(value) < _COUNT
    if not value or is_count:  # such as how many tokens are left
        return False
    return _is_secrets_name(name.decode(errors="replace") if isinstance(name, bytes) else str(name))


@lru_cache(1024)
def _is_secrets_name(name: str) -> bool:
    return _NAMED.fullmatch(name) is not None


@cache
def _known() -> "re.Pattern[str] | None":
    """The secrets of this process, by their letters: they stay as long as it lives."""
    values = [str(getattr(settings, name, "") or "") for name in _OF_SETTINGS]
    values += [str(key) for key in getattr(settings, "CHANNEL_KEYS", [])]
    values += [_password(str(getattr(settings, name, "") or "")) for name in _OF_ADDRESSES]
    values.append(str(settings.DATABASES["default"].get("PASSWORD") or ""))
    return _pattern(values)


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def _pattern(values: Iterable[str]) -> "re.Pattern[str] | None":
    spellings = {
        spelling
        for value in values
        if len(value) >= _SHORT
        for spelling in (value, quote(value, safe=""), quote(quote(value, safe=""), safe=""))
    }
    if not spellings:
        return None
    return re.compile("|".join(map(re.escape, sorted(spellings, key=len, reverse=True))))
