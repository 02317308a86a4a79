"""Logs tell where something broke, and not what passwords were on the way."""

import asyncio
import io
import json
import logging
import sys

import pytest

from stalkerr.logging import _formatter, _Stderr, say_plainly


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


def test_what_is_said_plainly_is_written_soon_and_no_line_overtakes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves the guards of what waits: without them a line is lost, or told after a later one."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    handler = _Stderr()
    handler.setFormatter(_formatter(json=True))
    logger = logging.getLogger("stalkerr.plain")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False

    def lines() -> list[str]:
        return [json.loads(line)["event"] for line in written.getvalue().splitlines()]

    async def say() -> None:
        say_plainly(logger, "first", status=200)
        assert lines() == []
        logger.warning("second")
        assert lines() == ["first", "second"]
        say_plainly(logger, "third", status=304)
        async with asyncio.timeout(10):
            while len(lines()) < 3:
                await asyncio.sleep(0)
        say_plainly(logger, "fourth", status=304)

    try:
        asyncio.run(say())
        handler.flush()  # as logging does at the end of the process
        assert lines() == ["first", "second", "third", "fourth"]
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
