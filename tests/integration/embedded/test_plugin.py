"""The plugin that gives test runs their servers."""

import os

import pytest

from tests.servers import take_own_databases


def test_workers_share_no_database_even_on_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for worker in range(4):
        for number, name in enumerate(("BROKER_URL", "CACHE_URL")):
            monkeypatch.setenv(name, f"redis://:secret@127.0.0.1:6379/{number}")
        take_own_databases(worker)
        taken += [os.environ["BROKER_URL"], os.environ["CACHE_URL"]]
    assert len(set(taken)) == 8
    assert taken[0] == "redis://:secret@127.0.0.1:6379/2"


def test_a_broker_without_numbers_keeps_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://guest@127.0.0.1:5672/stalkerr")
    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:6379/0")
    take_own_databases(0)
    assert os.environ["BROKER_URL"] == "amqp://guest@127.0.0.1:5672/stalkerr"
