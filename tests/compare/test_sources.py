from __future__ import annotations

from dataclasses import replace

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Contrast, Request, Sources
from gpbench.compare.images import ImageScope
from gpbench.compare.sources import ARMS_SHARE, sources
from gpbench.compare.study import Study
from gpbench.stats.shares import VarianceShares
from tests.compare.made import pretrained, study_of, untrained


def two_by_two(*, stems: tuple[int, int] = (3, 3)) -> Study:
    """Return two arms on two datasets, 3 pre-trainings with 2 fine-tunings each."""
    town = [[10, 12], [14, 16], [18, 20]]
    farm = [[20, 22], [24, 26], [28, 30]]
    runs = [
        run
        for arm, gain in (("imagenet", 0), ("new", 1))
        for dataset, scores, stem in (("town", town, stems[0]), ("farm", farm, stems[1]))
        for run in pretrained(arm, dataset, [[v + gain for v in u] for u in scores], stem=stem)
    ]
    return study_of(runs)


def variances(study: Study) -> dict[str, float]:
    found = sources(study, 1.0, ()).found
    assert isinstance(found, VarianceShares)
    return {share.source: share.variance for share in found.shares}


def test_pretraining_and_finetuning_are_told_apart() -> None:
    found = variances(two_by_two())
    assert found["fine-tuning"] == pytest.approx(2)  # of a, a + 2
    assert found["pre-training"] == pytest.approx(16 - 2 / 2)  # of the means 11, 15, 19
    assert found["strategy x dataset"] == 0


def test_the_error_that_datasets_share_is_no_interaction() -> None:
    # a gain of 4 on one dataset only; the pre-trainings' error is in both or in neither
    def widened(study: Study) -> Study:
        moved = (
            replace(r, value=r.value + 4)
            if r.arm == "new" and r.dataset == "farm" and r.value
            else r
            for r in study.runs
        )
        return replace(study, runs=tuple(moved))

    shared, apart = (variances(widened(two_by_two(stems=s))) for s in ((3, 3), (3, 4)))
    # half the squared double difference, less what the two cells' noise adds to it
    assert shared["strategy x dataset"] == pytest.approx(4 - 2 / 6 + (16 - 15) / 3)
    assert apart["strategy x dataset"] == 0


def test_a_dataset_that_an_arm_lacks_is_left_out() -> None:
    extra = untrained("new", "shore", [1, 2])
    found = sources(study_of([*two_by_two().runs, *extra]), 1.0, ())
    assert (found.datasets, found.arms) == (("town", "farm"), ("imagenet", "new"))
    assert isinstance(found.found, VarianceShares)


def test_a_backbone_that_an_arm_lacks_is_left_out() -> None:
    extra = pretrained("new", "town", [1, 2], backbone="large")
    found = sources(study_of([*two_by_two().runs, *extra]), 1.0, ())
    assert found.backbones == ("tiny",)
    assert isinstance(found.found, VarianceShares)


def test_one_dataset_tells_the_reason() -> None:
    study = two_by_two()
    one = study_of([run for run in study.runs if run.dataset == "town"])
    assert "2 datasets and 2 arms" in str(sources(one, 1.0, ()).found)
    (found,) = compare(one, Request()).sources
    assert "2 datasets and 2 arms" in str(found.found)


def test_test_images_come_from_the_claims_about_new_images() -> None:
    study = two_by_two()
    comparison = compare(study, Request())
    scope = ImageScope(
        difference=1.0,
        ci=(0.0, 2.0),
        se=2.0,
        df=5.0,
        p=0.5,
        clusters=9,
        draws=1000,
        se_cluster=3.0,
        jackknife_se=3.0,
        percentile=None,
        swap_p=None,
        classes=(),
        warnings=(),
    )
    contrast = comparison.contrasts[0]
    rows = tuple(replace(row, images=scope) for row in contrast.rows)
    found = sources(study, 1.0, [replace(contrast, rows=rows)])
    assert _images(found) == pytest.approx(9 / 2)
    other: Contrast = replace(contrast, rows=rows, label_fraction=0.1)
    assert _images(sources(study, 1.0, [other])) is None


def _images(found: Sources) -> float | None:
    assert isinstance(found.found, VarianceShares)
    return {s.source: s.variance for s in found.found.shares}.get("test images")


def test_arms_that_share_pretrainings_are_named() -> None:
    study = two_by_two()
    shared = study_of(replace(r, pretrain_key=str(r.pretrain_key)[-1]) for r in study.runs)
    assert ARMS_SHARE not in _unknown(study)
    assert ARMS_SHARE in _unknown(shared)


def _unknown(study: Study) -> tuple[str, ...]:
    found = sources(study, 1.0, ()).found
    assert isinstance(found, VarianceShares)
    return found.unknown
