from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpbench.core.errors import ComparisonError
from gpbench.stats.correction import holm
from gpbench.stats.max_t import Member, Spread, max_t, sign_flip_max_t
from gpbench.stats.satterthwaite import two_sided_p
from gpbench.stats.sign_flip import floor, sign_flip_p
from tests.stats.oracles import oracle

cells = st.integers(-30, 30).map(lambda x: x / 10)
tables = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(cells, min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    ).map(np.array)
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def against_a_baseline(p: list[float], n: int = 5) -> tuple[list[Member], dict[str, Spread]]:
    members = [Member(value, {"base": -1.0, f"arm{i}": 1.0}) for i, value in enumerate(p)]
    names = ["base", *(f"arm{i}" for i in range(len(p)))]
    return members, dict.fromkeys(names, Spread(1.0, n))


def by_t(table: NDArray[np.float64]) -> list[float]:
    """Step-down max |t| as the definition says, with the t of every flipped table."""
    n, m = table.shape

    def statistic(flipped: NDArray[np.float64]) -> NDArray[np.float64]:
        t: NDArray[np.float64] = np.abs(flipped.mean(0)) / flipped.std(0, ddof=1) * np.sqrt(n)
        return t

    observed = statistic(table)
    flips = [statistic(table * np.array(s)[:, None]) for s in itertools.product((1, -1), repeat=n)]
    order = np.argsort(-observed)
    adjusted, last = [0.0] * m, 0.0
    for rank, j in enumerate(order):
        largest = np.array([flip[order[rank:]].max() for flip in flips])
        last = max(last, float(np.mean(largest >= observed[j] * (1 - 1e-9))))
        adjusted[j] = last
    return adjusted


def test_two_contrasts_by_hand() -> None:
    # three gains of 6 / sqrt(3 * 14) = .93 in column 0: +++ and --- reach it there, ++- and --+ in
    # column 1, whose three equal values have 3 / sqrt(3 * 3) = 1. Every pattern reaches column 1's
    # own 1 / 3
    assert sign_flip_max_t([[1, 1], [2, 1], [3, -1]], rng()) == (4 / 8, 1)


def test_contrasts_that_move_together_cost_nothing() -> None:
    gains = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 4.0])
    table = np.column_stack([gains, 2 * gains, 3 * gains])
    assert sign_flip_max_t(table, rng()) == (floor(6),) * 3
    assert holm([floor(6)] * 3)[0] == 3 * floor(6)


def test_a_random_table_agrees_with_the_definition_by_t() -> None:
    table = np.random.default_rng(5).normal(0.5, 1, (7, 4))
    assert sign_flip_max_t(table, rng()) == pytest.approx(by_t(table))


def test_one_contrast_is_the_sign_flip_test_of_the_oracle() -> None:
    for contrast in oracle("33_end_to_end_dataset_level")["computed"]["contrasts"].values():
        column = np.array(contrast["per_dataset"])[:, np.newaxis]
        assert sign_flip_max_t(column, rng()) == (contrast["signflip_p"],)


@settings(max_examples=50)
@given(tables)
def test_adjusted_p_is_at_least_the_own_one_and_keeps_the_floor(table: NDArray[np.float64]) -> None:
    adjusted = sign_flip_max_t(table, rng())
    for column, p in zip(table.T, adjusted, strict=True):
        assert floor(len(table)) <= sign_flip_p(column, rng()) <= p <= 1


@settings(max_examples=50)
@given(tables)
def test_sides_and_order_change_no_adjusted_p(table: NDArray[np.float64]) -> None:
    adjusted = sign_flip_max_t(table, rng())
    assert sign_flip_max_t(-table, rng()) == adjusted
    assert sign_flip_max_t(table[::-1, ::-1], rng()) == adjusted[::-1]


def test_an_identical_contrast_gets_one_and_a_constant_gain_the_floor() -> None:
    # sd 0: t would be infinite; all signs equal are 2 of 16 patterns
    assert sign_flip_max_t(np.array([[0.0, 5.0]] * 4), rng()) == (1, 2 / 16)


def test_drawn_flips_agree_with_counted_ones() -> None:
    table = np.random.default_rng(2).normal(0.35, 1, (17, 3))
    exact = sign_flip_max_t(table, rng())
    drawn = sign_flip_max_t(np.vstack([table, np.zeros((1, 3))]), rng())
    assert drawn == pytest.approx(exact, abs=0.006)  # 4 standard errors of 100,000 draws
    assert drawn != exact


def test_a_gap_in_the_table_is_refused() -> None:
    with pytest.raises(ComparisonError, match="NaN"):
        sign_flip_max_t(np.array([[1.0, 2.0], [3.0, np.nan]]), rng())


def test_an_empty_family_is_empty() -> None:
    assert sign_flip_max_t(np.empty((3, 0)), rng()) == ()
    assert max_t([], {}, rng(), alpha=0.05).p == ()


def test_dunnetts_critical_value_is_found() -> None:
    # Dunnett 1964, table of two-sided 5 % points: 2.21 for two treatments and infinite degrees
    members, samples = against_a_baseline([two_sided_p(2.212, 1e6)] * 2, n=100_000)
    found = max_t(members, samples, rng(), alpha=0.05)
    assert found.draws == 100_000  # so near to 0.05, more are drawn
    assert found.p[0] == pytest.approx(0.05, abs=4 * found.se[0])
    assert found.se[0] == pytest.approx((0.05 * 0.95 / 100_000) ** 0.5, rel=0.05)


def test_one_contrast_keeps_the_p_of_welchs_t() -> None:
    # Welch's t of 5 against 5 equal variances holds its level to about a tenth
    members, samples = against_a_baseline([0.2])
    found = max_t(members, samples, rng(), alpha=0.05)
    assert found.p[0] == pytest.approx(0.2, rel=0.1)
    assert found.draws == 10_000


def test_contrasts_with_a_shared_baseline_cost_less_than_holm_and_more_than_nothing() -> None:
    raw = [0.02, 0.02, 0.02, 0.02]
    members, samples = against_a_baseline(raw, n=10)
    for adjusted, own, by_holm in zip(
        max_t(members, samples, rng(), alpha=0.05).p, raw, holm(raw), strict=True
    ):
        assert own * 2 < adjusted < by_holm


def test_contrasts_without_a_common_sample_cost_what_independent_ones_do() -> None:
    members = [Member(0.01, {f"a{i}": 1.0, f"b{i}": -1.0}) for i in range(3)]
    samples = {f"{side}{i}": Spread(2.0, 1000) for side in "ab" for i in range(3)}
    found = max_t(members, samples, rng(), alpha=0.05)
    assert found.p[0] == pytest.approx(1 - 0.99**3, abs=4 * found.se[0])


def test_contrasts_whose_chance_is_all_the_baselines_cost_nothing() -> None:
    # 10 units of the baseline against 100,000 of each arm: both contrasts have the same error
    members, samples = against_a_baseline([0.2, 0.2], n=100_000)
    samples["base"] = Spread(1.0, 10)
    found = max_t(members, samples, rng(), alpha=0.05)
    assert found.p[0] == pytest.approx(0.2, abs=4 * found.se[0])


def test_names_decide_nothing_but_the_order_of_the_draws() -> None:
    # in the order of the names, not of their hashes, which differ from run to run
    members, samples = against_a_baseline([0.01, 0.04, 0.2])
    renamed = {f"x{name}": Spread(spread.variance, spread.n) for name, spread in samples.items()}
    same = [Member(m.p, {f"x{name}": w for name, w in m.weights.items()}) for m in members]
    assert max_t(same, renamed, rng(), alpha=0.5) == max_t(members, samples, rng(), alpha=0.5)


def test_the_last_step_corrects_for_nothing_left() -> None:
    members, samples = against_a_baseline([1e-6, 1e-6, 0.3], n=50)
    found = max_t(members, samples, rng(), alpha=0.05).p
    assert found[2] == pytest.approx(0.3, abs=0.02)
    assert found[0] == 1 / 10_001  # no draw reaches it: never 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=5))
def test_adjusted_p_is_monotone_at_least_the_own_one_and_free_of_order(raw: list[float]) -> None:
    members, samples = against_a_baseline(raw)
    found = max_t(members, samples, rng(), alpha=0.9, draws=500).p
    in_order = [p for _, p in sorted(zip(raw, found, strict=True))]
    assert in_order == sorted(in_order)
    assert all(own <= p <= 1 for own, p in zip(raw, found, strict=True))
    reverse = dict(reversed(samples.items()))
    assert max_t(members[::-1], reverse, rng(), alpha=0.9, draws=500).p == pytest.approx(
        found[::-1]
    )


def test_swapping_the_sides_changes_no_adjusted_p() -> None:
    members, samples = against_a_baseline([0.01, 0.04])
    swapped = [Member(m.p, {name: -w for name, w in m.weights.items()}) for m in members]
    assert max_t(members, samples, rng(), alpha=0.5) == max_t(swapped, samples, rng(), alpha=0.5)


def test_one_arm_without_spread_is_drawn_and_two_are_refused() -> None:
    samples = {"a": Spread(0.0, 3), "b": Spread(1.0, 3), "c": Spread(0.0, 3)}
    found = max_t([Member(0.2, {"a": 1, "b": -1})], samples, rng(), alpha=0.05)
    assert found.p[0] == pytest.approx(0.2, abs=4 * found.se[0])  # a one-sample t with 2 degrees
    with pytest.raises(ComparisonError, match="sd = 0"):
        max_t([Member(0.2, {"a": 1, "c": -1})], samples, rng(), alpha=0.05)
