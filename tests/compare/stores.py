"""A store with finished runs: `made-up` makes fewer mistakes than `scratch`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpbench.store import Store
from tests.store.plans import ended, finetune, make_plan, pretrain, write_counts

MADE_UP, SCRATCH = "made-up[depth=2]", "scratch"
SEEDS = (0, 1, 2)


def second(seed: int) -> str:
    """Return the key of the last pre-training phase of `made-up`."""
    return pretrain(seed, 1, pretrain(seed).key).key


def counts(wrong: int) -> NDArray[np.int64]:
    """Return (1, 3, 3), ten pixels a class; `wrong` of the first are called the second."""
    table = np.diag((10, 10, 10))
    table[0] = (10 - wrong, wrong, 0)
    return table[None]


def fill(store: Store, folder: Path, *, trial: bool = False) -> None:
    """Store three replicates of two arms: 0, 1, 2 wrong pixels against 6, 7, 8."""
    store.record(replace(make_plan(seeds=SEEDS), trial=trial))
    for seed in SEEDS:
        for spec, wrong in ((finetune(seed, second(seed)), seed), (finetune(seed, None), 6 + seed)):
            outcome = ended(spec.key, scored=True)
            outcome = replace(outcome, images=outcome.images[:1])
            write_counts(folder / spec.key, counts(wrong), outcome.images)
            store.commit(outcome, folder / spec.key)
