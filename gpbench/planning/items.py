"""All items of a plan, parents before children, numbered."""

from __future__ import annotations

from collections.abc import Sequence

from gpbench.config.arms import Arm
from gpbench.core.plan import Experiment, PlanItem
from gpbench.core.stage import FinetuneSpec, Kind
from gpbench.planning.stages import (
    Planned,
    PlannedDataset,
    Setting,
    finetuning,
    pretrainings,
)


def plan_items(
    experiment: Experiment,
    arms: Sequence[Arm],
    datasets: Sequence[PlannedDataset],
    setting: Setting,
) -> list[PlanItem]:
    """Return the items of all arms: one replicate of everything comes before the next.

    Replicate r = p K + f of pre-training seed p and fine-tuning seed f, with K one more than the
    largest f; arms without a pre-training take r as their fine-tuning seed.
    """
    collected = _Items(setting)
    per_pretraining = max(experiment.seeds) + 1
    for pretrain_seed in experiment.pretrain_seeds:
        for backbone in experiment.backbones:
            for arm in arms:
                for dataset in datasets:
                    ends = collected.pretrain(arm, backbone, pretrain_seed, dataset)
                    for seed in experiment.seeds:
                        replicate = pretrain_seed * per_pretraining + seed
                        for fraction in experiment.label_fractions:
                            collected.finetune(
                                arm, backbone, dataset, ends, fraction, replicate,
                                pretrain_seed if ends else None, seed if ends else replicate,
                            )  # fmt: skip
    return collected.items
