"""Settings come from the environment; a secret may come from the file named by `<NAME>_FILE`."""

import contextlib
import datetime as dt
import os
import tempfile
from pathlib import Path

import environ
from environ.fileaware_mapping import FileAwareMapping


class Variables(FileAwareMapping):
    """The environment; what a `*_FILE` holds counts without the line break at its end."""

    def __getitem__(self, name: str) -> str:
        return str(super().__getitem__(name)).rstrip("\r\n")


class Env(environ.Env):
    ENVIRON = Variables()


env = Env()


def seconds(name: str, default: float) -> dt.timedelta:
    """A length of time given in seconds."""
    return dt.timedelta(seconds=env.float(name, default=default))


def kept_secret(folder: Path, name: str, fresh: bytes) -> str:
    """The secret kept in `folder/name`, written there (mode 0600) the first time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    with tempfile.NamedTemporaryFile(dir=folder) as draft:  # mode 0600
        draft.write(fresh)
        draft.flush()
        # A link appears with its content or not at all, so two first runs agree on one secret.
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
    return path.read_text().strip()
