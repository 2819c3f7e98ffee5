"""All items of a plan, parents before children, numbered."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpbench.config.arms import Arm
from gpbench.core.plan import Experiment, PlanItem
from gpbench.planning.stages import Planned, PlannedDataset, Setting, finetuning, pretrainings


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
    per_pretraining = max(experiment.seeds) + 1
    numbered = _Numbered()
    for pretrain_seed, backbone, arm, dataset in itertools.product(
        experiment.pretrain_seeds, experiment.backbones, arms, datasets
    ):
        chain = pretrainings(arm, backbone, pretrain_seed, dataset, setting)
        parent: int | None = None
        for planned in chain:
            name = dataset.name if planned.reads_dataset else None
            parent = numbered.add(planned, arm, parent, dataset=name, pretrain_seed=pretrain_seed)
        for seed, fraction in itertools.product(experiment.seeds, experiment.label_fractions):
            replicate = pretrain_seed * per_pretraining + seed
            last = chain[-1] if chain else None
            numbered.add(
                finetuning(backbone, last, dataset, fraction, replicate, setting),
                arm,
                parent,
                dataset=dataset.name,
                label_fraction=fraction,
                pretrain_seed=pretrain_seed if chain else None,
                finetune_seed=seed if chain else replicate,
            )
    return numbered.items


@dataclass
class _Numbered:
    """Items in the order in which they were added; an arm has each stage once."""

    items: list[PlanItem] = field(default_factory=list)
    indices: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(
        self,
        planned: Planned,
        arm: Arm,
        parent: int | None,
        *,
        dataset: str | None,
        pretrain_seed: int | None,
        finetune_seed: int | None = None,
        label_fraction: float | None = None,
    ) -> int:
        """Return the index of the stage's item, a new one unless the arm has it already."""
        spec = planned.spec
        index = self.indices.setdefault((str(arm), spec.key), len(self.items))
        if index == len(self.items):
            self.items.append(
                PlanItem(
                    index=index,
                    kind=spec.kind,
                    arm=str(arm),
                    backbone=spec.backbone,
                    in_chans=spec.in_chans,
                    pretrain_seed=pretrain_seed,
                    finetune_seed=finetune_seed,
                    needs=() if parent is None else (parent,),
                    phase=planned.phase,
                    dataset=dataset,
                    label_fraction=label_fraction,
                    spec=spec if planned.complete else None,
                    identity=spec.key,
                )
            )
        return index
