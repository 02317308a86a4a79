"""pg_dump and pg_restore of the server's own major version, and how they are run."""

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from stalkerr.embedded.binaries import wheel_binaries
from stalkerr.embedded.errors import EmbeddedError
from stalkerr.lifeline import die_with_parent

DISTRIBUTION: Final = Path("/usr/lib/postgresql")
LAST_WORDS: Final = 400  # characters of a complaint


class ToolsError(Exception):
    """A tool is missing, or gave up; the message says what to do or what it said."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The two programs, of one major version."""

    folder: Path

    def dump(self, arguments: Iterable[str], *, env: Mapping[str, str]) -> "Running":
        return Running([str(self.folder / "pg_dump"), *arguments], env=env)

    def restore(
        self, arguments: Iterable[str], *, env: Mapping[str, str], output: int | None = None
    ) -> "Running":
        command = [str(self.folder / "pg_restore"), *arguments]
        return Running(command, env=env, output=output)


class Running:
    """A tool at work; it does not outlive us, and leaving the block before its end ends it."""

    def __init__(
        self, command: list[str], *, env: Mapping[str, str], output: int | None = None
    ) -> None:
        self.name = Path(command[0]).name
        self.process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (our own words)
            command,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    @property
    def output(self) -> IO[bytes]:
        return _there(self.process.stdout)

    def finish(self) -> None:
        """Wait for its end. Raises ToolsError with its last words where that is a bad one."""
        words = _there(self.process.stderr).read().decode(errors="replace").strip()
        if self.process.wait():
            raise ToolsError(f"{self.name} gave up: {words[-LAST_WORDS:] or 'it said nothing'}")

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("this pipe was not asked for")
    return pipe


def find_tools(major: int, *, distribution: Path = DISTRIBUTION) -> Tools:
    """The tools of that major version: the wheel's, else the distribution's. Raises ToolsError.

    A newer pg_dump would write what the server's own pg_restore can't read.
    """
    for folder in (*_of_wheel(), distribution / str(major) / "bin"):
        if _major_of(folder / "pg_dump") == major and _major_of(folder / "pg_restore") == major:
            return Tools(folder)
    raise ToolsError(
        f"The server is PostgreSQL {major}, and there is no pg_dump {major} here: install the package "
        f"postgresql-client-{major}."
    )


def _of_wheel() -> list[Path]:
    try:
        return [wheel_binaries().postgres]
    except EmbeddedError:
        return []


def _major_of(program: Path) -> int | None:
    """The version that a program says it is; None where it can't be run."""
    try:
        said = subprocess.run(  # noqa: S603 (our own words)
            [str(program), "--version"], capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(found[1]) if found else None
