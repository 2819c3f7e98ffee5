"""Which schema a database has, and how it is brought up to date: alembic is imported only then."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, inspect, text

from gpbench.core.errors import SchemaTooNewError, StoreError
from gpbench.store.database import Location, settle_journal, told, without_references, writing

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "gpbench_schema"
"""A name of its own: databases of other programs that use alembic are not taken for ours."""

Age = Literal["fresh", "older", "current"]


def revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Return the known revisions, first to last: what files in migrations/versions begin with."""
    return sorted(path.name[:4] for path in (migrations / "versions").glob("[0-9]*.py"))


def age(connection: Connection, location: Location, migrations: Path = MIGRATIONS) -> Age:
    """Return how the database's schema stands to ours.

    Raises:
        SchemaTooNewError: If a newer gpbench wrote it.
        StoreError: If it holds tables of another program.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return "fresh"
    found = (
        connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  a constant
        if VERSION_TABLE in tables
        else None
    )
    if found is None:
        raise StoreError(
            f"database {location.shown} holds tables of another program: "
            "choose another --db or --workdir"
        )
    known = revisions(migrations)
    if found not in known:
        raise SchemaTooNewError(f"database {location.shown}", found)
    return "current" if found == known[-1] else "older"


def check_readable(engine: Engine, location: Location, migrations: Path = MIGRATIONS) -> None:
    """Refuse a database that is not there, or whose schema is not ours; write nothing.

    Raises:
        StoreError: As said.
    """
    _check_folder(location)
    if location.path is not None and not location.path.exists():
        raise _nothing_yet(location)
    with told(location.shown), engine.connect() as connection:
        found = age(connection, location, migrations)
    if found == "fresh":
        raise _nothing_yet(location)
    if found == "older":
        raise StoreError(
            f"database {location.shown} was written by an older gpbench: "
            "the next `gpbench run` updates it"
        )


def bring_up_to_date(engine: Engine, location: Location, migrations: Path = MIGRATIONS) -> None:
    """Make the tables, or change those of an older gpbench: all or nothing, one process at a time.

    Raises:
        StoreError: If the database cannot be written to, or is not ours to change.
    """
    _check_folder(location)
    with told(location.shown):
        with engine.connect() as connection:
            age(connection, location, migrations)  # refuse before anything is touched
        if location.path is not None:
            settle_journal(engine, location.path)
        with (
            writing(engine).connect() as connection,
            without_references(connection),
            connection.begin(),  # even if nothing is to be done: it must be writable
        ):
            lock_writers(connection)
            if age(connection, location, migrations) != "current":
                _upgrade(connection, migrations)


def lock_writers(connection: Connection) -> None:
    """Let one process write at a time on PostgreSQL too; SQLite's transactions already do."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('gpbench'))")


def _upgrade(connection: Connection, migrations: Path) -> None:
    from alembic import command  # noqa: PLC0415  0.2 s that only a new or older database pays
    from alembic.config import Config  # noqa: PLC0415  as above

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check_folder(location: Location) -> None:
    if location.path is None:
        return
    folder = location.path.parent
    if not folder.is_dir():
        raise StoreError(
            f"database {location.shown}: there is no folder {folder}; "
            "make it, or choose another --db or --workdir"
        )
    if location.path.is_dir():
        raise StoreError(f"database {location.shown} is a folder: name a file in it")


def _nothing_yet(location: Location) -> StoreError:
    return StoreError(
        f"there is no database at {location.shown} yet: `gpbench run` makes one; "
        "or name another with --db or --workdir"
    )
