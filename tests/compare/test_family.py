from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.evidence import Evidence, Sample
from gpbench.compare.family import corrected
from gpbench.compare.words import Correction
from gpbench.core.errors import InvalidValueError
from gpbench.stats.max_t import sign_flip_max_t
from gpbench.stats.satterthwaite import t_test
from tests.compare.made import pretrained, study_of


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sampled(candidate: list[float], baseline: list[float], arm: str) -> Evidence:
    samples = (Sample(arm, tuple(candidate), 1.0), Sample("old", tuple(baseline), -1.0))
    difference = float(np.mean(candidate) - np.mean(baseline))
    test = t_test(difference, [s.term for s in samples], 0.05)
    return Evidence(difference, "strategy", "", decisive=True, test=test, samples=samples)


OLD = [50.0, 51.0, 53.0]


def test_max_t_uses_that_contrasts_share_their_baseline() -> None:
    same = [sampled([52.5, 53.5, 55.0], OLD, arm) for arm in ("a", "b", "c")]
    other = [
        replace(e, samples=(e.samples[0], replace(e.samples[1], name=f"old {at}")))
        for at, e in enumerate(same)
    ]
    holm = corrected(same, "holm", 0.05, rng()).p[0]
    shared = corrected(same, "max-t", 0.05, rng())
    apart = corrected(other, "max-t", 0.05, rng()).p[0]
    assert shared.p[0] < apart < holm
    assert 0 < shared.se[0] < 0.01


def test_a_member_without_a_test_has_1_and_changes_nothing() -> None:
    tested, nothing = sampled([55, 56, 58], OLD, "a"), Evidence(1.0, "strategy", "no")
    alone, both = (corrected(f, "max-t", 0.05, rng()) for f in ([tested], [nothing, tested]))
    assert both.p == (1.0, alone.p[0])


def test_where_datasets_are_the_units_their_signs_are_flipped() -> None:
    gains = {"a": (1.0, 2.0, 3.0, 1.5), "b": (0.5, -0.2, 0.4, 0.1)}
    names = ("w", "x", "y", "z")
    family = [
        Evidence(
            0.0, "strategy", "", decisive=True, test=sampled([1, 2, 3], OLD, arm).test,
            gains=tuple(zip(names, own, strict=True)),
        )
        for arm, own in gains.items()
    ]  # fmt: skip
    flipped = sign_flip_max_t(np.array(list(gains.values())).T, rng())
    found = corrected(family, "max-t", 0.05, rng()).p
    own = [e.test.p for e in family if e.test]
    assert found == tuple(max(pair) for pair in zip(own, flipped, strict=True))


def test_an_outlier_that_flips_do_not_mind_is_not_significant() -> None:
    gains = (0.10, 0.12, 0.13, 0.14, 0.15, 0.16, 0.11, 10.0)
    study = study_of(
        run
        for at, gain in enumerate(gains)
        for arm, more in (("imagenet", 0.0), ("new", gain))
        for run in pretrained(arm, f"d{at}", [50 + more, 51 + more, 53 + more], stem=at)
    )
    (scoped,) = compare(study, Request(correction="max-t")).contrasts[0].scopes
    assert (scoped.finding.p_adjusted or 0) >= (scoped.finding.p or 1) > 0.05
    assert scoped.finding.verdict == "inconclusive"


@pytest.mark.parametrize("correction", ["holm", "max-t", "bh"])
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_no_adjusted_p_is_below_its_own(correction: Correction, data: st.DataObject) -> None:
    value = st.floats(20, 80).map(lambda x: round(x, 2))
    study = study_of(
        run
        for arm in ("imagenet", "a", "b")
        for name in ("town", "field", "coast")
        for run in pretrained(arm, name, data.draw(st.lists(value, min_size=3, max_size=3)))
    )
    for contrast in compare(study, Request(correction=correction)).contrasts:
        scoped = [each.finding for each in contrast.scopes]
        for found in (contrast.finding, *(row.finding for row in contrast.rows), *scoped):
            assert found.p is None or (found.p_adjusted or 0) >= found.p * (1 - 1e-12)


def several(candidate: list[float]) -> Comparison:
    runs = [
        *pretrained("imagenet", "town", [50, 51, 53]),
        *pretrained("imagenet[inflate=mean]", "town", [52, 53, 55]),
        *pretrained("new", "town", candidate),
    ]
    baselines = ("imagenet", "imagenet[inflate=mean]")
    return compare(study_of(runs), Request(baselines=baselines))


def test_the_best_of_several_baselines_is_met_and_all_are_shown() -> None:
    found = several([56, 58, 57])
    (contrast,) = found.contrasts
    assert (contrast.candidate, contrast.baseline) == ("new", "imagenet[inflate=mean]")
    assert found.correction == "max-t"
    assert found.family.headline == 2
    assert [a.baseline for a in contrast.against] == ["imagenet", "imagenet[inflate=mean]"]
    assert contrast.against[1].finding == contrast.finding


def test_to_be_worse_than_the_best_baseline_is_corrected_for_its_choice() -> None:
    (contrast,) = several([49, 50, 51]).contrasts
    finding = contrast.finding
    assert (finding.difference or 0) < 0
    assert (finding.p_adjusted or 0) > 1.2 * (finding.p or 1)


def test_baselines_are_compared_on_datasets_that_all_have() -> None:
    study = study_of(
        [
            *pretrained("a", "town", [50, 51, 53]),
            *pretrained("a", "field", [90, 91, 93]),
            *pretrained("b", "town", [60, 61, 63]),
            *pretrained("new", "town", [56, 58, 57]),
            *pretrained("new", "field", [96, 98, 97]),
        ]
    )
    found = compare(study, Request(baselines=("a", "b")))
    (contrast,) = found.contrasts
    assert contrast.baseline == "b"  # a's mean is higher only with the field
    assert [row.dataset.name for row in contrast.rows] == ["town"]
    assert any("left out" in warning and "field" in warning for warning in found.warnings)


def test_baselines_are_compared_with_backbones_that_all_have() -> None:
    runs = [
        *pretrained("new", "town", [59, 60, 61], backbone="r18"),
        *pretrained("new", "town", [79, 80, 81], backbone="r50"),
        *pretrained("a", "town", [58, 59, 60], backbone="r18"),
        *pretrained("b", "town", [49, 50, 51], backbone="r18"),
        *pretrained("b", "town", [78, 79, 80], backbone="r50"),
    ]
    (contrast,) = compare(study_of(runs), Request(baselines=("a", "b"))).contrasts
    assert contrast.baseline == "a"
    assert contrast.finding.difference == pytest.approx(1)
    assert contrast.rows[0].backbones == ("r18",)


def test_readings_of_diverged_runs_are_of_the_same_datasets() -> None:
    runs = [
        *pretrained("a", "town", [50, 51, 52]),
        *pretrained("b", "town", [40, 41, 42]),
        *pretrained("new", "town", [60, 61, 62, 61]),
        *pretrained("a", "field", [90, 91, 92]),
        *pretrained("new", "field", [60, 61, 62]),
    ]
    lost = [
        replace(r, value=None, status="diverged") if (r.arm, r.pretrain_seed) == ("new", 3) else r
        for r in runs
    ]
    (contrast,) = compare(study_of(lost), Request(baselines=("a", "b"))).contrasts
    assert contrast.sensitivity is not None
    assert contrast.sensitivity.worst.difference == pytest.approx((60 + 61 + 62 + 40) / 4 - 51)


def test_the_best_baseline_needs_max_t() -> None:
    study = study_of(pretrained("a", "t", [1, 2]) + pretrained("b", "t", [1, 3]))
    study = replace(study, arms=(*study.arms, "new"))
    with pytest.raises(InvalidValueError, match="--correction"):
        compare(study, Request(("new",), baselines=("a", "b"), correction="holm"))
