"""Draws are random, and depend on (seed, step, sample, name) and on nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2, chisquare, kstest, norm
from torch import Tensor

from gpbench.api import Draws
from gpbench.core.seeds import derive_seed
from gpbench.data.draws import HashDraws

Kind = Callable[[Draws], Tensor]
KINDS: dict[str, Kind] = {
    "uniform": lambda draws: draws.uniform("name", 5),
    "normal": lambda draws: draws.normal("name", 5),
    "permutation": lambda draws: draws.permutation("name", 5),
}
ALPHA = 1e-4
"""All seeds are fixed: a test that passes once passes always."""


def draws(n: int = 2000, seed: int = 7, step: int = 3, first: int = 0) -> Draws:
    return HashDraws(seed, step, np.arange(first, first + n), "cpu")


def evenness(values: NDArray[np.float64], bins: int = 64) -> float:
    """Return the p-value of values in [0, 1) falling into equal bins equally often."""
    counts = np.bincount((values.ravel() * bins).astype(int), minlength=bins)
    return float(chisquare(counts).pvalue)


def independence(a: NDArray[np.float64], b: NDArray[np.float64], bins: int = 8) -> float:
    """Return the p-value of pairs in [0, 1) falling into equal squares equally often."""
    cells = (a.ravel() * bins).astype(int) * bins + (b.ravel() * bins).astype(int)
    return float(chisquare(np.bincount(cells, minlength=bins * bins)).pvalue)


def uniform(n_columns: int = 1, name: str = "a", **where: int) -> NDArray[np.float64]:
    return draws(**where).uniform(name, n_columns).numpy().astype(np.float64)


def test_shapes_and_types() -> None:
    given_draws = draws(4)
    for values, dtype in (
        (given_draws.uniform("a", 3), torch.float32),
        (given_draws.normal("a", 3), torch.float32),
        (given_draws.permutation("a", 3), torch.int64),
    ):
        assert values.shape == (4, 3)
        assert values.dtype == dtype
    assert given_draws.uniform("a").shape == (4, 1)


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.integers(0, 9))
def test_cutting_a_batch_changes_nothing(kind: str, cut: int) -> None:
    whole = KINDS[kind](draws(9))
    parts = [KINDS[kind](draws(cut)), KINDS[kind](draws(9 - cut, first=cut))]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_samples_is_the_order_of_the_rows(kind: str) -> None:
    shuffled = np.array([5, 0, 3, 8])
    some = KINDS[kind](HashDraws(7, 3, shuffled, "cpu"))
    assert torch.equal(some, KINDS[kind](draws(9))[shuffled])


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_step_or_name_gives_other_numbers(kind: str) -> None:
    first = KINDS[kind](draws(50))
    assert torch.equal(first, KINDS[kind](draws(50)))
    assert not torch.equal(first, KINDS[kind](draws(50, seed=8)))
    assert not torch.equal(first, KINDS[kind](draws(50, step=4)))
    assert not torch.equal(draws(50).uniform("a"), draws(50).uniform("b"))


def test_asking_for_more_columns_keeps_the_first_ones() -> None:
    assert torch.equal(draws().uniform("a", 9)[:, :4], draws().uniform("a", 4))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_of_the_step_are_shared_however_the_batch_is_cut(kind: str) -> None:
    whole = KINDS[kind](draws(9).of_step())
    assert whole.shape[0] == 1
    for first, n in ((0, 4), (4, 5)):
        assert torch.equal(KINDS[kind](draws(n, first=first).of_step()), whole)
    assert torch.equal(KINDS[kind](draws(9).of_step().of_step()), whole)
    assert not torch.equal(KINDS[kind](draws(9, step=4).of_step()), whole)


def test_draws_of_the_step_are_those_of_no_sample() -> None:
    shared = draws().of_step().uniform("a", 8)
    assert not (draws().uniform("a", 8) == shared).all(dim=1).any()


def test_uniform_numbers_are_even_over_samples_columns_steps_and_seeds() -> None:
    assert evenness(uniform(n=20_000)) > ALPHA
    assert evenness(uniform(n=1, n_columns=20_000)) > ALPHA
    assert evenness(np.array([uniform(n=1, step=step) for step in range(5000)])) > ALPHA
    assert evenness(np.array([uniform(n=1, seed=seed) for seed in range(5000)])) > ALPHA


def test_uniform_numbers_lie_in_the_half_open_unit_interval_and_reach_both_ends() -> None:
    values = uniform(n=20_000, n_columns=16)
    assert 0 <= values.min() < 1e-4
    assert 1 - 1e-4 < values.max() < 1
    assert (values * 2**24 % 1 == 0).all()


def test_neighbouring_names_steps_samples_and_columns_are_independent() -> None:
    base = uniform(n=20_000)
    assert independence(base, uniform(n=20_000, name="b")) > ALPHA
    assert independence(base, uniform(n=20_000, step=4)) > ALPHA
    assert independence(base, uniform(n=20_000, seed=8)) > ALPHA
    assert independence(base, uniform(n=20_000, first=1)) > ALPHA
    two = uniform(n=20_000, n_columns=2)
    assert independence(two[:, 0], two[:, 1]) > ALPHA


def test_samples_and_columns_are_not_exchangeable() -> None:
    square = uniform(n=50, n_columns=50)
    assert len(np.unique(square)) > 2495  # a few of 2,500 may share their 24 bits


def test_normal_numbers_are_standard_normal_also_in_the_tails() -> None:
    values = draws(20_000).normal("a", 10).numpy().astype(np.float64).ravel()
    assert kstest(values, norm.cdf).pvalue > ALPHA
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    n_beyond_3 = int((np.abs(values) > 3).sum())
    expected = values.size * 2 * norm.sf(3)
    assert abs(n_beyond_3 - expected) < 4 * np.sqrt(expected)
    assert np.isfinite(values).all()


def test_rows_are_permutations_and_all_are_equally_likely() -> None:
    rows = draws(24_000).permutation("a", 4).numpy()
    assert (np.sort(rows, axis=1) == np.arange(4)).all()
    counts = np.unique(rows @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 1000) ** 2 / 1000).sum() < chi2.isf(ALPHA, 23)


def split_mix(key: int, sample: int, column: int) -> int:
    """Return 64 bits of column `column` of the stream (key, sample), in plain integers."""
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15

    def mixed(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    start = mixed((key + mixed((sample * golden) & mask)) & mask)
    return mixed((start + (column + 1) * golden) & mask)


def test_the_bits_are_those_of_split_mix_in_plain_integers() -> None:
    key, samples = derive_seed(1, 2, "pinned"), [0, 7, 10**12]
    fixed = HashDraws(1, 2, np.array(samples), "cpu").uniform("pinned", 3)
    expected = [[split_mix(key, s, c) >> 40 for c in range(3)] for s in samples]
    assert (fixed * 2**24).to(torch.int64).tolist() == expected


def test_the_numbers_of_a_seed_stay_as_they_are() -> None:
    # stored results depend on them: whoever changes these raises ENGINE_VERSION
    fixed = HashDraws(1, 2, np.array([0, 7]), "cpu")
    assert (fixed.uniform("pinned", 2) * 2**24).tolist() == [
        [8103243, 6381454],
        [5672243, 11590899],
    ]
    assert fixed.permutation("pinned", 6).tolist() == [[2, 1, 3, 4, 0, 5], [0, 3, 4, 2, 1, 5]]
