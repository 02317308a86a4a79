"""The one place that asks a store for anything."""

import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3
from django.conf import settings

from scraping.outcomes import Failed
from scraping.pages import Answer
from scraping.remembered import recall, remember

LARGEST_BODY = 8_000_000  # bytes; a page of fifty with every group is well below one million
_CHUNK = 65_536
_ACCEPT = "application/json, text/html;q=0.9"


def open_session() -> requests.Session:
    """A session that says who we are, and takes nothing from the environment or earlier answers."""
    session = requests.Session()
    session.trust_env = False  # no proxies, no netrc
    session.headers.update({"User-Agent": settings.USER_AGENT, "Accept": _ACCEPT})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def fetch(url: str, session: requests.Session) -> Answer | Failed:
    """The answer to one request, whatever its status; Failed (blind) where none came whole.

    Where the last answer is remembered, the store is asked for what changed since: a 304 becomes
    that answer.
    """
    kept = recall(url)
    answer = _ask(url, session, kept.conditions if kept else {})
    if isinstance(answer, Failed):
        return answer
    if answer.status == 304:
        if kept is None:
            return Failed("nothing changed, says the store, since an answer unknown", blind=True)
        return kept.renewed(answer.headers)
    remember(url, answer)
    return answer


def _ask(url: str, session: requests.Session, headers: Mapping[str, str]) -> Answer | Failed:
    timeout = settings.STORE_TIMEOUT.total_seconds()
    deadline = time.monotonic() + timeout
    try:
        with session.get(
            url, headers=headers, timeout=timeout, allow_redirects=False, stream=True
        ) as response:
            body = _read(response, deadline)
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
        return Failed(f"no answer: {type(error).__name__}", blind=True)
    if body is None:
        return Failed("the answer was too large or too slow", blind=True)
    answered = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=answered, body=body)


def _read(response: requests.Response, deadline: float) -> bytes | None:
    """The unpacked body, or None once it is too large or too late.

    Reads whatever is there: a time-out starts anew with every byte, and waiting for a full
    chunk of an answer that drips would take for ever.
    """
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > LARGEST_BODY or time.monotonic() > deadline:
            return None
    return bytes(body)
