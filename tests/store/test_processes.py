"""Several processes with one database: real ones, spawned."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from gpbench.store import Owner, Store
from tests.store.plans import finetune, make_plan, pretrain

SPAWN = multiprocessing.get_context("spawn")
KEYS = [*(pretrain(seed).key for seed in range(4)), *(finetune(r, None).key for r in range(4))]
WORKERS = 3


def open_and_claim(
    url: str, barrier: Barrier, answers: multiprocessing.SimpleQueue[object]
) -> None:
    """Open a database that may not exist yet together with others, then claim all that is there."""
    barrier.wait()
    with Store.open(url) as store:
        store.record(make_plan(seeds=range(4)))
        barrier.wait()
        owner = Owner.current()
        answers.put([key for key in KEYS if store.claim(key, owner) == "claimed"])
        barrier.wait()  # stay alive: what a process that is gone had claimed is free


@pytest.mark.slow
def test_processes_that_make_one_database_at_once_share_its_stages(url: str) -> None:
    barrier, answers = SPAWN.Barrier(WORKERS), SPAWN.SimpleQueue()
    workers = [
        SPAWN.Process(target=open_and_claim, args=(url, barrier, answers)) for _ in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    claimed = [key for _ in workers for key in answers.get()]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    assert sorted(claimed) == sorted(KEYS)
    with Store.open(url) as store:
        assert store.experiments() == ["demo"]
        assert store.status().counts["pending"] == 16


@pytest.mark.slow
def test_stage_of_a_killed_process_is_taken_over_at_once(url: str) -> None:
    key = KEYS[0]
    with Store.open(url) as store:
        store.record(make_plan())
    code = (
        "import time; from gpbench.store import Owner, Store\n"
        f"print(Store.open({url!r}).claim({key!r}, Owner.current()), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "claimed\n"
        with Store.open(url) as store:
            assert store.claim(key, Owner.current()) == "running"
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            assert store.states([key]) == {key: "pending"}
            assert store.claim(key, Owner.current()) == "claimed"


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_killed_while_it_was_made_the_database_is_made_again(
    url: str, tmp_path: Path, attempt: int
) -> None:
    code = (
        "import os, signal; from sqlalchemy import event; import gpbench.store.schema as schema\n"
        "from gpbench.store import Store\n"
        "from sqlalchemy.engine import Engine; seen = []\n"
        "def kill(connection, cursor, statement, *rest):\n"
        "    seen.append(statement)\n"
        "    tables = sum('CREATE TABLE' in one for one in seen)\n"
        f"    if tables > {1 + 4 * attempt}: os.kill(os.getpid(), 9)\n"
        "event.listen(Engine, 'before_cursor_execute', kill)\n"
        f"Store.open({url!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    with Store.open(url) as store:
        store.record(make_plan())
    connection = sqlite3.connect(tmp_path / "gpbench.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
