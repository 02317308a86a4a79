"""Folders that the servers' user can reach (pytest's own are private)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def var() -> Iterator[Path]:
    """A var folder of its own, in a place open to all."""
    folder = Path(tempfile.mkdtemp(prefix="stalkerr-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared_var() -> Iterator[Path]:
    """A var folder whose data the tests of a module share: making it takes a second each."""
    folder = Path(tempfile.mkdtemp(prefix="stalkerr-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
