from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pytest

from gpbench.core.errors import ComparisonError
from gpbench.stats.shares import Sampled, Share, VarianceShares, variance_shares
from tests.stats.oracles import oracle

SOURCES = ("dataset", "strategy x dataset", "strategy x backbone", "strategy x dataset x backbone")


def flat(table: Sequence[Sequence[Sequence[float]]]) -> list[list[list[Sampled]]]:
    """Return a table (dataset, strategy, run) of arms that pre-train nothing, one backbone."""
    return [[[Sampled({"": runs})] for runs in arms] for arms in table]


def by_source(found: VarianceShares) -> dict[str, Share]:
    return {share.source: share for share in found.shares}


def test_the_published_table() -> None:
    case = oracle("33_end_to_end_dataset_level")
    found = variance_shares(flat(case["inputs"]["miou"]))
    expected, shares = case["computed"]["var_components_ems"], by_source(found)
    assert shares["fine-tuning"].variance == pytest.approx(expected["seed"], rel=1e-9)
    interaction = shares["strategy x dataset"]
    assert interaction.variance == pytest.approx(expected["strategy_x_dataset"], rel=1e-9)
    by_reml = case["computed"]["mixedlm_by_optimiser"]["nm"]["var_dataset"]
    assert shares["dataset"].variance == pytest.approx(by_reml, rel=1e-4)
    assert found.negative == ()
    assert interaction.of_gain == pytest.approx(0.384, abs=1e-3)
    assert shares["fine-tuning"].of_gain == pytest.approx(0.616, abs=1e-3)
    assert shares["dataset"].of_gain is None


def test_effects_of_a_cube_without_chance_by_hand() -> None:
    # signs: 3 for the dataset, 2 for either interaction of two, 1 for that of all three
    table = [
        [
            [
                Sampled({"": [50 + 3 * d + 2 * d * s + 2 * s * b + d * s * b] * 2})
                for b in (-1.0, 1.0)
            ]
            for s in (-1.0, 1.0)
        ]
        for d in (-1.0, 1.0)
    ]
    found = {name: share.variance for name, share in by_source(variance_shares(table)).items()}
    both = 8 * 1  # eight squares of 1, over one degree of freedom
    by_dataset, by_backbone = 4 * 4 - both / 2, 4 * 4 - both / 2  # of means over two
    dataset = 2 * 9 - (by_dataset + both) / 2  # of means over two arms
    assert found == {
        "dataset": pytest.approx(dataset),
        "strategy x dataset": pytest.approx(by_dataset),
        "strategy x backbone": pytest.approx(by_backbone),
        "strategy x dataset x backbone": pytest.approx(both),
        "fine-tuning": 0,
    }


def test_a_negative_variance_is_0_and_named() -> None:
    # every cell has the same mean: whatever varies is the seed
    found = variance_shares(flat([[[1, 3], [3, 1]], [[0, 4], [2, 2]]]))
    shares = by_source(found)
    assert (shares["dataset"].variance, shares["strategy x dataset"].variance) == (0, 0)
    assert set(found.negative) == {"dataset", "strategy x dataset"}
    assert shares["fine-tuning"].variance == pytest.approx(3)
    assert (shares["strategy x dataset"].of_gain, shares["fine-tuning"].of_gain) == (0, 1)


def test_shares_are_unknown_where_nothing_varies() -> None:
    found = variance_shares(flat([[[1, 1], [1, 1]], [[1, 1], [1, 1]]]))
    assert {(s.variance, s.of_score, s.of_gain) for s in found.shares} == {(0, None, None)}


def test_one_run_of_each_cannot_be_told_apart() -> None:
    with pytest.raises(ComparisonError, match="chance cannot be told"):
        variance_shares(flat([[[1], [3]], [[0], [2]]]))


@pytest.mark.parametrize("table", [flat([[[1, 2], [3, 4]]]), flat([[[1, 2]], [[3, 4]]])])
def test_one_dataset_or_arm_is_not_enough(table: list[list[list[Sampled]]]) -> None:
    with pytest.raises(ComparisonError, match="2 datasets and 2 arms"):
        variance_shares(table)


def test_a_gap_is_refused() -> None:
    with pytest.raises(ComparisonError, match="a score of every arm"):
        variance_shares(flat([[[1, 2], [3, 4]], [[1, 2], []]]))


def test_test_images_have_a_part_in_gains_only() -> None:
    table = flat([[[1, 3], [3, 1]], [[0, 4], [2, 2]]])
    found = variance_shares(table, images=6.0)
    share = by_source(found)["test images"]
    assert (share.variance, share.of_score) == (3, None)
    assert share.of_gain == pytest.approx(0.5)
    assert not any("test images" in sentence for sentence in found.unknown)
    assert any("test images" in sentence for sentence in variance_shares(table).unknown)


def test_what_test_images_add_is_no_interaction_as_well() -> None:
    # an arm's luck with a dataset's images is one draw, as its interaction with the dataset is
    table = flat(oracle("33_end_to_end_dataset_level")["inputs"]["miou"])
    without, given = (by_source(variance_shares(table, images)) for images in (None, 0.2))
    interaction = without["strategy x dataset"].variance
    assert given["strategy x dataset"].variance == pytest.approx(interaction - 0.1)
    assert given["test images"].variance == pytest.approx(0.1)
    assert given["dataset"].variance == without["dataset"].variance


def test_what_a_design_cannot_tell_is_said() -> None:
    one_each = [
        [[Sampled({p: [float(p + d)] for p in (1, 2)}, pretrains=True)] for _ in range(2)]
        for d in range(2)
    ]
    told = variance_shares(one_each)
    assert "fine-tuning" not in by_source(told)
    assert any(s.startswith("fine-tuning") and "within pre-training" in s for s in told.unknown)


def single(names: Sequence[str], *, pretrains: bool = True) -> list[list[list[Sampled]]]:
    """Return two arms, each with one pre-training per dataset, named so, and two fine-tunings."""
    runs = [[[1.0, 2.0 + d], [4.0, 4.0 - s]] for d, s in ((0, 1), (3, 2), (1, 5))]
    return [
        [[Sampled({f"{arm} {name}": of_arm}, pretrains)] for arm, of_arm in enumerate(of_dataset)]
        for name, of_dataset in zip(names, runs, strict=True)
    ]


@pytest.mark.parametrize(
    ("names", "where"),
    [
        ("abc", ["strategy x dataset"]),
        ("aaa", ["the level of its arm, which no share has"]),
        ("aab", ["strategy x dataset", "the level of its arm, which no share has"]),
    ],
)
def test_where_the_part_of_single_pretrainings_is_goes_by_what_they_serve(
    names: str, where: list[str]
) -> None:
    told = variance_shares(single(names))
    assert "pre-training" not in by_source(told)
    (sentence,) = (s for s in told.unknown if s.startswith("pre-training"))
    assert sentence.endswith(f"its part is within {' and '.join(where)}")


def test_with_several_backbones_single_pretrainings_are_within_their_interactions() -> None:
    def sentence(names: str) -> str:
        table = [[arm * 2 for arm in arms] for arms in single(names)]
        return next(s for s in variance_shares(table).unknown if s.startswith("pre-training"))

    assert sentence("abc").endswith("its part is within strategy x dataset x backbone")
    assert sentence("aaa").endswith("its part is within strategy x backbone")


def test_runs_that_tell_of_no_pretraining_are_not_said_to_have_one() -> None:
    told = variance_shares(single("abc", pretrains=False))
    assert (
        "pre-training: no run tells of one; where there was one its part is within fine-tuning"
        in (told.unknown)
    )


def simulated(rng: np.random.Generator, *, shared: bool) -> VarianceShares:
    """Return the shares of one drawn experiment of known variances, 6 x 3 x 4, 3 x 2 runs."""
    datasets, arms, backbones = rng.normal(0, 3, 6), np.zeros(3), range(4)
    by_dataset = rng.normal(0, 1, (6, 3))
    by_backbone, by_both = rng.normal(0, 0.8, (3, 4)), rng.normal(0, 0.6, (6, 3, 4))
    common = rng.normal(0, 0.9, (3, 4, 3))
    table = []
    for d in range(6):
        of_dataset = []
        for s in range(3):
            cells = []
            for b in backbones:
                pre = common[s, b] if shared else rng.normal(0, 0.9, 3)
                level = datasets[d] + arms[s] + by_dataset[d, s] + by_backbone[s, b]
                runs = level + by_both[d, s, b] + pre[:, None] + rng.normal(0, 0.5, (3, 2))
                names = [f"{s}/{b}/{p}" if shared else f"{d}/{s}/{b}/{p}" for p in range(3)]
                units: dict[Hashable, list[float]] = dict(zip(names, runs.tolist(), strict=True))
                cells.append(Sampled(units, pretrains=True))
            of_dataset.append(cells)
        table.append(of_dataset)
    return variance_shares(table)


@pytest.mark.parametrize("shared", [False, True])
def test_simulated_variances_are_found_again(shared: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(7)
    expected = {
        **dict(zip(SOURCES, (9, 1, 0.64, 0.36), strict=True)),
        "pre-training": 0.81,
        "fine-tuning": 0.25,
    }
    drawn = [by_source(simulated(rng, shared=shared)) for _ in range(300)]
    assert list(drawn[0]) == list(expected)
    for source, variance in expected.items():
        values = np.array([found[source].variance for found in drawn])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert values.mean() == pytest.approx(variance, abs=4 * error), source
        assert error < 0.1 * variance
