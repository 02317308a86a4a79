"""The supervisor of our own processes, over real ones."""

import io
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stalkerr import processes
from stalkerr.processes import Child, Supervisor, environment, read_procfile
from tests.sinks import wait_until

SLEEP = ["/bin/sleep", "300"]


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def run(commands: dict[str, list[str]], **options: object) -> Supervisor:
    return Supervisor(commands, env=environment(), delay=0.01, **options)  # type: ignore[arg-type]


def test_a_process_that_was_killed_is_started_again() -> None:
    with run({"web": SLEEP, "worker": SLEEP}) as running:
        before = running.pids()
        os.kill(before["worker"], signal.SIGKILL)
        wait_until(lambda: running.starts() == {"web": 1, "worker": 2})
        wait_until(lambda: set(running.pids()) == {"web", "worker"})
        after = running.pids()
    assert after["web"] == before["web"]
    assert after["worker"] != before["worker"]
    assert not any(is_alive(pid) for pid in after.values())


def test_nothing_is_left_even_of_a_deaf_process_and_its_child(tmp_path: Path) -> None:
    deaf = f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/child; wait; sleep 300"
    running = run({"deaf": ["/bin/sh", "-c", deaf]})
    running.start()
    wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    left = [*running.pids().values(), int((tmp_path / "child").read_text())]
    running.stop(patience=0.2)
    wait_until(lambda: not any(is_alive(pid) for pid in left))


def test_a_process_gets_the_time_it_needs_to_finish() -> None:
    finish = "trap 'sleep 0.3; echo finished; exit' TERM; echo ready; while :; do sleep 0.05; done"
    output = io.StringIO()
    with run({"worker": ["/bin/sh", "-c", finish]}, output=output):
        wait_until(lambda: "ready" in output.getvalue())
    assert output.getvalue() == "worker | ready\nworker | finished\n"


def test_a_process_that_missed_the_first_word_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ASK_AGAIN", 0.2)
    loading = (
        "import signal, sys\n"
        "asked = []\n"
        "def hear(*_):\n"
        "    asked.append(1)\n"
        "    if len(asked) > 1: sys.exit('asked twice')\n"
        "signal.signal(signal.SIGTERM, hear)\n"
        "print('up', flush=True)\n"
        "while True: signal.pause()\n"
    )
    commands = {"loading": [sys.executable, "-c", loading]}
    with Supervisor(commands, env=environment(), logs=tmp_path):
        log = tmp_path / "loading.log"
        wait_until(lambda: log.exists() and "up" in log.read_text())
    assert "asked twice" in (tmp_path / "loading.log").read_text()


def test_what_a_dead_process_left_behind_goes_before_the_next_start(tmp_path: Path) -> None:
    leave = f"[ -e {tmp_path}/left ] && exec sleep 300; sleep 300 & echo $! > {tmp_path}/left"
    with run({"worker": ["/bin/sh", "-c", leave]}) as running:
        wait_until(lambda: running.starts()["worker"] == 2)
        left = int((tmp_path / "left").read_text())
        wait_until(lambda: not is_alive(left))


def test_all_die_with_a_supervisor_that_is_killed() -> None:
    program = (
        "import sys; from stalkerr.processes import *\n"
        f"running = Supervisor({{'web': {SLEEP}}}, env=environment()); running.start()\n"
        "print(running.pids()['web'], flush=True); sys.stdin.read()"
    )
    supervisor = subprocess.Popen(  # noqa: S603 - the words are ours
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert supervisor.stdout
    child = int(supervisor.stdout.readline())
    assert is_alive(child)
    supervisor.kill()
    supervisor.communicate()
    wait_until(lambda: not is_alive(child))


def test_every_line_carries_the_name_of_its_process() -> None:
    output = io.StringIO()
    commands = {
        "web": ["/bin/sh", "-c", "printf one; sleep 0.2; echo ' line'; exec sleep 300"],
        "worker": ["/bin/sh", "-c", "printf 'no end' >&2; exec sleep 300"],
    }
    with run(commands, output=output):
        wait_until(lambda: "line" in output.getvalue())
    assert sorted(output.getvalue().splitlines()) == ["web    | one line", "worker | no end"]


def test_lines_go_to_a_log_each_when_asked(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("of the last run\n")
    log = tmp_path / "web.log"
    with run({"web": ["/bin/sh", "-c", "echo hello; exec sleep 300"]}, logs=tmp_path):
        wait_until(lambda: log.read_text() == "hello\n")


def test_a_process_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    child = Child("web", ["/bin/false"], env={}, output=tmp_path, delay=1.0)
    with selectors.DefaultSelector() as pipes:
        child.start(pipes)
        waits = []
        for _ in range(7):
            child.process.wait()
            child.started_at = 100.0
            child.keep(pipes, 100.0)
            assert child.retry_at is not None
            waits.append(child.retry_at - 100.0)
            child.keep(pipes, child.retry_at)
        assert child.starts == 8
        assert waits == [1, 2, 4, 8, 16, 30, 30]
        child.process.wait()
        child.started_at = 100.0
        child.keep(pipes, 100.0 + processes.SETTLED + 1)
        assert child.retry_at == 100.0 + processes.SETTLED + 1 + 1


def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no program /no/such"):
        run({"web": ["/no/such"]})


def test_our_procfile_names_our_processes_and_our_own_programs_run_them() -> None:
    commands = read_procfile()
    assert {"web", "worker", "beat", "flower"} <= set(commands)
    assert all(command[:2] == ["/bin/sh", "-c"] for command in commands.values())
    first = environment()["PATH"].split(os.pathsep)[0]
    assert (Path(first) / "granian").exists()


def test_the_shell_of_a_procfile_line_gives_way_to_its_program(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# a comment\nweb: sleep ${SECONDS_TO_SLEEP:-300}\n")
    with run(read_procfile(tmp_path / "Procfile")) as running:
        command = Path(f"/proc/{running.pids()['web']}/cmdline")
        wait_until(lambda: command.read_bytes() == b"sleep\x00300\x00")
