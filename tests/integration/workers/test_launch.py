import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from stalkerr.processes import ROOT
from tests.sinks import wait_until
from workers import launch


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", "http"), ("127.0.0.1", "0"), ("127.0.0.1", "70000"), ("", "5555")],
)
def test_what_is_no_address_is_said_in_one_sentence(host: str, port: str) -> None:
    with pytest.raises(launch.LaunchError, match=f"listen at {host}:{port}: correct PORT"):
        launch.check_port(host, port, "The web server", "PORT")


def test_host_and_port_that_are_empty_are_the_usual_ones() -> None:
    assert launch.web_url({"HOST": "", "PORT": ""}) == "http://127.0.0.1:8000"
    assert launch.web_url({"HOST": "::", "PORT": "80"}) == "http://127.0.0.1:80"


def test_what_fails_on_a_full_disk_names_the_disk(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(launch, "ROOM", 2**62)  # more than any disk has
    with (
        pytest.raises(launch.LaunchError, match=f"disk is full.*{re.escape(str(tmp_path))}"),
        launch.naming_a_full_disk(),
    ):
        raise ConnectionError


def test_with_room_on_the_disk_a_failure_stays_what_it_is(
    settings: Settings, tmp_path: Path
) -> None:
    settings.VAR_DIR = tmp_path
    with pytest.raises(ConnectionError), launch.naming_a_full_disk():
        raise ConnectionError


def test_ctrl_c_while_a_command_is_being_loaded_just_ends_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "shell"],  # it would wait for input
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: catches_ctrl_c(process.pid), every=0.01)  # Python itself, at first
        wait_until(lambda: not catches_ctrl_c(process.pid), every=0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, said) == (-signal.SIGINT, "")


def catches_ctrl_c(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[0], 16)
    return bool(caught & 1 << (signal.SIGINT - 1))
