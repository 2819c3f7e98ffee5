from __future__ import annotations

from dataclasses import replace

from gpbench.compare.cell import Pair, Replicates, pair
from gpbench.compare.study import Run
from tests.compare.made import pretrained, untrained


def paired(candidate: list[Run], baseline: list[Run]) -> Pair:
    found = pair(Replicates("town", candidate), Replicates("town", baseline))
    assert found is not None
    return found


def test_fine_tunings_of_one_pretraining_are_one_unit() -> None:
    found = paired(pretrained("new", "town", [[1, 3], [5, 7]]), untrained("old", "town", [2, 4]))
    assert found.candidate.units == {0: (1, 3), 1: (5, 7)}
    assert found.candidate.mean == 4


def test_every_run_without_a_pretraining_is_a_unit() -> None:
    found = paired(untrained("new", "town", [2, 4]), untrained("old", "town", [1]))
    assert found.candidate.units == {0: (2,), 1: (4,)}


def test_the_mean_weighs_pretrainings_equally_however_often_they_were_fine_tuned() -> None:
    found = paired(pretrained("new", "town", [[10, 10, 10], 20]), untrained("old", "town", [1]))
    assert found.candidate.mean == 15


def test_backbones_are_averaged_within_a_replicate() -> None:
    both = [
        *pretrained("new", "town", [10, 20], backbone="small"),
        *pretrained("new", "town", [30, 50], backbone="large"),
    ]
    found = paired(both, [replace(run, arm="old") for run in both])
    assert found.backbones == ("large", "small")
    assert [r.value for r in found.candidate.replicates] == [20, 35]


def test_a_backbone_that_only_one_arm_has_is_left_out() -> None:
    new = pretrained("new", "town", [10, 20]) + pretrained("new", "town", [90], backbone="large")
    found = paired(new, pretrained("old", "town", [1, 2]))
    assert found.backbones == ("tiny",)
    assert found.candidate.mean == 15


def test_a_replicate_that_lacks_a_backbone_does_not_lower_the_mean() -> None:
    strong = pretrained("new", "town", [80, 80], backbone="large")
    weak = pretrained("new", "town", [20, 20])
    old = [replace(run, arm="old") for run in strong + weak]
    found = paired(strong[:1] + weak, old)
    assert found.candidate.mean == 50
    assert found.incomplete == (1, 0)


def test_runs_without_a_score_count_for_nothing() -> None:
    new = pretrained("new", "town", [10, 20])
    failed = replace(new[1], value=None, status="oom")
    assert paired([new[0], failed], new).candidate.units == {0: (10,)}


def test_arms_without_a_common_backbone_are_no_pair() -> None:
    one = Replicates("town", untrained("new", "town", [1]))
    other = Replicates("town", untrained("old", "town", [1], backbone="large"))
    assert pair(one, Replicates("town", [])) is None
    assert pair(one, other) is None


def test_a_replicate_knows_the_stages_of_all_its_backbones() -> None:
    both = [
        *pretrained("new", "town", [10], backbone="small"),
        *pretrained("new", "town", [30], backbone="large"),
    ]
    keyed = [replace(run, key=f"stage {run.backbone}") for run in both]
    found = paired(keyed, both)
    assert found.candidate.replicates[0].stages == ("stage small", "stage large")
    assert found.baseline.replicates[0].stages == ()
