from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gpbench.core.errors import ComparisonError
from gpbench.stats.correction import holm
from gpbench.stats.friedman import friedman, nemenyi_cd
from tests.stats.oracles import oracle

scores = st.integers(0, 6).map(float)
tables = st.tuples(st.integers(2, 5), st.integers(3, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(scores, min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    ).map(np.array)
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def is_tied(table: NDArray[np.float64]) -> bool:
    return bool((table == table[:, :1]).all())


def test_two_datasets_that_agree_by_hand() -> None:
    # rank sums 2, 4, 6: chi2 = 12 / (2 * 3 * 4) * (4 + 16 + 36) - 3 * 2 * 4 = 4, the largest, which
    # 1 of the 6 orders of the second row gives
    found = friedman([[3, 2, 1], [30, 20, 10]], rng())
    assert found.chi2 == pytest.approx(4)
    assert found.kendall_w == pytest.approx(1)
    assert found.mean_ranks == (1, 2, 3)
    assert (found.f, found.p_f) == (None, None)
    assert found.permutation_p == 1 / 6


def test_demsars_table_has_his_ranks_and_the_tie_corrected_chi2_of_scipy() -> None:
    case = oracle("02_demsar2006_friedman_nemenyi")
    expected = case["computed"]
    found = friedman(-np.array(case["inputs"]["ranks_as_published"]), rng())
    assert found.mean_ranks == pytest.approx(expected["average_ranks"])
    scipy = expected["scipy_friedman_with_tie_correction"]
    assert found.chi2 == pytest.approx(scipy["chi2"], rel=1e-8)
    assert found.p == pytest.approx(scipy["p"], rel=1e-8)
    assert found.f == pytest.approx(expected["F_F_from_tie_corrected"], rel=1e-8)
    assert found.p_f == pytest.approx(float(stats.f.sf(found.f, 3, 39)), rel=1e-8)
    assert found.kendall_w == pytest.approx(expected["kendall_W"], rel=1e-8)
    assert found.permutation_p is None  # 14 datasets


def test_critical_differences_are_demsars() -> None:
    case = oracle("02_demsar2006_friedman_nemenyi")
    for alpha, values in case["computed"]["critical_differences"].items():
        found = nemenyi_cd(4, 14, float(alpha.removeprefix("alpha=")))
        assert found == pytest.approx(values["CD_nemenyi"], rel=1e-6)
    assert nemenyi_cd(4, 14, 0.05) == pytest.approx(case["published"]["CD_nemenyi_0_05"], abs=5e-3)


def test_holm_on_demsars_contrasts_with_the_control() -> None:
    expected = oracle("02_demsar2006_friedman_nemenyi")["computed"]
    found = holm(expected["vs_control_p_raw"])
    assert found == pytest.approx(expected["vs_control_p_holm"], rel=1e-8)


def test_rounding_times_give_what_r_prints() -> None:
    case = oracle("05_R_friedman_RoundingTimes")
    found = friedman(case["inputs"]["y"], rng())
    assert found.chi2 == pytest.approx(case["computed"]["chi2"], rel=1e-8)
    assert found.p == pytest.approx(case["computed"]["p"], rel=1e-8)
    assert found.chi2 == pytest.approx(case["published"]["chi2"], abs=1e-3)


def test_strategies_over_datasets_give_the_chi2_of_the_oracle() -> None:
    expected = oracle("33_end_to_end_dataset_level")["computed"]
    found = friedman(expected["cell_means"], rng())
    assert found.chi2 == pytest.approx(expected["friedman"]["chi2"])
    assert found.p == pytest.approx(expected["friedman"]["p"])
    assert found.mean_ranks == (3, 2, 1)  # scratch, imagenet, rs_mae on every dataset
    assert found.permutation_p == 6 / 6**6


@pytest.mark.parametrize(
    "row",
    oracle("09_minimum_attainable_p")["computed"]["friedman"],
    ids=lambda r: f"{r['k']}x{r['n']}",
)
def test_floors_are_those_of_the_oracle(row: dict[str, float]) -> None:
    k, n = int(row["k"]), int(row["n"])
    found = friedman([list(range(k))] * n, rng())
    assert found.chi2 == pytest.approx(row["max_chi2"])
    assert found.p == pytest.approx(row["p_chi2_approx"], rel=1e-8)
    floor = row["exact_min_p"]
    if math.factorial(k) ** (n - 1) <= 50_000:
        assert found.permutation_p == pytest.approx(floor, rel=1e-8)
    else:  # drawn: c of 10,000 at the floor's rate
        assert found.permutation_p == pytest.approx(1 / 10_001, abs=4 * (floor / 10_000) ** 0.5)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (3, 8), (6, 4)])
def test_critical_difference_over_the_largest_gap_is_the_oracles(k: int, n: int) -> None:
    rows = oracle("09_minimum_attainable_p")["computed"]["friedman"]
    (row,) = [r for r in rows if (r["k"], r["n"]) == (k, n)]
    share = nemenyi_cd(k, n, 0.05) / (k - 1)
    assert share == pytest.approx(row["nemenyi_cd_over_max_rank_gap"], rel=1e-6)


@settings(max_examples=50)
@given(tables)
def test_chi2_agrees_with_scipy(table: NDArray[np.float64]) -> None:
    assume(not is_tied(table))
    expected = stats.friedmanchisquare(*table.T)
    found = friedman(table, rng())
    assert found.chi2 == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)


def test_permutation_p_counts_all_orders_of_all_rows() -> None:
    table = np.array([[1.0, 2.0, 2.0], [1.0, 3.0, 2.0], [0.0, 1.0, 5.0]])
    observed = friedman(table, rng())
    orders = list(itertools.permutations(range(3)))
    found = [
        stats.friedmanchisquare(
            *np.array([row[list(o)] for row, o in zip(table, each, strict=True)]).T
        )
        for each in itertools.product(orders, repeat=3)
    ]
    share = np.mean([f.statistic >= observed.chi2 - 1e-9 for f in found])
    assert observed.permutation_p == pytest.approx(float(share))


def test_drawn_orders_agree_with_counted_ones() -> None:
    # 6 rows of 3 are counted; with two more, tied, rows they are drawn, and the answer is the same
    table = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 1, 3], [3, 2, 1]])
    exact = friedman(table, rng()).permutation_p
    drawn = friedman(np.vstack([table, [[1, 1, 1]] * 2]), rng()).permutation_p
    assert exact is not None
    assert drawn is not None
    assert 0.01 < exact < 0.5
    assert drawn == pytest.approx(exact, abs=4 * (exact / 10_000) ** 0.5)
    assert drawn != exact


@settings(max_examples=50)
@given(tables)
def test_order_of_rows_and_columns_and_a_shift_of_a_dataset_change_nothing(
    table: NDArray[np.float64],
) -> None:
    assume(not is_tied(table))
    found = friedman(table, rng())
    moved = friedman((table + np.arange(len(table))[:, None])[::-1, ::-1], rng())
    assert moved.chi2 == pytest.approx(found.chi2)
    assert moved.mean_ranks == pytest.approx(found.mean_ranks[::-1])
    assert 0 <= found.kendall_w <= 1 + 1e-12
    assert 1 / math.factorial(table.shape[1]) ** (len(table) - 1) <= (found.permutation_p or 0) <= 1


def test_float_noise_breaks_no_tie() -> None:
    found = friedman([[0.3 - 0.2, 0.2 - 0.1, 0], [0.1, 0.8 - 0.7, 0]], rng())
    assert found.mean_ranks == (1.5, 1.5, 3)


def test_what_friedmans_test_cannot_answer_is_refused() -> None:
    with pytest.raises(ComparisonError, match="got 2 on 4"):
        friedman([[1, 2]] * 4, rng())
    with pytest.raises(ComparisonError, match="got 3 on 1"):
        friedman([[1, 2, 3]], rng())
    with pytest.raises(ComparisonError, match="tied on every dataset"):
        friedman([[1, 1, 1], [2, 2, 2]], rng())
    with pytest.raises(ComparisonError, match="NaN"):
        friedman(np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0]]), rng())
