from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from gpbench.core.errors import SchemaTooNewError, StoreError
from gpbench.store import Store
from gpbench.store.database import connect, locate
from gpbench.store.models import Base
from gpbench.store.schema import (
    MIGRATIONS,
    VERSION_TABLE,
    bring_up_to_date,
    check_readable,
    revisions,
)
from tests.store.plans import COUNTS, ended, finetune, make_plan, write_counts

SCRATCH = finetune(0, None).key
LAST = revisions()[-1]
NEXT = f"{int(LAST) + 1:04}"
LATER = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{LAST}"


def upgrade():
    with op.batch_alter_table("stage", recreate="always") as table:
        table.add_column(sa.Column("note", sa.Text))
    op.execute("UPDATE stage SET note = 'migrated'")
"""  # noqa: S608  a migration, not a question


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a later gpbench, which has one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "versions" / f"{NEXT}_note.py").write_text(LATER)
    return folder


def update(url: str, migrations: Path) -> None:
    location = locate(url)
    engine = connect(location, read_only=False)
    try:
        bring_up_to_date(engine, location, migrations)
    finally:
        engine.dispose()


def filled(url: str, folder: Path) -> None:
    with Store.open(url) as store:
        store.record(make_plan())
        write_counts(folder)
        store.commit(ended(SCRATCH, scored=True), folder)


def asked(path: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def test_tables_are_those_that_the_migrations_make(store: Store) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_names_that_the_models_give_them(url: str, tmp_path: Path) -> None:
    Store.open(url).close()
    models = create_engine(f"sqlite:///{tmp_path / 'models.sqlite'}")
    Base.metadata.create_all(models)
    models.dispose()
    question = "SELECT name, sql FROM sqlite_master"
    migrated, modelled = (
        {name: names_in(sql) for name, sql in asked(tmp_path / file, question)}
        for file in ("gpbench.sqlite", "models.sqlite")
    )
    assert {name: v for name, v in migrated.items() if VERSION_TABLE not in str(name)} == modelled


def names_in(sql: object) -> set[str]:
    """Return the constraints that a CREATE TABLE names."""
    words = str(sql or "").split()
    return {word for before, word in pairwise(words) if before == "CONSTRAINT"}


def test_file_names_give_the_revisions_that_alembic_sees() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert walked[::-1] == revisions()


def test_database_of_the_first_schema_is_read_after_its_update(url: str, tmp_path: Path) -> None:
    first = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, first)
    for later in (first / "versions").glob("*.py"):
        if not later.name.startswith("0001"):
            later.unlink()
    update(url, first)
    connection = sqlite3.connect(tmp_path / "gpbench.sqlite")
    connection.execute(
        "INSERT INTO stage (key, kind, spec, state, status, attempts, error) "
        "VALUES ('k', 'pretrain', '{}', 'failed', 'oom', 1, 'no memory')"
    )
    connection.execute("INSERT INTO history VALUES ('k', 3, 0.5, 0.1, NULL)")
    connection.commit()
    connection.close()
    with Store.open(url) as store:
        assert store.states(["k"]) == {"k": "failed"}
        assert [row.step for row in store.history("k")] == [3]


def test_scores_of_an_older_database_are_summed_up_by_its_update(url: str, tmp_path: Path) -> None:
    filled(url, tmp_path)
    path = tmp_path / "gpbench.sqlite"
    rows = "SELECT score_id, position, counts FROM confusion"
    before = asked(path, rows)
    connection = sqlite3.connect(path)
    connection.executescript(
        f"ALTER TABLE score DROP COLUMN total; UPDATE {VERSION_TABLE} SET version_num = '0002'"  # noqa: S608  a constant
    )
    connection.close()
    with Store.open(url) as store:
        total = next(r.total for r in store.results("demo") if r.key == SCRATCH)
    assert total is not None
    assert total.tolist() == COUNTS.sum(axis=0).tolist()
    assert asked(path, rows) == before


def test_older_database_is_updated_with_all_its_rows(url: str, tmp_path: Path, newer: Path) -> None:
    filled(url, tmp_path)
    path = tmp_path / "gpbench.sqlite"
    before = asked(path, "SELECT score_id, position, counts FROM confusion")
    update(url, newer)
    assert asked(path, "SELECT DISTINCT note FROM stage") == [("migrated",)]
    assert asked(path, "SELECT score_id, position, counts FROM confusion") == before
    assert len(before) == 3
    update(url, newer)


def test_update_that_fails_half_way_changes_nothing(url: str, tmp_path: Path, newer: Path) -> None:
    filled(url, tmp_path)
    path = tmp_path / "gpbench.sqlite"
    dump = "SELECT name, sql FROM sqlite_master"
    before = asked(path, dump)
    with (newer / "versions" / f"{NEXT}_note.py").open("a") as file:
        file.write('    op.execute("UPDATE absent SET note = 1")\n')
    with pytest.raises(OperationalError, match="no such table: absent"):
        update(url, newer)
    assert asked(path, dump) == before
    assert asked(path, "SELECT version_num FROM gpbench_schema") == [(LAST,)]
    with Store.open(url) as store:
        assert store.states([SCRATCH]) == {SCRATCH: "done"}


def test_older_database_is_not_updated_by_reading(url: str, tmp_path: Path, newer: Path) -> None:
    filled(url, tmp_path)
    before = (tmp_path / "gpbench.sqlite").read_bytes()
    location = locate(url)
    engine = connect(location, read_only=True)
    with pytest.raises(StoreError, match="the next `gpbench run` updates it"):
        check_readable(engine, location, newer)
    engine.dispose()
    assert (tmp_path / "gpbench.sqlite").read_bytes() == before


def test_newer_database_is_refused_and_unchanged(url: str, tmp_path: Path, newer: Path) -> None:
    filled(url, tmp_path)
    update(url, newer)
    path = tmp_path / "gpbench.sqlite"
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(SchemaTooNewError, match=rf"gpbench\.sqlite.*schema {NEXT}.*upgrade"):
            Store.open(url, read_only=read_only)
    assert path.read_bytes() == before


def test_locked_database_says_so(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(url).close()
    monkeypatch.setattr("gpbench.store.database.BUSY_S", 0.05)
    other = sqlite3.connect(tmp_path / "gpbench.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="is locked by another process"):
        Store.open(url)
    other.close()
    Store.open(url).close()


def test_current_database_is_opened_without_alembic_and_torch(url: str, tmp_path: Path) -> None:
    filled(url, tmp_path)
    code = (
        "import sys; from gpbench.store import Store\n"
        f"Store.open({url!r}).close(); print(Store.open({url!r}, read_only=True).results('demo'))\n"
        "print(sorted({'alembic', 'torch', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
