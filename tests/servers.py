"""Gives the test run its servers: those named by the environment, else embedded ones in var/test.

A pytest plugin (`-p tests.servers`), because Django reads its settings before any conftest.
"""

import os
from collections.abc import Generator
from functools import partial
from itertools import chain, count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stalkerr.embedded import EmbeddedError, ensure
from stalkerr.embedded.folder import EXCLUSIVE, open_lock, try_lock

VAR_DIR = Path(__file__).resolve().parents[1] / "var"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django reads the settings; xdist's workers inherit what is set here."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        start_servers(early_config)
    else:
        take_own_databases(int(worker.removeprefix("gw")))
    return (yield)


def start_servers(config: pytest.Config) -> None:
    """Set the three URLs for this run, and VAR_DIR."""
    var = claim_folder(config)
    os.environ["VAR_DIR"] = str(var)
    try:
        # Test data is worth nothing: no fsync.
        servers = ensure(var, durable=False)
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(servers.release)


def claim_folder(config: pytest.Config) -> Path:
    """var/test, or var/test-2 … where another run is at work: they would share a test database."""
    folders = chain([VAR_DIR / "test"], (VAR_DIR / f"test-{number}" for number in count(2)))
    while True:
        folder = next(folders)
        folder.mkdir(parents=True, exist_ok=True)
        lock = open_lock(folder / "run.lock")
        config.add_cleanup(partial(os.close, lock))
        if try_lock(lock, EXCLUSIVE):
            return folder


def take_own_databases(worker: int) -> None:
    """Two numbers per worker, so that broker and cache may also be one server."""
    for offset, name in enumerate(("BROKER_URL", "CACHE_URL")):
        url = urlsplit(os.environ[name])
        if url.path.lstrip("/").isdigit():
            number = 2 * (worker + 1) + offset
            os.environ[name] = url._replace(path=f"/{number}").geturl()
