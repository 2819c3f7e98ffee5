"""Files of stages in a shared storage: a path, a URL, an object store."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from gpbench.stages.reach import OutOfReachError, node_name
from gpbench.stages.storage import Storage
from tests.stages.nodes import names

KEY = "k" * 64


class Bucket(DirFileSystem):  # type: ignore[misc]  # fsspec is untyped
    """An object store: not a local file system to gpbench, and nothing can be renamed."""

    protocol = "bucket"
    folder = ""

    def __init__(self, **options: object) -> None:
        super().__init__(path=self.folder, fs=LocalFileSystem(), **options)

    def mv(self, *_paths: object, **_options: object) -> None:
        raise NotImplementedError("an object store renames nothing")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an object store."""
    monkeypatch.setattr(Bucket, "folder", str(tmp_path / "bucket"))
    (tmp_path / "bucket").mkdir()
    Bucket.clear_instance_cache()
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    return "bucket://shared"


@pytest.fixture(params=["path", "url", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    urls = {"path": str(tmp_path / "shared"), "url": f"file://{tmp_path}/shared"}
    url = urls.get(request.param) or request.getfixturevalue("bucket")
    made = Storage(url)
    made.make()
    return made


def test_what_one_node_pushes_another_fetches(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"first")
    storage.push(file, KEY)
    file.write_bytes(b"second")
    storage.push(file, KEY)
    other = Storage(storage.url)
    assert other.fetch(KEY, "weights", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"second"
    assert other.text(KEY, "weights") == "second"
    assert other.size_bytes(KEY, "weights") == 6


def test_what_is_not_there_is_no_error(storage: Storage, tmp_path: Path) -> None:
    assert not storage.fetch(KEY, "weights", tmp_path / "fetched")
    assert storage.text(KEY, "weights") is None
    assert storage.size_bytes(KEY, "weights") is None
    storage.remove(KEY, "weights")
    assert not list(tmp_path.glob("fetched*"))


def test_removed_file_is_gone_and_its_neighbours_stay(storage: Storage, tmp_path: Path) -> None:
    for name in ("weights", "weights.json"):
        (tmp_path / name).write_text("x")
        storage.push(tmp_path / name, KEY)
    storage.remove(KEY, "weights")
    assert storage.text(KEY, "weights") is None
    assert storage.text(KEY, "weights.json") == "x"


def test_interrupted_push_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, file = Storage(str(tmp_path / "shared")), tmp_path / "weights"
    storage.make()
    file.write_text("old")
    storage.push(file, KEY)

    def half(_fs: LocalFileSystem, _local: str, remote: str) -> None:
        Path(remote).write_text("ne")
        raise OSError(28, "No space left on device")

    file.write_text("new")
    with monkeypatch.context() as patched:
        patched.setattr(LocalFileSystem, "put_file", half)
        with pytest.raises(OutOfReachError, match=r": No space left on device$"):
            storage.push(file, KEY)
    assert storage.text(KEY, "weights") == "old"
    assert names(tmp_path / "shared" / "stages" / KEY) == ["weights"]


def test_what_a_killed_push_left_goes_with_the_file(tmp_path: Path) -> None:
    storage, file = Storage(str(tmp_path / "shared")), tmp_path / "weights"
    storage.make()
    file.write_text("whole")
    storage.push(file, KEY)
    folder = tmp_path / "shared" / "stages" / KEY
    (folder / "weights.some-node-12.partial").write_text("who")
    storage.remove(KEY, "weights")
    assert names(folder) == []


def test_interrupted_fetch_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, file = Storage(str(tmp_path / "shared")), tmp_path / "weights"
    storage.make()
    file.write_text("whole")
    storage.push(file, KEY)

    def half(_fs: LocalFileSystem, _remote: str, local: str) -> None:
        Path(local).write_text("wh")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(LocalFileSystem, "get_file", half)
    with pytest.raises(OutOfReachError, match="Input/output error"):
        storage.fetch(KEY, "weights", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_path_is_absolute_for_other_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage("shared").url == str(tmp_path / "shared")
    assert Storage(f"file://{tmp_path}/shared").url == str(tmp_path / "shared")


def test_path_that_is_not_mounted_is_named_and_not_made(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "shared"))
    (tmp_path / "file").touch()
    with pytest.raises(OutOfReachError) as raised:
        storage.push(tmp_path / "file", KEY)
    assert str(raised.value) == (
        f"the storage {tmp_path}/shared cannot be used from node {node_name()}: "
        f"there is no folder {tmp_path}/shared/stages"
    )
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [("nope://x", "Protocol not known: nope"), ("memory://x", "only one process would see it")],
)
def test_url_that_cannot_be_shared_is_refused(url: str, reason: str) -> None:
    with pytest.raises(OutOfReachError, match=reason):
        Storage(url)
