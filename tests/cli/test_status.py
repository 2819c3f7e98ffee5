from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gpbench.cli.status_watch import beat_of, changes
from gpbench.engine.monitor import Beat
from gpbench.store import Owner, Store, StoreStatus
from tests.cli.conftest import Command
from tests.store.plans import ended, finetune, make_plan, pretrain

RUNNING, DONE, FAILED = finetune(0, None).key, pretrain(0).key, finetune(1, None).key
BEAT = Beat("train", 1200, 40000, 0.53, 853.0, 1_800_000_000)
BAD_LABEL = "finetune scratch test_convnext3 town (fine 1)"
LABEL = "finetune scratch test_convnext3 town (fine 0)"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a working directory whose run is half way: this process runs a stage of it."""
    folder = tmp_path / "work"
    folder.mkdir()
    with Store.open(f"sqlite:///{folder / 'gpbench.sqlite'}") as store:
        store.record(make_plan("half-way"))
        store.claim(RUNNING, Owner.current())
        store.begin(RUNNING)
        store.heartbeat({RUNNING: asdict(BEAT)})
        store.commit(ended(DONE), folder)
        store.commit(ended(FAILED, "oom", error="no memory"), folder)
    return folder


def end_all(work: Path) -> None:
    with Store.open(f"sqlite:///{work / 'gpbench.sqlite'}") as store:
        for key in make_plan().stages():
            store.commit(
                ended(key, "oom", error="no memory") if key == FAILED else ended(key), work
            )


def test_json_says_what_runs(gpbench: Command, work: Path) -> None:
    document = gpbench("status", "--workdir", work, "--format", "json").document
    since = document["running"][0].pop("since")
    assert document == {
        "schema": "gpbench.status/1",
        "experiment": "half-way",
        "counts": {"pending": 5, "running": 1, "done": 1, "failed": 1, "blocked": 0},
        "running": [
            {
                "key": RUNNING,
                "kind": "finetune",
                "phase": None,
                "arm": "scratch",
                "backbone": "test_convnext3",
                "in_chans": 1,
                "dataset": "town",
                "label_fraction": 1.0,
                "pretrain_seed": None,
                "finetune_seed": 0,
                "beat": asdict(BEAT),
            }
        ],
        "failed": [
            {
                "key": FAILED,
                "kind": "finetune",
                "phase": None,
                "arm": "scratch",
                "backbone": "test_convnext3",
                "in_chans": 1,
                "dataset": "town",
                "label_fraction": 1.0,
                "pretrain_seed": None,
                "finetune_seed": 1,
                "error": "no memory",
                "log": None,
            }
        ],
    }
    assert since.endswith("+00:00")


def test_tables_name_the_experiment_what_runs_and_what_failed(gpbench: Command, work: Path) -> None:
    said = gpbench("status", "--workdir", work)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("experiment half-way\n")
    text = " ".join(said.out.split())
    assert "pending 5 running 1 done 1 failed 1" in text
    assert LABEL in text
    assert "train 1,200/40,000 loss 0.530 853 images/s 1.8 GB" in text
    assert said.out.endswith(f"failed, 1 stage: no memory\n  {BAD_LABEL}\n")


def test_stage_that_said_nothing_yet_starts(gpbench: Command, work: Path) -> None:
    with Store.open(f"sqlite:///{work / 'gpbench.sqlite'}") as store:
        store.heartbeat({RUNNING: None})
    assert "starting" in gpbench("status", "--workdir", work).out
    document = gpbench("status", "--workdir", work, "--format", "json").document
    assert document["running"][0]["beat"] is None


@pytest.mark.parametrize("flags", [(), ("--watch",), ("--format", "json")])
def test_before_any_run_it_says_so(
    gpbench: Command, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        said = gpbench("status", "--workdir", place, *flags)
        assert (said.code, said.out) == (2, "")
        database = place / "gpbench.sqlite"
        assert said.err == (
            f"gpbench: nothing was run in {place} yet (no experiment is in {database}): "
            "`gpbench run` begins one; or name another place with --workdir or --db\n"
        )
    Store.open(f"sqlite:///{tmp_path / 'gpbench.sqlite'}").close()  # a run that planned nothing
    assert "nothing was run" in gpbench("status", "--workdir", tmp_path, *flags).err


def test_after_the_demo_it_says_where_that_is(
    gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the demo's" not in gpbench("status").err
    (tmp_path / "gpbench-demo").mkdir()
    assert gpbench("status").err.endswith("; the demo's is --workdir gpbench-demo\n")


def test_unknown_experiment_is_refused(gpbench: Command, work: Path) -> None:
    said = gpbench("status", "--workdir", work, "--experiment", "half-say")
    assert said.code == 2
    assert "unknown experiment 'half-say'. Did you mean 'half-way'?" in said.err


def test_watch_has_no_json(gpbench: Command, work: Path) -> None:
    said = gpbench("status", "--workdir", work, "--watch", "--format", "json")
    assert said.code == 2
    assert "--watch shows text" in said.err


def test_watch_ends_when_all_has_ended(gpbench: Command, work: Path) -> None:
    end_all(work)
    said = gpbench("status", "--workdir", work, "--watch")
    assert (said.code, said.err) == (0, "")
    first, *failed = said.out.splitlines()
    assert first.endswith("half-way: 0 pending, 0 running, 7 done, 1 failed, 0 blocked")
    assert failed == ["  failed, 1 stage: no memory", f"    {BAD_LABEL}"]


def test_watch_says_what_changed_until_the_last_stage_has_ended(work: Path) -> None:
    with Store.open(f"sqlite:///{work / 'gpbench.sqlite'}", read_only=True) as store:
        half_way = store.status("half-way")
        end_all(work)
        over = store.status("half-way")
    further = replace(half_way.running[0], beat=asdict(replace(BEAT, step=1300)))
    looks = iter([half_way, half_way, replace(half_way, running=(further,)), over])
    said = list(changes(lambda: next(looks), every_s=0.0))
    assert [text.splitlines()[1] for text in said] == [
        f"  {LABEL}: train 1,200/40,000  loss 0.530  853 images/s  1.8 GB",
        f"  {LABEL}: train 1,300/40,000  loss 0.530  853 images/s  1.8 GB",
        "  failed, 1 stage: no memory",
    ]


@pytest.mark.parametrize("left", ["running", "pending"])
def test_watch_goes_on_while_a_stage_runs_or_waits(work: Path, left: str) -> None:
    end_all(work)
    with Store.open(f"sqlite:///{work / 'gpbench.sqlite'}", read_only=True) as store:
        over = store.status("half-way")

    def looks() -> Iterator[StoreStatus]:
        yield replace(over, counts={**over.counts, left: 1})  # type: ignore[dict-item]  # a State
        yield over

    seen = looks()
    assert len(list(changes(lambda: next(seen), every_s=0.0))) == 2


def test_beat_of_another_gpbench_is_read_as_far_as_it_is_known(work: Path) -> None:
    with Store.open(f"sqlite:///{work / 'gpbench.sqlite'}", read_only=True) as store:
        (stage,) = store.status("half-way").running
    assert beat_of(replace(stage, beat={**asdict(BEAT), "watts": 300})) == BEAT
