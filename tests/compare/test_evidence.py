from __future__ import annotations

import math

import numpy as np
import pytest

from gpbench.compare.cell import Cell, Replicate
from gpbench.compare.evidence import Evidence, Side, grouped, weigh
from gpbench.compare.words import Level

Values = list[list[float]]
"""Per pre-training, the scores of its fine-tunings."""


def cell(dataset: str, values: Values, stem: int = 3, arm: str = "new") -> Cell:
    return Cell(
        dataset,
        tuple(
            Replicate(p, f, frozenset({f"{arm} {stem} {p}"}), value, None)
            for p, fine_tunings in enumerate(values)
            for f, value in enumerate(fine_tunings)
        ),
    )


def plain(dataset: str, values: list[float]) -> Cell:
    replicates = (Replicate(None, f, frozenset(), v, None) for f, v in enumerate(values))
    return Cell(dataset, tuple(replicates))


def weighed(a: Values, b: Values, asked: Level | None = None, candidate: str = "new") -> Evidence:
    return weigh(
        Side(candidate, (cell("town", a),)), Side("old", (cell("town", b, arm="old"),)), asked, 0.05
    )


def names(groups: list[tuple[Cell, ...]]) -> list[set[str]]:
    return [{member.dataset for member in group} for group in groups]


def test_the_unit_is_the_mean_of_a_pretraining() -> None:
    # means 1, 2, 3 and 2, 4, 6: Welch by hand gives V = 1/3 + 4/3
    found = weighed([[0, 2], [1, 3], [2, 4]], [[1, 3], [3, 5], [5, 7]])
    assert found.difference == -2
    assert found.test is not None
    assert found.test.se == pytest.approx(math.sqrt(5 / 3))
    assert found.test.df == pytest.approx(50 / 17)
    assert (found.level, found.decisive, found.method, found.reason) == (
        "strategy", True, "welch", "",
    )  # fmt: skip


def test_two_pretrainings_give_an_interval_and_no_verdict() -> None:
    found = weighed([[10], [11]], [[1], [2], [3]])
    assert found.test is not None
    assert not found.decisive
    assert found.reason == "new has 2 pre-trainings: enough for an interval, a verdict needs 3"


def test_one_pretraining_can_only_show_checkpoints() -> None:
    found = weighed([[10, 11, 12]], [[1, 2, 4]])
    assert found.test is not None
    # Welch over the fine-tunings: variances 1 and 7/3, three each
    assert found.test.se == pytest.approx(math.sqrt(1 / 3 + 7 / 9))
    assert (found.level, found.decisive) == ("checkpoint", True)
    assert found.reason == "new and old each have 1 pre-training"


def test_one_arm_with_one_pretraining_makes_it_a_statement_about_checkpoints() -> None:
    found = weighed([[10], [11], [12]], [[1, 2, 4]])
    assert found.level == "checkpoint"
    assert found.test is not None
    assert found.test.se == pytest.approx(math.sqrt(1 / 3 + 7 / 9))


def test_asked_for_strategies_one_pretraining_gives_no_test() -> None:
    found = weighed([[10, 11, 12]], [[1], [2], [4]], "strategy")
    assert (found.level, found.test, found.difference) == ("strategy", None, 11 - 7 / 3)
    assert found.reason == "new has 1 pre-training: an interval needs 2, a verdict 3"


def test_asked_for_checkpoints_only_fine_tunings_vary() -> None:
    # two fixed models an arm, each fine-tuned twice: (1/2)^2 * (1/2 s^2) twice, s^2 = 2 and 8
    found = weighed([[0, 2], [50, 52]], [[0, 4], [30, 34]], "checkpoint")
    assert found.test is not None
    assert found.test.se == pytest.approx(math.sqrt(2 * (1 / 4) * 2 / 2 + 2 * (1 / 4) * 8 / 2))
    assert (found.level, found.decisive, found.method) == ("checkpoint", True, "satterthwaite")
    assert found.a12 is None


def test_one_fine_tuning_of_one_pretraining_shows_nothing_but_the_difference() -> None:
    found = weighed([[10]], [[1, 2, 3]])
    assert (found.level, found.test, found.difference) == ("checkpoint", None, 8)
    assert "new has 1 pre-training, fine-tuned once: seed variance is unknown" in found.reason


def test_without_a_pretraining_every_run_speaks_for_the_strategy() -> None:
    sides = (Side("new", (plain("town", [4, 5, 6]),)), Side("old", (plain("town", [1, 2, 3]),)))
    found = weigh(*sides, None, 0.05)
    assert (found.level, found.decisive, found.a12) == ("strategy", True, 1.0)


def test_identical_values_on_both_sides_are_no_test() -> None:
    found = weighed([[10], [10], [10]], [[1], [1], [1]])
    assert (found.test, found.difference) == (None, 9)
    assert found.reason == "all differences are identical (sd = 0): is the seed used? No test."


def test_an_arm_whose_values_never_vary_is_named() -> None:
    assert weighed([[10], [10], [10]], [[1], [2], [3]]).constant == "new"
    assert weighed([[10], [11], [10]], [[1], [2], [3]]).constant is None


def test_datasets_that_share_pretrainings_are_one_group() -> None:
    cells = [cell("isaid", [[1]], 3), cell("mfnet", [[1]], 4), cell("pst900", [[1]], 4)]
    assert names(grouped(cells)) == [{"isaid"}, {"mfnet", "pst900"}]


def test_sharing_through_a_third_dataset_is_sharing() -> None:
    first, second = cell("a", [[1]], 3), cell("b", [[1]], 4)
    both = Cell("c", first.replicates + second.replicates)
    assert names(grouped([first, second, both])) == [{"a", "b", "c"}]


def test_runs_without_pretrainings_are_a_group_each() -> None:
    assert names(grouped([plain("a", [1]), plain("b", [1])])) == [{"a"}, {"b"}]


def test_the_suites_variance_has_one_term_per_group() -> None:
    # new: one group of two, unit means 1, 2, 3 -> 1 * 1/3; old: two groups of weight 1/2,
    # variances 1 and 4 -> 1/4 * 1/3 + 1/4 * 4/3
    new = Side("new", (cell("a", [[0], [1], [2]]), cell("b", [[2], [3], [4]])))
    old = Side(
        "old",
        (cell("a", [[0], [1], [2]], 3, "old"), cell("b", [[0], [2], [4]], 4, "old")),
    )
    found = weigh(new, old, None, 0.05)
    parts = (1 / 3, 1 / 12, 1 / 3)
    assert found.difference == pytest.approx(2 - 1.5)
    assert found.test is not None
    assert found.test.se == pytest.approx(math.sqrt(sum(parts)))
    assert found.test.df == pytest.approx(sum(parts) ** 2 / sum(v**2 / 2 for v in parts))
    assert found.method == "satterthwaite"


def test_a_shared_pretraining_that_lacks_a_dataset_is_no_unit_of_the_group() -> None:
    new = Side("new", (cell("a", [[0], [1], [2]]), cell("b", [[2], [3]])))
    old = Side("old", (plain("a", [1, 2, 3]), plain("b", [1, 2, 3])))
    found = weigh(new, old, None, 0.05)
    assert found.difference == pytest.approx((1 + 2.5) / 2 - 2)
    assert not found.decisive
    assert found.reason.startswith("new has 2 pre-trainings with results on all of a, b: ")


def rejections(draws: int, values: float, seed: int, *, pooled: bool = False) -> float:
    """Return how often equal strategies are told apart: sd 1 a fine-tuning, `values` a model."""
    rng = np.random.default_rng(seed)
    count = 0
    for _ in range(draws):
        arms = [rng.normal(0, values, (3, 1)) + rng.normal(0, 1, (3, 5)) for _ in range(2)]
        shaped = [arm.reshape(-1, 1) if pooled else arm for arm in arms]
        found = weighed(shaped[0].tolist(), shaped[1].tolist())
        assert found.test is not None
        count += found.test.p < 0.05
    return count / draws


def test_pretraining_means_keep_the_promised_error_rate_and_pooled_runs_do_not() -> None:
    assert rejections(1500, 0.5, seed=1) < 0.055
    assert rejections(1500, 0.5, seed=1, pooled=True) > 0.12


def suite_rejections(draws: int, seed: int, *, grouped_by_stem: bool) -> float:
    """Return how often equal strategies differ on four datasets that share 3 pre-trainings."""
    rng = np.random.default_rng(seed)
    count = 0
    for _ in range(draws):
        sides = []
        for arm in ("new", "old"):
            model = rng.normal(0, 0.5, 3)
            runs = model[None, :, None] + rng.normal(0, 1, (4, 3, 3))
            cells = (
                cell(f"d{d}", values.tolist(), 3 if grouped_by_stem else d, arm)
                for d, values in enumerate(runs)
            )
            sides.append(Side(arm, tuple(cells)))
        found = weigh(sides[0], sides[1], None, 0.05)
        assert found.test is not None
        count += found.test.p < 0.05
    return count / draws


def test_a_shared_pretraining_counted_once_per_dataset_would_find_gains_in_noise() -> None:
    assert suite_rejections(800, 2, grouped_by_stem=True) < 0.065
    assert suite_rejections(800, 2, grouped_by_stem=False) > 0.12


def test_equal_values_of_other_datasets_are_other_samples() -> None:
    sides = [
        Side(
            arm, tuple(cell(name, [[1, 2, 4]], at, arm) for at, name in enumerate(("town", "sea")))
        )
        for arm in ("new", "old")
    ]
    found = weigh(sides[0], sides[1], None, 0.05)
    assert len(found.samples) == 4
    assert len({(sample.name, sample.values) for sample in found.samples}) == 4
