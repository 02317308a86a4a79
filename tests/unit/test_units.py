"""deploy/systemd against systemd itself, and against what it wraps."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from stalkerr.processes import ROOT, read_procfile

UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_knows_every_word_of_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # Verified for one of its processes, and as if it were installed here.
        text = unit.read_text().replace("/srv/stalkerr/scripts/start", "/bin/true")
        text = text.replace("/srv/stalkerr/.venv/bin/python", "/bin/true")
        (tmp_path / unit.name.replace("@", "@web")).write_text(text)
    for unit in tmp_path.iterdir():
        said = verify(unit)
        assert said == ""
    broken = tmp_path / "broken.service"
    broken.write_text("[Service]\nExecStart=/bin/true\nRestarts=always\n")
    assert "Restarts" in verify(broken)


def verify(unit: Path) -> str:
    words = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603
    return done.stderr


def test_a_unit_starts_a_process_of_the_procfile_and_gives_it_time_to_end() -> None:
    unit = read("stalkerr@.service")["Service"]
    assert unit["ExecStart"].endswith("/scripts/start %i")
    assert int(unit["TimeoutStopSec"]) >= 60
    text = (ROOT / "deploy" / "systemd" / "stalkerr@.service").read_text()
    assert set(re.findall(r"stalkerr@(\w+)", text)) == set(read_procfile())


def test_units_may_as_little_as_possible() -> None:
    for name in ("stalkerr@.service", "stalkerr-upgrade.service"):
        unit = read(name)["Service"]
        assert unit["User"] == "stalkerr"
        wanted = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": ""}
        assert {key: unit[key] for key in wanted} == wanted


def read(name: str) -> ConfigParser:
    config = ConfigParser(interpolation=None, strict=False, comment_prefixes=("#",))
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(ROOT / "deploy" / "systemd" / name)
    return config
