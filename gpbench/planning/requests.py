"""Plan -> requests: the distinct stages as they are sent to workers, with where things lie."""

from __future__ import annotations

from pathlib import Path

from gpbench.core.plan import Plan
from gpbench.core.stage import BACKBONE_FILE, PretrainSpec, StageRequest, StageSpec


def requests(plan: Plan, workdir: Path, *, keep_weights: bool = True) -> dict[str, StageRequest]:
    """Return key -> request of each distinct stage that has a key, parents before children.

    Args:
        plan: Items without a key (their data are missing) are left out.
        workdir: Stages lie in `stages/<key>` below it, prepared datasets in `data`.
        keep_weights: Keep the weights of fine-tunings; those of pre-trainings are always kept.
    """
    workdir = workdir.absolute()
    return {
        key: _request(item.spec, plan, workdir, keep_weights=keep_weights)
        for key, item in plan.stages().items()
        if item.spec is not None
    }


def _request(spec: StageSpec, plan: Plan, workdir: Path, *, keep_weights: bool) -> StageRequest:
    stages = workdir / "stages"
    roles = [source.role for source in spec.sources] if isinstance(spec, PretrainSpec) else []
    return StageRequest(
        spec=spec,
        folder=str(stages / spec.key),
        parent_weights=str(stages / spec.parent / BACKBONE_FILE) if spec.parent else None,
        roots={role: plan.source_roots[role] for role in roles if role in plan.source_roots},
        data_folder=str(workdir / "data"),
        execution=plan.experiment.execution,
        keep_weights=keep_weights or isinstance(spec, PretrainSpec),
    )
