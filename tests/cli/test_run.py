"""`gpbench run`, tried as a user would, on seconds of training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpbench.store import Store
from tests.cli.conftest import Command, Said

ARMS = ("-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "2")
SCRATCH = ("-s", "scratch", "-d", "demo-isaid")
JSON = ("--format", "json")


def counts_of(workdir: Path) -> dict[str, bytes]:
    """Return the counts of every scored stage as bytes, to be compared exactly."""
    with Store.open(f"sqlite:///{workdir / 'gpbench.sqlite'}", read_only=True) as store:
        (name,) = store.experiments()
        return {
            result.key: np.ascontiguousarray(store.counts(result.key)[1]).tobytes()
            for result in store.results(name)
            if result.key is not None
        }


def test_run_reports_every_finetuning_and_the_same_command_does_nothing(tiny: Command) -> None:
    first = tiny(*ARMS, "-j", "1", *JSON)
    assert first.code == 0
    document = first.document
    assert document["schema"] == "gpbench.run/1"
    assert (document["done"], document["skipped"], document["failed"]) == (6, 0, 0)
    assert len(document["results"]) == 4
    by_arm = {(r["strategy"], r["pretrain_seed"], r["finetune_seed"]) for r in document["results"]}
    assert by_arm == {
        ("scratch", None, 0),
        ("scratch", None, 1),
        ("imagenet", 0, 0),
        ("imagenet", 1, 0),
    }
    for result in document["results"]:
        assert 0 <= result["value"] <= 100
        assert 0 < result["majority"] < 100
        assert result["metric"] == "mIoU"
        scored = [value for value in result["per_class"].values() if value is not None]
        assert np.mean(scored) == pytest.approx(result["value"])
    again = tiny(*ARMS, "-j", "1", *JSON)
    assert again.code == 0
    assert (again.document["done"], again.document["skipped"]) == (0, 6)
    assert again.document["results"] == document["results"]
    assert "Nothing to do" in again.err


def test_budget_in_epochs_is_counted_once_the_data_are_prepared(
    gpbench: Command, tmp_path: Path
) -> None:
    # 40 images of 2 x 2 tiles make 160 tiles: an epoch is 80 steps of 2 tiles
    budget = ("--set", "finetune.epochs=0.05", "--set", "finetune.batch=2")
    said = gpbench("run", *SCRATCH, "-b", "test_convnext3", "--recipe", "demo", *budget, "-j", "1",
                   "--executor", "inline", "--pretrain-seeds", "1",
                   "--workdir", tmp_path / "work", *JSON)  # fmt: skip
    assert said.code == 0, said.err
    (row,) = said.document["results"]
    with Store.open(f"sqlite:///{tmp_path / 'work' / 'gpbench.sqlite'}", read_only=True) as store:
        assert store.history(row["key"])[-1].step == 4


def test_force_runs_everything_again_to_the_same_numbers(tiny: Command) -> None:
    arms = ("-s", "scratch", "-d", "demo-mfnet", "--pretrain-seeds", "1", "-j", "1", *JSON)
    first = tiny(*arms)
    forced = tiny(*arms, "--force")
    assert (forced.document["done"], forced.document["skipped"]) == (1, 0)
    assert forced.document["results"] == first.document["results"]


@pytest.mark.slow
def test_jobs_and_loader_workers_do_not_change_a_bit(gpbench: Command, tmp_path: Path) -> None:
    from tests.cli.conftest import TINY

    def counted(name: str, *arguments: str) -> dict[str, bytes]:
        said = gpbench(*TINY, *ARMS, "--workdir", tmp_path / name, *arguments)
        assert said.code == 0, said.err
        return counts_of(tmp_path / name)

    one = counted("one", "-j", "1", "--set", "execution.loader_workers=0")
    two = counted("two", "-j", "2", "--set", "execution.loader_workers=3")
    assert one == two


def test_trial_carries_its_banner_and_an_experiment_of_its_own(tiny: Command) -> None:
    said = tiny(*ARMS, "--limit", "2", "--experiment", "mine", "-j", "1", *JSON)
    assert said.code == 0
    assert said.document["trial"] is True
    assert said.document["experiment"] == "mine-trial-2"
    assert len(said.document["results"]) == 2
    assert "TRIAL" in said.err
    full = tiny(*ARMS, "--experiment", "mine", "-j", "1", *JSON)
    assert full.document["skipped"] >= 2  # a trial's stages are ordinary ones
    assert full.document["trial"] is False


def test_diverged_pretraining_blocks_its_children_and_nothing_else(tiny: Command) -> None:
    arms = (*ARMS, "--set", "pretrain.optim.lr=1e30", "-j", "1")
    said = tiny(*arms, *JSON)
    assert said.code == 3
    document = said.document
    assert (document["done"], document["failed"], document["blocked"]) == (2, 2, 2)
    assert {r["strategy"] for r in document["results"]} == {"scratch"}
    assert "DIVERGED" in said.err
    retried = tiny(*arms, "--retry-failed", *JSON)  # same key, same bits: left alone
    assert (retried.code, retried.document["done"], retried.document["failed"]) == (3, 0, 2)


def test_status_names_what_failed(tiny: Command, gpbench: Command, tmp_path: Path) -> None:
    tiny(*SCRATCH, "--pretrain-seeds", "1", "-j", "1",
         "--set", "finetune.optim.lr=1e30")  # fmt: skip
    said = gpbench("status", "--workdir", tmp_path / "work", *JSON)
    assert said.document["counts"]["failed"] == 1
    (failed,) = said.document["failed"]
    assert "became" in failed["error"]
    assert Path(failed["log"]).is_file()


def test_lost_weights_are_made_again_when_a_child_needs_them(tiny: Command, tmp_path: Path) -> None:
    arms = ("-s", "imagenet", "--pretrain-seeds", "1", "-j", "1", *JSON)
    tiny(*arms, "-d", "demo-isaid")
    shutil.rmtree(tmp_path / "work" / "stages")
    said = tiny(*arms, "-d", "demo-isaid,demo-mfnet")
    assert said.code == 0, said.err
    assert (said.document["done"], said.document["skipped"]) == (2, 1)


def test_weights_are_dropped_when_nobody_keeps_them(tiny: Command, tmp_path: Path) -> None:
    arms = (*SCRATCH, "--pretrain-seeds", "1", "-j", "1")
    tiny(*arms, "--keep-weights", "none")
    assert not list((tmp_path / "work" / "stages").glob("*/segmentor.safetensors"))
    tiny(*arms, "--force")
    assert len(list((tmp_path / "work" / "stages").glob("*/segmentor.safetensors"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-s", "imagnet", "-d", "demo-isaid"), "Did you mean 'imagenet'?"),
        (("-s", "scratch", "-d", "demo-isaid2"), "Did you mean 'demo-isaid'?"),
        ((*SCRATCH, "-b", "test_convnex3"), "Did you mean"),
        (("-s", "imagenet[inflat=mean]", "-d", "demo-isaid"), "Did you mean 'inflate'?"),
        (("-s", "imagenet[inflate=most]", "-d", "demo-isaid"), "repeat"),
        ((*SCRATCH, "--recipe", "dmo"), "Did you mean 'demo'?"),
        ((*SCRATCH, "--set", "finetune.stps=3"), "mean 'steps'?"),
        ((*SCRATCH, "--set", "finetune.batch=0"), "more than 0"),
        ((*SCRATCH, "--set", "finetune.batch=x"), "finetune.batch"),
        ((*SCRATCH, "--seeds", "0"), "seeds"),
        ((*SCRATCH, "--label-fraction", "2"), "label_fraction"),
        ((*SCRATCH, "-j", "0"), "--jobs"),
        ((*SCRATCH, "--limit", "0"), "limit"),
        ((*SCRATCH, "--set", "finetune.head=UPerHed"), "mean 'UPerHead'"),
        ((*SCRATCH, "--set", "finetune.optim.optimizer=adm"), "mean 'adam"),
        ((*SCRATCH, "--address", "auto"), "--executor ray"),
        ((*SCRATCH, "--gpus-per-stage", "0.5"), "--executor ray"),
        ((*SCRATCH, "--set", "execution.pretrain_workers=2"), "--executor ray"),
        (("-s", "scratch", "-d", "nothing-*"), "nothing-*"),
        (("-d", "demo-isaid", "-c", "no-such-file.yaml"), "no-such-file.yaml"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_short_message_and_leaves_nothing(
    tiny: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    said = tiny(*arguments)
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) <= 3
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not (tmp_path / "work").exists()


def test_working_directory_that_cannot_be_written_is_refused(
    gpbench: Command, tmp_path: Path
) -> None:
    from tests.cli.conftest import TINY

    (tmp_path / "file").write_text("")
    said = gpbench(*TINY, *ARMS, "--workdir", tmp_path / "file" / "work")
    assert said.code == 2
    assert "--workdir" in said.err
    assert (tmp_path / "file").read_text() == ""


def test_debug_shows_the_traceback(tiny: Command) -> None:
    assert "Traceback" in tiny("-s", "imagnet", "-d", "demo-isaid", "--debug").err


def _plan(said: Said) -> tuple[int, int, int]:
    stages = said.document["stages"]
    return stages["total"], stages["done"], stages["todo"]


def test_dry_run_is_the_plan_and_runs_nothing(
    tiny: Command, gpbench: Command, tmp_path: Path
) -> None:
    from tests.cli.conftest import TINY

    said = tiny(*ARMS, "--dry-run", *JSON)
    assert said.document["schema"] == "gpbench.plan/1"
    assert _plan(said) == (6, 0, 6)
    assert not (tmp_path / "work").exists()
    tiny(*ARMS, "-j", "1")
    arguments = [a for a in TINY[1:] if a not in ("-y", "--executor", "inline")]
    planned = gpbench("plan", *arguments, *ARMS, "--workdir", tmp_path / "work", *JSON)
    assert _plan(planned) == (6, 6, 0)
    assert planned.document["items"][0]["state"] == "done"


def test_plan_checks_the_design_by_a_named_or_a_stored_spread(
    tiny: Command, gpbench: Command, tmp_path: Path
) -> None:
    from tests.cli.conftest import TINY

    enough = ("--dry-run", "--pretrain-seeds", "3")
    unknown = tiny(*ARMS, *enough, *JSON).document
    assert unknown["design"]["detectable_difference"] is None
    assert "--sd" in unknown["design"]["detectable_difference_reason"]
    assert unknown["estimate"]["gpu_hours"] is None
    named = tiny(*ARMS, *enough, "--sd", "1.5", *JSON).document["design"]
    assert named["detectable_difference"] > 3
    few = tiny(*ARMS, "--dry-run", "--sd", "1.5", *JSON).document["design"]
    assert few["detectable_difference"] is None
    assert "with 2 runs of scratch no difference" in few["detectable_difference_reason"]
    assert tiny(*ARMS, *enough, "--sd", "200").code == 2
    assert tiny(*ARMS, "--dry-run", "--sd", "0").code == 2

    tiny(*ARMS, "-j", "1")
    arguments = [a for a in TINY[1:] if a not in ("-y", "--executor", "inline")]
    arguments += ["-s", "scratch,imagenet", "-d", "demo-isaid", "--pretrain-seeds", "3"]
    place = ("--workdir", tmp_path / "work")
    planned = gpbench("plan", *arguments, *place, *JSON).document
    assert planned["estimate"]["gpu_hours"] > 0
    pilots = planned["design"]["pilots"]
    assert [(p["dataset"], p["df"], p["pretrains"]) for p in pilots] == [
        ("demo-isaid", 1, False),
        ("demo-isaid", 1, True),
    ]
    # three steps of training may score alike: then the reason says so
    varies = any(pilot["sd"] > 0 for pilot in pilots)
    assert (planned["design"]["detectable_difference"] is None) != varies
    assert (planned["design"]["detectable_difference_reason"] is None) == varies
    table = gpbench("plan", *arguments, *place, "--sd", "1.5").out
    assert "pp with 80 % power, alpha 0.05, by --sd." in table
    assert "Exact tests over datasets: one dataset" in table
    assert "Level: strategy (3 pre-trainings x 1 fine-tuning per arm and dataset)" in table
