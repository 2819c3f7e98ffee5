from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.fairness import unfairness
from gpbench.compare.study import Run, Study, StudyDataset
from gpbench.compare.training import Pretraining, Training, Trainings
from gpbench.core.plan import Excluded
from tests.compare.made import pretrained, study_of, two_arms, untrained


def compared(study: Study) -> Comparison:
    return compare(study, Request())


def placed(study: Study, arm: str, **environment: str) -> Study:
    """Return the study with an arm's runs made in an environment."""
    runs = (replace(r, environment=environment) if r.arm == arm else r for r in study.runs)
    return replace(study, runs=tuple(runs))


def ended(study: Study, status: str, which: int, arm: str = "new") -> Study:
    """Return the study with one run of an arm that ended badly."""
    own = [run for run in study.runs if run.arm == arm]
    failed = replace(own[which], value=None, status=status)
    return replace(study, runs=tuple(failed if r is own[which] else r for r in study.runs))


def four() -> Study:
    return two_arms([50, 52, 53, 51], [48, 49, 51, 50])


def trained(
    arm: str,
    dataset: str = "town",
    *,
    keys: Iterable[str] = (),
    seconds: Mapping[str, float] | None = None,
    **settings: str,
) -> Training:
    return Training(arm, "tiny", dataset, 1.0, settings, frozenset(keys), seconds or {}, ())


def told(
    *cells: Training, pretrainings: Mapping[str, Pretraining] | None = None
) -> dict[str, tuple[str, str]]:
    """Return what differs between `new` and `imagenet`, trained like this."""
    study = replace(four(), trainings=Trainings(cells, pretrainings or {}))
    return {entry.field: entry.values for entry in unfairness(study, "new", "imagenet")}


def test_arms_on_different_devices_are_told_apart() -> None:
    study = placed(placed(four(), "new", device="H200"), "imagenet", device="cpu")
    found = compared(study)
    assert [(e.arm, e.field, e.values) for e in found.fairness] == [
        ("new", "device", ("H200", "cpu"))
    ]
    assert "new ran on another device than imagenet: H200; cpu" in found.warnings


def test_another_library_version_is_listed_and_a_process_number_is_not() -> None:
    study = placed(four(), "new", torch="2.15", worker_pid="1")
    study = placed(study, "imagenet", torch="2.11", worker_pid="2")
    assert [e.field for e in compared(study).fairness] == ["torch"]


def test_a_fact_that_some_runs_do_not_tell_is_a_question_mark() -> None:
    study = placed(four(), "imagenet", cpu="EPYC")
    first, *others = study.runs
    assert first.arm == "imagenet"
    study = replace(study, runs=(replace(first, environment={}), *others))
    (entry,) = unfairness(study, "new", "imagenet")
    assert (entry.field, entry.values) == ("cpu", ("?", "?, EPYC"))


def test_an_arm_without_a_finished_run_differs_in_nothing() -> None:
    study = placed(two_arms([50], [48]), "imagenet", cpu="EPYC")
    assert unfairness(ended(study, "oom", 0), "new", "imagenet") == []


def test_arms_on_the_same_machine_differ_in_nothing() -> None:
    study = placed(placed(four(), "new", device="cpu"), "imagenet", device="cpu")
    assert compared(study).fairness == ()
    assert compared(study).warnings == ()


def test_more_pretrainings_for_the_same_suite_are_listed() -> None:
    study = study_of(
        run
        for at, name in enumerate(("a", "b"))
        for run in (
            *pretrained("imagenet", name, [1, 2, 3]),
            *pretrained("new", name, [1, 2, 4], stem=3 + at),
        )
    )
    (entry,) = compared(study).fairness
    assert (entry.field, entry.values) == ("pre-trainings run", ("6", "3"))


def test_a_diverged_run_is_an_outcome_and_not_a_missing_one() -> None:
    found = compared(ended(four(), "diverged", 1))
    assert [(run.arm, run.pretrain_seed) for run in found.diverged] == [("new", 1)]
    assert found.missing == ()
    (warning,) = found.warnings
    assert warning.startswith("1 of 4 fine-tunings of new diverged (town): an outcome of the arm")


def test_missing_runs_are_counted_by_their_reason() -> None:
    found = compared(ended(ended(four(), "oom", 1), "missing", 2))
    assert found.diverged == ()
    assert len(found.missing) == 2
    assert found.warnings == ("2 of 4 fine-tunings of new are missing (1 not run yet, 1 oom)",)


def test_an_arm_whose_scores_never_vary_is_suspicious() -> None:
    found = compared(two_arms([50, 50, 50], [48, 49, 51]))
    assert found.warnings == ("all scores of new on town are the same (sd = 0): is the seed used?",)


def test_arms_that_share_pretrained_weights_are_not_independent() -> None:
    study = two_arms([50, 52, 53], [48, 49, 51])
    shared = (replace(run, pretrain_key=f"same {run.pretrain_seed}") for run in study.runs)
    (warning,) = compared(replace(study, runs=tuple(shared))).warnings
    assert warning.startswith("new: pre-trained weights shared with imagenet; the tests take")


def test_replicates_left_out_for_a_backbone_are_counted() -> None:
    def arm(name: str, large: list[float]) -> list[Run]:
        return pretrained(name, "town", [50, 52, 53, 54]) + pretrained(
            name, "town", large, backbone="large"
        )

    found = compared(study_of(arm("imagenet", [60, 61, 62, 63]) + arm("new", [60, 61, 63])))
    (warning,) = found.warnings
    assert warning.startswith("new against imagenet on town: 1 replicate(s) of new left out")
    assert warning.endswith("they lack one of the backbones large, tiny")


def test_banners_stand_for_trials_and_incomplete_data() -> None:
    study = replace(four(), trial=True, partial=("town",))
    first, second = compared(study).banners
    assert first.startswith("TRIAL RUN")
    assert second == "INCOMPLETE DATA were allowed: town"
    assert compared(study).contrasts[0].finding.verdict == "undecidable"


def test_notes_name_synthetic_data_assumptions_and_exclusions() -> None:
    study = replace(
        four(),
        datasets=(StudyDataset("town", synthetic=True),),
        assumed={"new": ("shuffle", "probability"), "imagenet": (), "other": ("x",)},
        excluded=(Excluded("loveda", "no data"),),
    )
    assert compared(study).notes == (
        "synthetic images, made by a program: town",
        "new: our reading of what its paper leaves open: shuffle, probability",
        "excluded: loveda (no data)",
    )


def test_scratch_is_not_blamed_for_having_no_pretraining() -> None:
    study = study_of(
        pretrained("imagenet", "town", [1, 2, 3]) + untrained("scratch", "town", [1, 2, 4])
    )
    assert compared(study).fairness == ()


def test_settings_that_differ_are_listed_with_the_arms_value_first() -> None:
    new = trained("new", lr="0.1", batch="4", steps="10")
    assert told(new, trained("imagenet", lr="0.2", batch="4", steps="20")) == {
        "lr": ("0.1", "0.2"),
        "steps": ("10", "20"),
    }


def test_settings_that_one_arm_cannot_have_do_not_differ() -> None:
    assert told(trained("new", jitter="0.1"), trained("imagenet")) == {}


def test_settings_are_compared_dataset_by_dataset() -> None:
    new = [trained("new", "a", steps="10"), trained("new", "b", steps="20")]
    same = [trained("imagenet", "b", steps="20"), trained("imagenet", "a", steps="10")]
    assert told(*new, *same) == {}
    swapped = [trained("imagenet", "a", steps="20"), trained("imagenet", "b", steps="10")]
    assert told(*new, *swapped) == {"steps": ("10, 20", "20, 10")}


def test_a_dataset_that_one_arm_lacks_is_no_difference() -> None:
    assert told(trained("new", "a", lr="1"), trained("imagenet", "b", lr="2")) == {}


def test_a_pretraining_of_several_datasets_costs_once() -> None:
    stages = {
        "p": Pretraining("H200", "x", 100),
        "q": Pretraining("H200", "x", 300),
        "r": Pretraining("cpu", "x", 50),
        "unused": Pretraining("cpu", "z", 1),
    }
    new = [trained("new", name, keys=("p", "q")) for name in ("a", "b")]
    ours = [trained("imagenet", name, keys=("r",)) for name in ("a", "b")]
    assert told(*new, *ours, pretrainings=stages) == {
        "pre-training device": ("H200", "cpu"),
        "pre-training CPU-seconds of all runs": ("0", "50"),
        "pre-training GPU-seconds of all runs": ("400", "0"),
    }


def test_seconds_add_up_over_datasets_and_small_differences_are_none() -> None:
    new = [trained("new", name, seconds={"H200": 60, "cpu": 5}) for name in ("a", "b")]
    assert told(
        *new,
        trained("imagenet", "a", seconds={"A100": 100}),
        trained("imagenet", "b", seconds={"H200": 9, "cpu": 8}),
    ) == {"fine-tuning CPU-seconds of all runs": ("10", "8")}


def test_no_time_is_no_difference() -> None:
    assert told(trained("new", seconds={"cpu": 0}), trained("imagenet", seconds={"cpu": 0})) == {}
