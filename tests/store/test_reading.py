from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from gpbench.core.errors import StoreError
from gpbench.store import Owner, Store
from tests.store.plans import ended, finetune, make_plan, pretrain, write_counts

SCRATCH = finetune(0, None).key
NOBODY = 65534


@contextmanager
def no_writing_in(folder: Path) -> Iterator[None]:
    """Take the right to write in a folder away, from root too (by being somebody else)."""
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def filled(folder: Path) -> str:
    url = f"sqlite:///{folder / 'gpbench.sqlite'}"
    with Store.open(url) as store:
        store.record(make_plan())
        write_counts(folder)
        store.commit(ended(SCRATCH, scored=True), folder)
    return url


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_reading_leaves_every_byte_as_it_was(tmp_path: Path) -> None:
    url = filled(tmp_path)
    before = contents(tmp_path)
    with Store.open(url, read_only=True) as store:
        assert store.latest_experiment() == "demo"
        assert store.status().counts["done"] == 1
        assert len(store.results("demo")) == 4
    assert contents(tmp_path) == before


def test_store_opened_for_reading_refuses_to_write(tmp_path: Path) -> None:
    with Store.open(filled(tmp_path), read_only=True) as store:
        with pytest.raises(StoreError, match="opened for reading only"):
            store.claim(pretrain(0).key, Owner.current())
        with pytest.raises(StoreError, match="opened for reading only"):
            store.record(make_plan())


def test_connection_for_reading_refuses_a_stray_write(tmp_path: Path) -> None:
    with (
        Store.open(filled(tmp_path), read_only=True) as store,
        store._engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("DELETE FROM item")


def test_reader_sees_what_a_writer_commits_meanwhile(tmp_path: Path) -> None:
    url = filled(tmp_path)
    with Store.open(url) as writer, Store.open(url, read_only=True) as reader:
        assert reader.states([pretrain(0).key]) == {pretrain(0).key: "pending"}
        writer.claim(pretrain(0).key, Owner.current())
        writer.begin(pretrain(0).key)
        assert reader.states([pretrain(0).key]) == {pretrain(0).key: "running"}


def test_database_in_a_folder_without_write_permission_is_read(folder: Path) -> None:
    url = filled(folder)
    with no_writing_in(folder), Store.open(url, read_only=True) as store:
        assert store.status("demo").counts["done"] == 1
    with no_writing_in(folder), pytest.raises(StoreError, match=r"gpbench\.sqlite cannot be"):
        Store.open(url)


def test_database_is_not_made_in_a_folder_without_write_permission(folder: Path) -> None:
    with no_writing_in(folder), pytest.raises(StoreError, match=r"cannot be opened.*writable"):
        Store.open(f"sqlite:///{folder / 'gpbench.sqlite'}")
    assert contents(folder) == {}
