"""Logs tell where something broke, and not what passwords were on the way."""

import logging
import sys

import pytest

from stalkerr.logging import _formatter


@pytest.mark.parametrize("json", [True, False])
def test_a_traceback_shows_the_way_and_no_values(json: bool) -> None:
    password = "canary" + "-value"
    try:
        int(password[:0])
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "broke", None, sys.exc_info())
    text = _formatter(json=json).format(record)
    assert "test_a_traceback_shows_the_way_and_no_values" in text
    assert password not in text
