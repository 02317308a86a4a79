"""How one server is kept running; `now` is given, the process is real."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stalkerr.embedded import EmbeddedError, server
from stalkerr.embedded.account import Account
from stalkerr.embedded.valkey import CACHE, Valkey


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[Valkey]:
    """A server whose program ends at once, started."""
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho 'what it died of' >&2\nexit 1\n")
    program.chmod(0o755)
    dying = make_server(program, tmp_path)
    start_and_die(dying)
    yield dying
    dying.wait_stopped(patience=1)


def make_server(program: Path, folder: Path, port: int | None = None) -> Valkey:
    return Valkey(
        name="Valkey",
        program=program,
        data=folder / "cache",
        settings=CACHE,
        account=Account(),
        log=folder / "cache.log",
        port=port,
        password="secret",
    )


def start_and_die(dying: Valkey) -> None:
    dying.start()
    dying.process.wait()  # type: ignore[union-attr]  # it was just started
    dying.started_at = 100.0


def test_a_server_wants_the_port_it_had_unless_somebody_has_it_now(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", server.free_port())) as taken:
        port = taken.getsockname()[1]
        assert make_server(tmp_path, tmp_path, port).port != port
    assert make_server(tmp_path, tmp_path, port).port == port


def test_a_server_that_keeps_dying_is_started_ever_more_slowly(dying: Valkey) -> None:
    delays = []
    for _ in range(7):
        assert not dying.keep(100.0)
        assert dying.retry_at is not None
        assert not dying.keep(dying.retry_at - 0.01)
        assert dying.keep(dying.retry_at)
        delays.append(dying.delay)
        dying.process.wait()  # type: ignore[union-attr]
        dying.started_at = 100.0
    assert delays == [0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_server_that_ran_well_for_a_while_is_started_again_at_once(dying: Valkey) -> None:
    dying.delay = 5.0
    assert not dying.keep(100.0 + server.SETTLED + 1)
    assert dying.delay == server.FIRST_DELAY


def test_a_program_that_is_gone_for_a_moment_is_tried_again(dying: Valkey) -> None:
    program, aside = dying.program, dying.program.with_name("aside")
    assert not dying.keep(100.0)
    program.rename(aside)
    assert not dying.keep(101.0)
    aside.rename(program)
    assert not dying.keep(101.0)
    assert dying.keep(101.0 + server.LONGEST_DELAY)


def test_a_first_start_that_cannot_succeed_is_told_at_once(dying: Valkey) -> None:
    with pytest.raises(EmbeddedError, match=r"^Valkey did not start: what it died of$"):
        dying.wait_ready(give_up=lambda: False)


def test_a_start_that_everybody_gave_up_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    deaf = make_server(program, tmp_path)
    deaf.start()
    with pytest.raises(EmbeddedError, match="Everybody left"):
        deaf.wait_ready(give_up=lambda: True)
    deaf.ask_to_stop()
    deaf.wait_stopped(patience=10)


def test_a_server_that_will_not_stop_is_made_to(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\ntrap '' TERM\necho deaf\nwhile :; do sleep 1; done\n")
    program.chmod(0o755)
    stubborn = make_server(program, tmp_path)
    stubborn.start()
    while "deaf" not in stubborn.log.read_text():
        pass
    stubborn.ask_to_stop()
    stubborn.wait_stopped(patience=0.1)
    assert not stubborn.is_running()


def test_a_log_that_grew_too_long_starts_afresh(
    dying: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying.trim_log()
    assert dying.log.read_text() != ""
    monkeypatch.setattr(server, "LOG_LIMIT", 5)
    dying.trim_log()
    assert dying.log.read_text() == ""
