"""The tutorial, block by block, as a newcomer copies it: bash, curl, Python, a feed reader."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stalkerr.processes import ROOT
from tests.e2e.test_demo import running, var
from tests.unit.test_docs import blocks_of
from workers.launch import free_port

__all__ = ["var"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
PAGE = "docs/tutorial/follow-an-author.md"
END = "-- end of block --"
RUN = {"sh": "{}", "python": ".venv/bin/python - <<'PY'\n{}PY\n"}


def test_a_newcomer_gets_from_nothing_to_the_news_by_the_tutorial(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(free_port()))
    with running(var) as demo:
        for words in ("processes", "baseline", "stays up until Ctrl-C"):
            demo.wait_for(words)
        said = answers(told_by(demo.said()))
    shown = expected()
    assert len(shown) == len(said) > 8
    for place, (promised, answer) in enumerate(zip(shown, said, strict=True)):
        if promised is not None:
            assert_like(answer, promised, f"block {place}")


def told_by(screen: str) -> dict[str, str]:
    """The three values that the page asks for, from what the demo prints."""
    places = dict(re.findall(r"^  (start|store) +(\S+)$", screen, re.MULTILINE))
    (password,) = re.findall(r"as reader@demo\.example, password (\S+)", screen)
    store = places["store"].removesuffix("/emulator/state")
    return {"SITE": places["start"].rstrip("/"), "STORE": store, "PASSWORD": password}


def answers(values: dict[str, str]) -> list[str]:
    """What each block of the page says, all in one shell; its first one with our `values`."""
    blocks = [(kind, text) for kind, text in blocks_of(PAGE) if kind in RUN]
    assert re.findall(r"^(\w+)=", blocks[0][1], re.MULTILINE) == list(values)
    script = "".join(f"{name}={value}\n" for name, value in values.items())
    for kind, text in blocks[1:]:
        script += f"echo '{END}'\n{RUN[kind].format(text)}"
    shell = subprocess.run(
        ["bash", "-eu", "-o", "pipefail"],  # noqa: S607 (as a newcomer's is found)
        input=script,
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shell.returncode == 0, shell.stdout + shell.stderr
    return shell.stdout.split(f"{END}\n")


def expected() -> list[str | None]:
    """For each block that is run what the page says it prints; None where it says nothing."""
    shown: list[str | None] = []
    for kind, text in blocks_of(PAGE):
        if kind in RUN:
            shown.append(None)
        else:
            shown[-1] = text
    return shown


def assert_like(answer: str, promised: str, where: str) -> None:
    """An answer has all that the page shows: JSON by its shape and its words, other text as it is."""
    if promised.startswith("{"):
        assert_holds(json.loads(answer), json.loads(promised), where)
    else:
        assert re.sub(r":\d+", "", answer) == re.sub(r":\d+", "", promised), where


def assert_holds(found: Any, shown: Any, where: str) -> None:
    """Each field that is shown is there, of that type; each entry shown is like one that is there."""
    if isinstance(shown, dict):
        assert isinstance(found, dict), where
        for name, value in shown.items():
            assert name in found, f"{where}.{name} is missing"
            assert_holds(found[name], value, f"{where}.{name}")
    elif isinstance(shown, list):
        assert isinstance(found, list), where
        for place, value in enumerate(shown):
            assert any(is_like(each, value) for each in found), f"{where}.{place}: {value}"
    elif isinstance(shown, str) and not varies(shown):
        assert found == shown, where
    else:
        assert type(found) is type(shown), f"{where}: {found!r}"


def is_like(found: Any, shown: Any) -> bool:
    try:
        assert_holds(found, shown, "")
    except AssertionError:
        return False
    return True


def varies(text: str) -> bool:
    """Moments, days, months, ASINs and cursors differ from run to run."""
    return bool(re.match(r"\d{4}-\d\d|B0DEMO|http", text))
