"""Names that lead astray, said by a name server that lies as well as it can."""

import pytest
from pytest_django import Settings

from stalkerr.addresses import RefusedAddressError
from stalkerr.outbound import NotSentError
from tests.asking import ask
from tests.names import NameServer, Record, Zone
from tests.sinks import RawSink
from tests.watchman import WATCHMAN

PUBLIC = "93.184.215.14"  # never contacted: the watchman stops it
PUBLIC_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
TRIES = 500


@pytest.fixture(autouse=True)
def nothing_allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = []


@pytest.mark.parametrize(
    "records",
    [
        [("A", PUBLIC), ("A", "127.0.0.1")],
        [("A", "127.0.0.1"), ("A", PUBLIC)],
        [("A", PUBLIC), ("AAAA", "::1")],
        [("A", PUBLIC), ("AAAA", "::ffff:127.0.0.1")],
        [("AAAA", PUBLIC_6), ("A", "10.0.0.1")],
        [("AAAA", PUBLIC_6), ("AAAA", "64:ff9b::7f00:1")],
        [("AAAA", "2002:7f00:1::")],
        [("CNAME", "inner.example.")],
        [("CNAME", "outer.example.")],
    ],
    ids=str,
)
def test_one_private_record_among_all_spoils_the_name(records: list[Record]) -> None:
    zones: dict[str, Zone] = {
        "evil.example": lambda _n: records,
        "outer.example": lambda _n: [("CNAME", "inner.example.")],
        "inner.example": lambda _n: [("A", "127.0.0.1"), ("AAAA", "::1")],
    }
    with NameServer(zones) as names, RawSink() as canary, WATCHMAN.on_duty() as heard:
        (answer,) = ask(f"http://evil.example:{canary.port}/", resolve=names.resolve)
    assert isinstance(answer, RefusedAddressError)
    assert (heard.connects, canary.connections) == ([], 0)


def test_a_name_that_is_public_when_judged_is_not_asked_for_again() -> None:
    """Proves the guard of `_Resolver`: what was judged is what is dialled. All tries are for names
    that are public the first time they are asked for, and 127.0.0.1 from then on."""
    zones: dict[str, Zone] = {"*": lambda number: [("A", "127.0.0.1" if number else PUBLIC)]}
    with NameServer(zones) as names, RawSink() as canary, WATCHMAN.on_duty() as heard:
        urls = [f"http://n{number}.evil.example:{canary.port}/" for number in range(TRIES)]
        answers = ask(*urls, resolve=names.resolve)
    assert {type(answer) for answer in answers} == {NotSentError}
    assert set(names.asked.values()) == {1}
    assert (heard.connects, canary.connections) == ([PUBLIC] * TRIES, 0)


def test_a_name_that_changes_its_mind_never_reaches_the_canary() -> None:
    zones: dict[str, Zone] = {"*": lambda number: [("A", "127.0.0.1" if number % 2 else PUBLIC)]}
    with NameServer(zones) as names, RawSink() as canary, WATCHMAN.on_duty() as heard:
        url = f"http://evil.example:{canary.port}/"
        answers = ask(*[url] * TRIES, resolve=names.resolve)
    assert [type(answer) for answer in answers] == [NotSentError, RefusedAddressError] * (
        TRIES // 2
    )
    assert (heard.connects, canary.connections) == ([PUBLIC] * (TRIES // 2), 0)
