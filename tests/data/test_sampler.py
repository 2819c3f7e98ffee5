"""The order of samples: seeded, stateless, and every sample once per epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.errors import DataError
from gpbench.data.sampler import batch_indices


@given(st.integers(1, 20), st.integers(1, 30), st.integers(0, 9))
def test_every_sample_comes_once_per_epoch_however_batches_cut_it(
    n: int, batch: int, seed: int
) -> None:
    epochs = 3
    steps = -(-epochs * n // batch)
    drawn = np.concatenate([batch_indices(n, batch, step, seed) for step in range(steps)])
    assert drawn.dtype == np.int64
    for epoch in drawn[: epochs * n].reshape(epochs, n):
        assert sorted(epoch) == list(range(n))


@given(st.integers(1, 20), st.integers(1, 10), st.integers(0, 9))
def test_two_steps_of_one_batch_are_one_step_of_twice_the_batch(
    n: int, batch: int, step: int
) -> None:
    halves = [batch_indices(n, batch, 2 * step + i, seed=5) for i in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(halves), batch_indices(n, 2 * batch, step, seed=5))


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else() -> None:
    first = batch_indices(50, 50, 0, seed=1)
    np.testing.assert_array_equal(first, batch_indices(50, 50, 0, seed=1))
    assert not np.array_equal(first, batch_indices(50, 50, 0, seed=2))
    assert not np.array_equal(first, batch_indices(50, 50, 1, seed=1))


def test_an_answer_belongs_to_the_caller() -> None:
    batch_indices(50, 50, 0, seed=3)[:] = 0
    assert len(set(batch_indices(50, 50, 0, seed=3).tolist())) == 50


def test_the_first_place_of_an_epoch_is_any_sample_equally_often() -> None:
    firsts = [int(batch_indices(8, 1, 8 * epoch, seed=0)[0]) for epoch in range(1600)]
    counts = np.bincount(firsts, minlength=8)
    assert ((counts - 200) ** 2 / 200).sum() < 24.3  # chi-square, 7 degrees of freedom, p = 0.001


def test_an_empty_training_split_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to draw a batch from"):
        batch_indices(0, 4, 0, seed=0)
