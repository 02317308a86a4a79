"""Secure connections: to the judged address, in the name that was asked for."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.asking import ask_elsewhere
from tests.certificates import Authority
from tests.sinks import HttpSink

NAME = "hooks.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def ask_securely(authority: Authority, *urls: str) -> list[str]:
    """What comes of these where the authority is trusted and every name leads to 127.0.0.1."""
    addresses = dict.fromkeys((NAME, "127.0.0.1"), "127.0.0.1")
    return ask_elsewhere(urls, addresses=addresses, SSL_CERT_FILE=str(authority.path))[0]


def at(sink: HttpSink, host: str = NAME) -> str:
    return f"https://{host}:{sink.port}/hook"


def test_the_name_arrives_in_the_hello_and_in_the_host_header(authority: Authority) -> None:
    """Proves the guards: the address is dialled, but the name is asked for and must be proven."""
    context, hellos = authority.context(NAME), []
    context.sni_callback = lambda _socket, name, _context: hellos.append(name)
    with (
        HttpSink(tls=context) as sink,
        HttpSink(tls=authority.context("127.0.0.1")) as bare,
    ):
        answers = ask_securely(authority, at(sink), at(bare, "127.0.0.1"))
        assert [request.headers["host"] for request in sink.requests] == [f"{NAME}:{sink.port}"]
    assert (answers, hellos) == (["200", "200"], [NAME])


def test_a_certificate_that_does_not_prove_the_name_gets_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    contexts = {
        "another name": authority.context("other.example"),
        "what is dialled, not what is meant": authority.context("127.0.0.1"),
        "names below it": authority.context(f"*.{NAME}"),
        "expired": authority.context(NAME, days=(-2, -1)),
        "not yet valid": authority.context(NAME, days=(1, 2)),
        "self-signed": authority.context(NAME, is_signed=False),
        "of an authority nobody trusts": Authority(stranger).context(NAME),
        "no TLS at all": None,
    }
    with ExitStack() as stack:
        sinks = [stack.enter_context(HttpSink(tls=context)) for context in contexts.values()]
        answers = ask_securely(authority, *map(at, sinks))
        requests = [len(sink.requests) for sink in sinks]
    assert dict(zip(contexts, answers, strict=True)) == dict.fromkeys(contexts, "NotSentError")
    assert requests == [0] * len(contexts)
