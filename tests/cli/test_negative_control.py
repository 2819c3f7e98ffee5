"""Two strategies that are one: trained apart from images to weights, and nothing is found.

On three bands `generalised[shuffle=none]` shows every image as `imagenet` does, from seeds that
depend on no name. A difference, of one bit, would be a leak of an arm's name into its training.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.store import Store
from tests.cli.conftest import Command

SAME, SHUFFLED = "generalised[shuffle=none]", "generalised"
SEEDS = (0, 1, 2)
ONE_STEP = ("--set", "finetune.steps=1", "--set", "finetune.optim.lr=1e-3")
"""With more, tiny fine-tunings give all pixels the commonest class, whatever they started from."""


@pytest.fixture
def workdir(tiny: Command, tmp_path: Path) -> Path:
    arms = ("-s", f"imagenet,{SAME},{SHUFFLED}", "-d", "demo-isaid", "--pretrain-seeds", "3")
    said = tiny(*arms, *ONE_STEP, "-j", "1")
    assert said.code == 0, said.err
    return tmp_path / "work"


def made(workdir: Path) -> dict[tuple[str, int], tuple[bytes, bytes, bytes]]:
    """Return (arm, pre-training) -> backbone, segmentor and counts of all images, as bytes."""
    found = {}
    with Store.open(f"sqlite:///{workdir / 'gpbench.sqlite'}", read_only=True) as store:
        (name,) = store.experiments()
        for run in store.results(name):
            assert run.key is not None
            assert run.pretrain_key is not None
            assert run.pretrain_seed is not None
            stages = workdir / "stages"
            found[run.arm, run.pretrain_seed] = (
                (stages / run.pretrain_key / "backbone.safetensors").read_bytes(),
                (stages / run.key / "segmentor.safetensors").read_bytes(),
                store.counts(run.key)[1].tobytes(),
            )
    return found


@pytest.mark.slow
def test_equal_strategies_are_equal_to_the_bit_and_no_difference_is_found(
    gpbench: Command, workdir: Path
) -> None:
    found = made(workdir)
    for seed in SEEDS:
        assert found["imagenet", seed] == found[SAME, seed]
        for ours, theirs in zip(found["imagenet", seed], found[SHUFFLED, seed], strict=True):
            assert ours != theirs  # shuffling does something: the control could have failed
    assert len({found["imagenet", seed][2] for seed in SEEDS}) == 3  # and so do seeds

    said = gpbench("compare", SAME, "--workdir", workdir, "--format", "json")
    assert said.code == 0, said.err
    (contrast,) = said.document["contrasts"]
    (row,) = contrast["datasets"]
    assert row["candidate"] == row["baseline"]
    assert contrast["difference"] == 0
    assert (contrast["p"], contrast["verdict"]) == (None, "undecidable")
    assert contrast["reason"].startswith("both arms score exactly the same in every run")
