"""Answers without end or sense: what they cost is bounded, and what comes of them is known."""

import datetime as dt
import gzip
from asyncio import StreamReader, StreamWriter
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from stalkerr.addresses import OutboundError
from stalkerr.outbound import BODY_MAX, Answer, UnclearError
from tests.asking import ask_elsewhere, ask_once, speaking
from tests.sinks import HttpSink, RawSink

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
FLOODS = {
    "a body of 10 GB": (OK + b"Content-Length: 10000000000\r\n\r\n", b"x" * 65536),
    "a body without end": (OK + b"\r\n", b"x" * 65536),
    "a gzip bomb": (OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(10**8))),
    "chunks without end": (CHUNKED, b"1\r\nx\r\n" * 1000),
    "a chunk's head without end": (CHUNKED + b"1;", b"x" * 65536),
    "trailers without end": (CHUNKED + b"0\r\n", b"X: y\r\n" * 1000),
    "a header without end": (OK + b"X: ", b"x" * 65536),
    "headers without end": (OK, b"X: y\r\n" * 1000),
    "a reason without end": (b"HTTP/1.1 200 ", b"x" * 65536),
    "blank lines without end": (b"", b"\r\n" * 1000),
    "hints without end": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100),
    "answers without end": (EMPTY, EMPTY * 1000),
    "junk after the answer": (EMPTY, b"x" * 65536),
    "another protocol": (b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", b"x" * 65536),
}


def test_no_flood_fills_the_memory() -> None:
    """Proves the caps on head and body, and that nothing is decompressed: 20 MB at most, in all."""
    with ExitStack() as stack, HttpSink() as harmless:
        sinks = [stack.enter_context(RawSink(speaking(*flood))) for flood in FLOODS.values()]
        urls = [harmless.url, *(f"http://127.0.0.1:{sink.port}/" for sink in sinks)]
        outcomes, growth = ask_elsewhere(urls, OUTBOUND_TIMEOUT="1")
    assert [sink.connections for sink in sinks] == [1] * len(FLOODS)
    assert set(outcomes) <= {"200", "101", "UnclearError"}
    assert growth < 20_000_000


@pytest.mark.parametrize("size", [0, 1, BODY_MAX - 1, BODY_MAX, BODY_MAX + 1])
def test_a_body_is_whole_up_to_the_cap(size: int) -> None:
    head = OK + b"Content-Length: %d\r\n\r\n" % size
    with RawSink(speaking(head + b"x" * size)) as sink:
        answer = ask_once(f"http://127.0.0.1:{sink.port}/")
    assert isinstance(answer, Answer)
    assert (answer.body, answer.complete) == (b"x" * min(size, BODY_MAX), True)


_LINES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.0 204", b"HTTP/9.9 1000 x", b"HTTP/1.1 -1 x", b"HTTP/2"),
        *(b"Content-Length: 5", b"Content-Length: -5", b"Content-Length: 5, 6", b"Set-Cookie: ;"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Content-Encoding: br"),
        *(
            b"Connection: upgrade",
            b"Upgrade: h2c",
            b"Location: //[",
            b" folded",
            b": x",
            b"\xff: \x00",
        ),
        *(b"5", b"hello", b"0", b"fffffffffffffffff", b"", b""),
    ]
) | st.binary(max_size=40)


@pytest.mark.slow
@hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(lines=st.lists(_LINES, max_size=12), ending=st.sampled_from([b"\r\n", b"\n"]))
def test_whatever_a_server_says_is_an_answer_or_unclear(
    lines: list[bytes], ending: bytes, settings: Settings
) -> None:
    async def speak(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(ending.join(lines))
        await writer.drain()

    settings.OUTBOUND_TIMEOUT = dt.timedelta(seconds=5)
    with RawSink(speak) as sink:
        answer = ask_once(f"http://127.0.0.1:{sink.port}/")
    assert isinstance(answer, Answer | UnclearError), repr(answer)
    assert not isinstance(answer, OutboundError) or str(answer).endswith(".")
