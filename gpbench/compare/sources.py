"""Where the variance of an experiment's scores and gains comes from. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from gpbench.compare.cell import mean
from gpbench.compare.comparison import Contrast, Sources
from gpbench.compare.images import ImageScope
from gpbench.compare.study import Run, Study
from gpbench.core.errors import ComparisonError
from gpbench.stats.shares import Sampled, variance_shares

ARMS_SHARE = (
    "pre-training: arms that start from the same pre-trained weights are taken as independent, "
    "which makes its part in gains too large and that of the strategies' interactions too small"
)


def sources(study: Study, label_fraction: float, contrasts: Sequence[Contrast]) -> Sources:
    """Return the shares of variance over what all arms have: backbones, then datasets.

    Args:
        study: What is compared.
        label_fraction: Whose runs are meant.
        contrasts: Where the claims about new images are, which tell what the choice of test images
            adds to a gain.
    """
    datasets = [d.name for d in study.datasets]
    scored = {
        (arm, name): _by_backbone(study.runs_of(arm, name, label_fraction))
        for arm in study.arms
        for name in datasets
    }
    arms = [arm for arm in study.arms if any(scored[arm, name] for name in datasets)]
    of_arms = [{b for name in datasets for b in scored[arm, name]} for arm in arms]
    backbones = sorted(set.intersection(*of_arms)) if of_arms else []
    complete = [
        name
        for name in datasets
        if all(backbone in scored[arm, name] for arm in arms for backbone in backbones)
    ]
    table = [
        [[_sampled(scored[arm, name][backbone]) for backbone in backbones] for arm in arms]
        for name in complete
    ]
    try:
        found = variance_shares(table, _of_images(contrasts, label_fraction))
    except ComparisonError as error:
        return Sources(label_fraction, tuple(arms), tuple(complete), tuple(backbones), str(error))
    if _arms_share(table):
        found = replace(found, unknown=(*found.unknown, ARMS_SHARE))
    return Sources(label_fraction, tuple(arms), tuple(complete), tuple(backbones), found)


def _arms_share(table: Sequence[Sequence[Sequence[Sampled]]]) -> bool:
    """Return whether arms start from the same pre-trainings."""
    own = [
        {
            unit
            for of_dataset in table
            for cell in of_dataset[at]
            if cell.pretrains
            for unit in cell.units
        }
        for at in range(len(table[0]))
    ]
    return sum(map(len, own)) > len(set().union(*own))


def _by_backbone(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            found[run.backbone].append(run)
    return found


def _sampled(runs: Sequence[Run]) -> Sampled:
    units: defaultdict[Hashable, list[float]] = defaultdict(list)
    for run in runs:
        if run.value is not None:
            units[_unit(run)].append(run.value)
    return Sampled(units, pretrains=any(run.pretrain_seed is not None for run in runs))


def _unit(run: Run) -> Hashable:
    if run.pretrain_seed is None:
        return ""
    return run.pretrain_key or (run.dataset, run.pretrain_seed)


def _of_images(contrasts: Sequence[Contrast], label_fraction: float) -> float | None:
    """Return the mean variance of a difference by the choice of scenes; None: it is not known."""

    def known() -> Iterator[float]:
        for contrast in contrasts:
            for row in contrast.rows if contrast.label_fraction == label_fraction else ():
                if isinstance(row.images, ImageScope):
                    yield row.images.se_cluster**2

    found = list(known())
    return mean(found) if found else None
