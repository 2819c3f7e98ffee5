from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gpbench.core.errors import MissingExtraError, StoreError
from gpbench.store import Store
from gpbench.store.database import file_system, is_network, locate, told

MOUNTS = r"""rootfs / ext4 rw 0 0
tmpfs /work tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
server:/big /home/ann\040b lustre rw 0 0
overmounted /home/ann\040b ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/x.sqlite", "ext4"),
        ("/work/deep/x.sqlite", "tmpfs"),
        ("/workshop/x.sqlite", "ext4"),
        ("/home/bob/x.sqlite", "nfs4"),
        ("/home/ann b/x.sqlite", "ext4"),
    ],
)
def test_file_system_is_that_of_the_deepest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_network_file_systems_are_known() -> None:
    assert all(map(is_network, ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "fuse")))
    assert not any(map(is_network, ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "")))


def test_every_connection_is_in_wal_mode_and_checks_references(store: Store) -> None:
    with store._engine.connect() as first, store._engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_database_on_a_network_leaves_wal_mode(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(url).close()
    monkeypatch.setattr("gpbench.store.database.file_system", lambda _: "nfs4")
    with Store.open(url) as store, store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    assert [path.name for path in tmp_path.iterdir()] == ["gpbench.sqlite"]


def test_closed_store_is_one_file(url: str, tmp_path: Path) -> None:
    Store.open(url).close()
    assert [path.name for path in tmp_path.iterdir()] == ["gpbench.sqlite"]


def test_path_with_special_characters_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c#d.sqlite"
    with Store.open(f"sqlite:///{path}"), Store.open(f"sqlite:///{path}", read_only=True):
        assert path.is_file()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not a url", "neither a file nor a database URL"),
        ("nosuchdb://host/name", "neither a file nor a database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///x.sqlite?timeout=5", "takes no options"),
    ],
)
def test_url_that_cannot_hold_results_is_refused(text: str, problem: str) -> None:
    with pytest.raises(StoreError, match=problem):
        Store.open(text)


def test_password_is_not_shown() -> None:
    assert "secret" not in locate("postgresql://ann:secret@host/name").shown


def test_missing_driver_is_named() -> None:
    with pytest.raises(MissingExtraError, match="pip install oracledb"):
        Store.open("oracle+oracledb://host/name")


def test_file_that_is_no_database_is_refused_and_unchanged(url: str, tmp_path: Path) -> None:
    path = tmp_path / "gpbench.sqlite"
    path.write_text("strategy,backbone\n" * 100)
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"gpbench\.sqlite is not an SQLite database"):
            Store.open(url, read_only=read_only)
    assert path.read_text() == "strategy,backbone\n" * 100
    assert [entry.name for entry in tmp_path.iterdir()] == ["gpbench.sqlite"]


def test_database_of_another_program_is_refused_and_unchanged(url: str, tmp_path: Path) -> None:
    path = tmp_path / "gpbench.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('abc')")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="tables of another program"):
        Store.open(url)
    assert path.read_bytes() == before


def test_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"there is no folder .*missing"):
            Store.open(f"sqlite:///{folder}/x.sqlite", read_only=read_only)
    assert not folder.exists()


def test_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="there is no folder"):
        Store.open(f"sqlite:///{tmp_path}/file/x.sqlite")


def test_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(f"sqlite:///{tmp_path}")


def test_reading_what_is_not_there_says_which_command_makes_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="`gpbench run` makes one"):
        Store.open(url, read_only=True)
    (tmp_path / "gpbench.sqlite").touch()
    with pytest.raises(StoreError, match="`gpbench run` makes one"):
        Store.open(url, read_only=True)
    assert (tmp_path / "gpbench.sqlite").stat().st_size == 0


def test_statement_that_no_database_takes_is_a_mistake_of_gpbench(store: Store) -> None:
    with pytest.raises(OperationalError), told("x"), store._engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM absent")
