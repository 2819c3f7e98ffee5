"""From a URL to an engine: files, journals and locks of SQLite, sentences for what can go wrong."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from gpbench.core.errors import MissingExtraError, StoreError
from gpbench.core.stage import canonical_json

BUSY_S = 30.0
"""How long a statement waits for another process to finish its transaction."""
_LOCAL_FUSE = "fuseblk"
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"}
    | {"ocfs2", "panfs", "smb2", "smb3", "smbfs", "virtiofs"}
)
_OTHER = "choose another --db or --workdir"
_SQLITE_PROBLEMS = {
    "SQLITE_NOTADB": f"is not an SQLite database: {_OTHER}",
    "SQLITE_READONLY": f"cannot be written to: make the file and its folder writable, or {_OTHER}",
    "SQLITE_CANTOPEN": f"cannot be opened: make the file and its folder writable, or {_OTHER}",
    "SQLITE_PERM": f"may not be opened by this user: {_OTHER}",
    "SQLITE_BUSY": f"is locked by another process for more than {BUSY_S:.0f} s: try again later",
    "SQLITE_FULL": "cannot grow: the disk is full",
    "SQLITE_CORRUPT": f"is damaged: restore a copy, or {_OTHER}",
    "SQLITE_IOERR": "cannot be read or written: the file system reports an error",
}


@dataclass(frozen=True)
class Location:
    """Where a database is, and how messages name it (without a password)."""

    url: URL
    path: Path | None
    """The file, where it is SQLite's."""
    shown: str


def locate(text: str) -> Location:
    """Return what a database URL means; the path of a file is taken as it stands, nothing unquoted.

    Raises:
        StoreError: If it is no URL, or an SQLite database without a file.
    """
    if text.startswith("sqlite"):
        path = re.sub(r"^sqlite(\+pysqlite)?:/?/?/?", "", text)
        if path in ("", ":memory:") or path.startswith("file:"):
            raise StoreError(f"--db {text!r} names no file: results must outlive the command")
        if "?" in path:
            raise StoreError(f"--db {text!r}: a file takes no options: leave out what follows '?'")
        return Location(URL.create("sqlite", database=path), Path(path), path)
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise _unknown(text) from error
    return Location(url, None, url.render_as_string(hide_password=True))


def connect(location: Location, *, read_only: bool) -> Engine:
    """Return an engine; nothing is opened yet."""
    if location.path is not None:
        return _sqlite_engine(location.url, location.path, read_only=read_only)
    try:
        return create_engine(location.url, json_serializer=canonical_json)
    except NoSuchModuleError as error:
        raise _unknown(location.shown) from error
    except ModuleNotFoundError as error:
        package = error.name or location.url.drivername
        raise MissingExtraError(
            package, f"the database {location.shown}", f"pip install {package}"
        ) from error


@contextmanager
def told(shown: str) -> Iterator[None]:
    """Turn what a database cannot do into a StoreError of one sentence; other mistakes pass."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in (DatabaseError, OperationalError):
            raise
        name = getattr(error.orig, "sqlite_errorname", None)
        problem = next(
            (p for code, p in _SQLITE_PROBLEMS.items() if name and name.startswith(code)), None
        )
        if name and not problem:
            raise  # SQLITE_ERROR: a statement that no database would take
        first_line = str(error.orig).strip().partition("\n")[0]
        raise StoreError(
            f"database {shown} {problem or f'cannot be used: {first_line}'}"
        ) from error


def writing(engine: Engine) -> Engine:
    """Return a view of the engine whose SQLite transactions take the write lock when they begin."""
    return engine.execution_options(gpbench_writes=True)


@contextmanager
def without_references(connection: Connection) -> Iterator[Connection]:
    """Let tables be replaced: SQLite would delete the rows that refer to a table that it drops.

    To be entered before the transaction, in which SQLite ignores the switch.
    """
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        yield connection
        return
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield connection
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def settle_journal(engine: Engine, path: Path) -> None:
    """Put a database file into WAL mode, or out of it on a network file system."""
    wanted = "delete" if is_network(file_system(path)) else "wal"
    deadline = time.monotonic() + BUSY_S
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        if not isinstance(raw, sqlite3.Connection):
            raise TypeError(raw)
        while raw.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
            try:
                raw.execute(f"PRAGMA journal_mode={wanted}")
            except sqlite3.OperationalError as error:  # not subject to the busy timeout
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise OperationalError("PRAGMA journal_mode", None, error) from error
                time.sleep(0.02)


def file_system(path: Path, mounts: str | None = None) -> str:
    """Return the type of `path`'s file system by the text of /proc/mounts; "" where unknown."""
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text()
        except OSError:
            return ""
    place, best, found = path.resolve(), -1, ""
    for line in mounts.splitlines():
        _, folder, kind, *_ = line.split(" ")
        folder = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), folder)
        if len(folder) >= best and place.is_relative_to(folder):  # of equals the last counts
            best, found = len(folder), kind
    return found


def is_network(kind: str) -> bool:
    """Return whether shared memory, which WAL needs, cannot be relied on there."""
    return kind in _NETWORK or (kind.startswith("fuse") and kind != _LOCAL_FUSE)


def _unknown(text: str) -> StoreError:
    return StoreError(
        f"--db {text!r} is neither a file nor a database URL such as postgresql+psycopg://HOST/NAME"
    )


def _sqlite_engine(url: URL, path: Path, *, read_only: bool) -> Engine:
    def opened() -> sqlite3.Connection:
        if not read_only:
            return _opened(path, "mode=rwc")
        connection = _opened(path, "mode=rw")
        try:
            connection.execute("SELECT * FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError:
            connection.close()
            if path.with_name(f"{path.name}-wal").exists():
                raise
            # WAL needs files beside the database; where they cannot be made, nobody writes
            connection = _opened(path, "mode=ro&immutable=1")
        connection.execute("PRAGMA query_only=ON")
        return connection

    engine = create_engine(url, creator=opened, json_serializer=canonical_json)
    event.listen(engine, "begin", _begin)
    return engine


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,  # transactions begin where SQLAlchemy says so
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("gpbench_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
