"""A body holds values of the very type that the description says."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from catalog.models import Audiobook
from stalkerr import clock
from tests.factories import make_audiobook
from tests.integration.api.conftest import ClientOf

AUTHOR = {"kind": "author", "query": "Ada"}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("post", "/api/watches", {"kind": "author", "query": 5}, "query"),
        ("post", "/api/watches", AUTHOR | {"muted": "no"}, "muted"),
        ("post", "/api/watches", AUTHOR | {"remind_days": [1, "2"]}, "remind_days.1"),
        ("post", "/api/watches", AUTHOR | {"per_edition": 1}, "per_edition"),
        ("post", "/api/feeds", {"name": 0}, "name"),
        ("post", "/api/feeds", {"watch": "1"}, "watch"),
        ("post", "/api/feeds", {"watch": True}, "watch"),
        ("post", "/api/channels", {"kind": "webhook", "config": {"url": 5}}, "config.url"),
        ("post", "/api/token/revoke", {"refresh": 0}, "refresh"),
        ("post", "/api/lists", {"name": 5}, "name"),
        ("post", "/api/lists", {"name": "Mine", "watches": ["5"]}, "watches.0"),
        ("post", "/api/lists/shared/none/copy", {"name": 5}, "name"),
        ("post", "/api/watches/bulk/mute", {"ids": ["5"]}, "ids.0"),
        ("post", "/api/watches/bulk/delete", {"ids": [True]}, "ids.0"),
        ("patch", "/api/preferences", {"digest_hour": "5"}, "digest_hour"),
        ("patch", "/api/preferences", {"time_zone": 5}, "time_zone"),
    ],
)
def test_no_value_stands_for_another(
    alice: User, client_of: ClientOf, method: str, path: str, body: Any, field: str
) -> None:
    answer = getattr(client_of(alice), method)(path, body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.fixture
def book(db: None) -> Audiobook:
    return make_audiobook(now=clock.now())


def test_nor_does_one_that_staff_give(operator: APIClient, book: Audiobook) -> None:
    path = f"/api/admin/books/{book.pk}"
    corrected = operator.patch(path, {"runtime_minutes": "5"}, format="json")
    assert (corrected.status_code, list(corrected.json()["errors"])) == (400, ["runtime_minutes"])
    path = f"/api/admin/works/{book.work_id}/merge"
    merged = operator.post(path, {"works": [str(book.work_id)]}, format="json")
    assert (merged.status_code, list(merged.json()["errors"])) == (400, ["works.0"])
