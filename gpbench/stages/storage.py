"""Shared storage: the files of stages on a path or fsspec URL that every node reaches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from gpbench.stages.reach import OutOfReachError, node_name

_FOLDER = "stages"


class Storage:
    """The stage folders `<url>/stages/<key>/`, of which each file is seen whole or not at all.

    An object store puts objects in place whole; in a file system a file is written beside its place
    and renamed. Credentials are what the URL's package finds on the node.

    Every method raises OutOfReachError where the storage cannot be used from this node.

    Attributes:
        url: As every node understands it: an absolute path, or the URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with self._reaching():
            # other nodes write there too: what was listed before may be old
            fs, root = url_to_fs(url, use_listings_cache=False)
            if isinstance(fs, MemoryFileSystem):
                raise ValueError("only one process would see it")  # noqa: TRY004  wrapped below
        self._fs: Any = fs
        self._is_local = isinstance(fs, LocalFileSystem)
        if self._is_local:
            self.url = root
        self._root = f"{root.rstrip('/')}/{_FOLDER}"

    def make(self) -> None:
        """Create the storage where it is not there, and try whether it can be written."""
        with self._reaching():
            self._fs.makedirs(self._root, exist_ok=True)
            probe = f"{self._root}/.writable-{node_name()}-{os.getpid()}"
            self._fs.pipe_file(probe, b"gpbench")
            self._fs.rm_file(probe)

    def push(self, file: Path, key: str) -> None:
        """Copy a file into the folder of a stage."""
        with self._reaching():
            self._check_mounted()
            self._fs.makedirs(f"{self._root}/{key}", exist_ok=True)
            path = self._path(key, file.name)
            if self._is_local:
                self._write_beside(file, path)
            else:
                self._fs.put_file(str(file), path)

    def fetch(self, key: str, name: str, file: Path) -> bool:
        """Copy a file of a stage to `file`, whole or not at all; return whether it was there."""
        partial = file.with_name(f"{file.name}.partial")
        with self._reaching():
            self._check_mounted()
            try:
                self._fs.get_file(self._path(key, name), str(partial))
            except FileNotFoundError:
                partial.unlink(missing_ok=True)
                return False
            partial.replace(file)
        return True

    def text(self, key: str, name: str) -> str | None:
        """Return the content of a text file of a stage; None: it is not there."""
        with self._reaching():
            self._check_mounted()
            try:
                content: bytes = self._fs.cat_file(self._path(key, name))
            except FileNotFoundError:
                return None
            return content.decode()

    def size_bytes(self, key: str, name: str) -> int | None:
        """Return the size of a file of a stage; None: it is not there."""
        with self._reaching():
            self._check_mounted()
            try:
                return int(self._fs.info(self._path(key, name))["size"])
            except FileNotFoundError:
                return None

    def remove(self, key: str, name: str) -> None:
        """Remove a file of a stage, if it is there, and what killed copies of it left."""
        with self._reaching(), contextlib.suppress(FileNotFoundError):
            self._check_mounted()
            path = self._path(key, name)
            for found in self._fs.ls(f"{self._root}/{key}", detail=False):
                if found == path or (found.startswith(path) and found.endswith(".partial")):
                    self._fs.rm_file(found)

    def _write_beside(self, file: Path, path: str) -> None:
        partial = f"{path}.{node_name()}-{os.getpid()}.partial"
        try:
            self._fs.put_file(str(file), partial)
            self._fs.mv(partial, path)
        except OSError:  # the disk may be full: nothing half is left on it
            with contextlib.suppress(OSError):
                self._fs.rm_file(partial)
            raise

    def _path(self, key: str, name: str) -> str:
        return f"{self._root}/{key}/{name}"

    def _check_mounted(self) -> None:
        """Raise where a path is not there: a worker that made it would write where nobody looks."""
        if self._is_local and not self._fs.isdir(self._root):
            raise NotADirectoryError(f"there is no folder {self._root}")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a URL's package raises what it likes: wrapped, with its cause
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise OutOfReachError(
                f"the storage {self.url} cannot be used from node {node_name()}: {reason}"
            ) from error
