"""What a person knows who asks: which keys they used, which rows are theirs, which tag one has.

Chance alone guesses none of it, and so would see little more than refusals.
"""

import random
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

import requests

from api.rest.once import HEADER
from api.rest.versions import EDITS

IF_MATCH: Final = "If-Match"
# A body's field that names rows: where they are listed, and which field of a row it is.
_LISTED: Final[Mapping[str, tuple[str, str]]] = {
    "audiobook": ("audiobooks", "id"),
    "channel": ("channels", "id"),
    "channels": ("channels", "id"),
    "ids": ("watches", "id"),
    "watch": ("watches", "id"),
    "watch_list": ("lists", "id"),
    "work": ("audiobooks", "work_id"),
    "works": ("audiobooks", "work_id"),
}
_KNOWN: Final = 5  # rows of a kind
_AT_ONCE: Final = 2  # of these, in one body
_USUALLY: Final = 0.6  # so often what is known is said; else what chance brings stays


class Memory:
    """Of one person at one server, for as long as they ask there."""

    def __init__(self, url: str, authorization: str, seed: int) -> None:
        self._url = url
        self._asking = requests.Session()
        self._asking.headers["Authorization"] = authorization
        self._chance = random.Random(seed)
        self._keys: set[str] = set()
        self._numbers: Iterator[int] = count()

    def remind(self, case: Any) -> None:
        """Before a request goes out: let it say what whoever sends it would know."""
        self._freshen_key(case.headers)
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        if case.method in EDITS and IF_MATCH in case.headers and self._is_meant():
            answer = self._asking.get(f"{self._url}{case.formatted_path}", timeout=30)  # or 404
            case.headers[IF_MATCH] = answer.headers.get("ETag", case.headers[IF_MATCH])
        if "token" in case.path_parameters and self._is_meant():
            case.path_parameters["token"] = self._token()
        if isinstance(case.body, dict) and self._is_meant():
            self._name_rows(case.body)

    def _freshen_key(self, headers: Any) -> None:
        """A key that was sent before means that request: another gets another key."""
        key = headers.get(HEADER)
        if key in self._keys:
            headers[HEADER] = f"{next(self._numbers)}-of-this-drill"
        elif key is not None:
            self._keys.add(key)

    def _name_rows(self, body: dict[str, Any]) -> None:
        if body.get("state") == "held":
            return  # all that is held would go at once, and nothing be left to be asked for alone
        for field in _LISTED:
            value = body.get(field)
            if isinstance(value, list) and value:
                body[field] = self._rows(field) or value
            elif isinstance(value, int):
                body[field] = next(iter(self._rows(field)), value)

    def _rows(self, field: str) -> list[int]:
        path, name = _LISTED[field]
        found = sorted({row[name] for row in self._list(f"{path}?page_size={_KNOWN}")})
        return self._chance.sample(found, min(_AT_ONCE, len(found)))

    def _list(self, path: str) -> list[dict[str, Any]]:
        """Of what is theirs; raises where they are not let in, and would ask for nothing any more."""
        answer = self._asking.get(f"{self._url}/api/{path}", timeout=30)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["results"]
        return rows

    def _token(self) -> str:
        """Of a list that is shared from now on."""
        lists = f"{self._url}/api/lists"
        rows = self._list("lists")
        row = (
            rows[0] if rows else self._asking.post(lists, json={"name": "Mine"}, timeout=30).json()
        )
        shared = self._asking.post(f"{lists}/{row['id']}/share", timeout=30).json()
        return str(shared["urls"]["api"]).rpartition("/")[2]

    def _is_meant(self) -> bool:
        return self._chance.random() < _USUALLY
